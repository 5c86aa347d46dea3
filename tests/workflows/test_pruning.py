"""What is needed is not pruned: the steps of runs that go on, and the parents of what waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.client import current
from currant_lab.database import control
from currant_lab.loop import background
from currant_lab.pool.pool import Pool
from tests.pool.helpers import PATIENCE, Signals, endless, until
from tests.pool.worker import Books


@job(name="pruning:give")
async def give(x: Any) -> Any:
    return x


def ids(books: Books) -> set[str]:
    return {str(row["id"]) for row in books.sql("SELECT id::text AS id FROM currant.history")}


def test_the_steps_of_a_run_stay_until_it_has_ended(pool: Pool, books: Books) -> None:
    there = give.submit(5)
    batch = give.map([6, 7])
    batch.results(PATIENCE)

    @workflow(name="keeps")
    async def keeps() -> Any:
        values = [await give.run(1), *await give.map_run([2, 3]), await (await give.asubmit(4)), await there]
        values += await batch
        await currant.event("go")
        return values

    run = keeps.submit()
    others = give.map(range(5))
    others.results(PATIENCE)
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE job = 'keeps' AND status = 'waiting'")))
    pruned = current.get().prune(timedelta(0))
    assert pruned.executions == 5
    assert not ids(books) & {str(one.id) for one in others}
    assert run["pruning:give"] == [6, 7]
    run.signal("go")
    assert run.result(PATIENCE) == [1, 2, 3, 4, 5, 6, 7]
    assert current.get().prune(timedelta(0)).executions == 8
    assert ids(books) == set()
    assert books.sql("SELECT FROM currant.steps") == []


def test_the_parents_of_what_waits_stay(pool: Pool, signals: Signals, books: Books) -> None:
    slow = endless(signals, "async").submit()
    early, batch = give.submit(1), give.map([2, 3])
    child = give.options(after=[slow]).submit([early, batch])
    early.result(PATIENCE), batch.results(PATIENCE)
    give.submit(0).result(PATIENCE)
    assert current.get().prune(timedelta(0)).executions == 1
    assert child.status == "waiting"
    assert {str(early.id), *(str(one.id) for one in batch)} == ids(books)
    slow.cancel()
    child.wait(PATIENCE)
    current.get().prune(timedelta(0))
    assert ids(books) == set()


def test_a_partition_that_holds_what_is_needed_is_not_dropped(pool: Pool, books: Books) -> None:
    """As if two weeks had passed: the partition is old enough to be dropped whole."""

    @workflow(name="waits for weeks")
    async def waits_for_weeks() -> Any:
        value = await give.run(1)
        await currant.event("go")
        return value

    run = waits_for_weeks.submit()
    give.map(range(3)).results(PATIENCE)
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE status = 'waiting'")))
    later = datetime.now(UTC) + timedelta(days=15)
    done = background.run(control.prune(current.get().database, timedelta(0), now=later))
    assert done.executions == 3
    run.signal("go")
    assert run.result(PATIENCE) == 1
    done = background.run(control.prune(current.get().database, timedelta(0), now=later))
    assert (done.executions, done.partitions) == (2, 1)
