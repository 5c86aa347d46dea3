"""A step whose write was given up, and was done all the same when the lock that it waited for was free."""

from __future__ import annotations

import asyncio
from typing import Any

from currant_lab import job, workflow
from currant_lab.loop import background
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, Signals, until
from tests.pool.worker import Books


@job
async def late_double(x: int) -> int:
    return 2 * x


def test_what_it_began_is_run(pool: Pool, leased: Leased, books: Books, signals: Signals, monkeypatch: Any) -> None:
    """It was running on a pool that knew nothing of it, for ever."""

    @workflow(name="late")
    async def late() -> int:
        signals.started.set()
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)
        return await late_double.run(4)

    monkeypatch.setattr("currant_lab.database.limits.ANSWER_S", 0.3)
    monkeypatch.setattr("currant_lab.workflows.recorder.PAUSE_S", 0.5)
    run = late.submit()
    assert signals.started.wait(PATIENCE)
    conn: Any = background.run(leased.connect())
    try:
        background.run(conn.execute("BEGIN"))
        lock = f"SELECT FROM {leased.schema}.executions WHERE id = $1 FOR UPDATE"
        background.run(conn.fetch(lock, run.id.bytes))
        signals.go_on.set()
        blocked = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        until(lambda: len(books.sql(blocked)) > 0)
        until(lambda: len(books.sql(blocked)) > 1)  # the first was given up, and is still there
        monkeypatch.setattr("currant_lab.database.limits.ANSWER_S", 30.0)
    finally:
        background.run(conn.execute("COMMIT"))
        background.run(conn.close())
    assert run.result(PATIENCE) == 8
