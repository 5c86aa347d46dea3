"""The server refuses to write just now: whatever its reason, that is no failure of a workflow."""

from __future__ import annotations

import pytest

from currant_lab import job, workflow
from currant_lab.client import current
from currant_lab.pool.pool import Pool
from tests.pool.helpers import PATIENCE
from tests.pool.worker import Books

REFUSALS = 4

# A sequence counts on, whatever becomes of the transaction.
REFUSE = (
    "CREATE SEQUENCE currant.refused",
    """CREATE FUNCTION currant.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
           IF nextval('currant.refused') <= {times} THEN
               RAISE EXCEPTION 'not now' USING ERRCODE = '{code}';
           END IF;
           RETURN NEW;
       END $$""",
    "CREATE TRIGGER refuse BEFORE INSERT ON currant.{table} FOR EACH ROW EXECUTE FUNCTION currant.refuse()",
)


@job
async def double(x: int) -> int:
    return 2 * x


@workflow
async def fanned(n: int) -> int:
    return await double.run(sum(await double.map_run(range(n))))


@pytest.mark.parametrize("table", ["steps", "batches"])
@pytest.mark.parametrize("code", ["57014", "55P03", "40P01", "53100", "57P01"])
def test_a_step_that_can_not_be_written_is_tried_again(
    pool: Pool, books: Books, monkeypatch: pytest.MonkeyPatch, table: str, code: str
) -> None:
    """A statement that was cancelled, a lock, a deadlock, a full disk, a server that shuts down."""
    monkeypatch.setattr("currant_lab.workflows.recorder.PAUSE_S", 0.01)
    monkeypatch.setattr(current.get(), "patience", 0.0)
    for statement in REFUSE:
        books.sql(statement.format(times=REFUSALS, code=code, table=table))
    assert fanned.submit(3).result(PATIENCE) == 12
    (row,) = books.sql("SELECT last_value AS n FROM currant.refused")
    assert row["n"] > REFUSALS
