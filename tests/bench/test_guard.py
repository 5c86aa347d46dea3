"""What must not grow unnoticed, as counts, which a busy machine does not change: the engine's own plans and its idle
statements are counted in `native/tests`; here is what a whole process adds."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

import currant_lab as currant
from currant_lab import session
from currant_lab.bench import work
from currant_lab.client import current
from currant_lab.database.statements import statement
from currant_lab.loop import background
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import until

JOBS = 2_000
RUNS = 4
KEPT = 2_000
"""asyncpg keeps so many records to use them again; a busy machine reads outcomes in larger pages, and fills that."""


@pytest.fixture
def pool(leased: Leased) -> Iterator[Pool]:
    yield currant.start(database=leased.url, schema=leased.schema, name="bench", workers=50)
    currant.stop(drain=False)
    current.get().close()
    current.put(None)
    session._settings = None


def run() -> None:
    """Submit, run, and have all results in hand."""
    assert work.noop.map(range(JOBS)).results() == list(range(JOBS))


def more_than(before: tracemalloc.Snapshot) -> int:
    """How many blocks of memory there are more than then."""
    gc.collect()
    return sum(stat.count_diff for stat in tracemalloc.take_snapshot().compare_to(before, "filename"))


@pytest.mark.timeout(180)  # tracing is slow
def test_a_job_leaves_nothing_behind_in_the_process(pool: Pool) -> None:
    run()  # what is made once: connections, prepared statements, types
    gc.collect()
    tracemalloc.start()
    try:
        run()
        gc.collect()
        _, peak = tracemalloc.get_traced_memory()
        before = tracemalloc.take_snapshot()
        for _ in range(RUNS):
            run()
        until(lambda: more_than(before) < KEPT + 0.1 * RUNS * JOBS)  # the last outcomes are let go a moment later
    finally:
        tracemalloc.stop()
    assert peak / JOBS < 4_000, "bytes that a waiting job costs at most"


def test_statements_come_by_the_hundred(pool: Pool) -> None:
    run()
    before = pool.stats()
    run()
    after = pool.stats()
    assert (after.statements - before.statements) / JOBS < 0.02
    assert after.stale == 0


@pytest.mark.parametrize(("name", "more"), [("executions_ended", [1_000]), ("history_results", [])])
def test_who_waits_reads_by_keys(pool: Pool, leased: Leased, name: str, more: list[int]) -> None:
    for _ in range(3):
        run()
    ids = [execution.id.bytes for execution in currant.executions(limit=200)]

    async def explain() -> str:
        conn = await leased.connect()
        try:
            await conn.execute(f"ANALYZE {leased.schema}.history")
            query = f"EXPLAIN (COSTS OFF) {statement(name, leased.schema)}"
            return "\n".join(row[0] for row in await conn.fetch(query, ids, min(ids), max(ids), *more))
        finally:
            await conn.close()

    plan = background.run(explain())
    assert "Index" in plan, plan
    assert "Seq Scan" not in plan, plan
