"""Handles as arguments: an execution waits for others, gets their values, and is cancelled when one ends badly."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, Signals, until

pytestmark = pytest.mark.both_servers


@job
async def give(x: Any) -> Any:
    return x


@job
def give_plainly(x: Any) -> Any:
    return x


@job
async def add(*numbers: int) -> int:
    return sum(numbers)


@job
async def total(numbers: list[int], more: dict[str, list[int]] | None = None) -> int:
    return sum(numbers) + sum(sum(values) for values in (more or {}).values())


@job
async def fail(x: Any = None) -> Any:
    raise ValueError("this one fails")


def gate(signals: Signals) -> Any:
    @job(name="gate")
    async def wait_for_it(x: Any = 1) -> Any:
        signals.started.set()
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)
        return x

    return wait_for_it


def test_a_value_is_passed_on(pool: Pool) -> None:
    raw = give.submit({"rows": [1, 2, 3]})
    assert give_plainly.submit(give.submit(raw)).result(PATIENCE) == {"rows": [1, 2, 3]}


def test_it_waits_until_then(pool: Pool, signals: Signals) -> None:
    first = gate(signals).submit(5)
    second = add.submit(first, 2)
    third = add.submit(second, first, 1)
    assert signals.started.wait(PATIENCE)
    assert (second.status, third.status) == ("waiting", "waiting")
    signals.go_on.set()
    assert (second.result(PATIENCE), third.result(PATIENCE)) == (7, 13)


def test_handles_stand_anywhere_in_the_arguments(pool: Pool) -> None:
    one, two = give.submit(1), give.submit(2)
    batch = give.map([10, 20, 30])
    assert total.submit([one, two, one], more={"b": batch, "c": [two]}).result(PATIENCE) == 4 + 60 + 2


def test_what_has_ended_already_is_not_waited_for(pool: Pool) -> None:
    one = give.submit(1)
    one.wait(PATIENCE)
    batch = give.map(range(4))
    batch.results(PATIENCE)
    assert add.submit(one, 2).result(PATIENCE) == 3
    assert total.submit(batch).result(PATIENCE) == 6


def test_fan_out_and_fan_in(pool: Pool) -> None:
    doubled = give.map(range(2_000))
    report = total.submit(doubled)
    assert report.result(PATIENCE) == sum(range(2_000))


def test_inside_map(pool: Pool) -> None:
    parts = give.map(range(20))
    assert add.map(parts, range(20)).results(PATIENCE) == [2 * x for x in range(20)]
    assert total.map([parts[:3], parts[3:5], [1]]).results(PATIENCE) == [3, 7, 1]


def test_after_waits_and_takes_no_value(pool: Pool, signals: Signals) -> None:
    first = gate(signals).submit()
    batch = give.map([first])
    late = give.options(after=[first, batch]).submit("late")
    assert signals.started.wait(PATIENCE)
    assert late.status == "waiting"
    signals.go_on.set()
    assert late.result(PATIENCE) == "late"


def test_a_due_time_counts_once_it_is_ready(pool: Pool) -> None:
    e = give.options(delay=3600).submit(give.submit(1))
    until(lambda: e.status == "scheduled")


def test_a_failure_cancels_the_whole_way_down_and_says_why(pool: Pool) -> None:
    bad = fail.submit()
    child = add.submit(bad, 1)
    grandchild = add.submit(child, 1)
    with pytest.raises(currant.ExecutionCancelled, match=r"it depends on .*fail .*which failed: ValueError: this one"):
        grandchild.result(PATIENCE)
    assert child.status == "cancelled"
    assert str(bad.id) in grandchild.error.message


def test_so_does_cancelling(pool: Pool, signals: Signals) -> None:
    first = gate(signals).submit()
    child = add.submit(first, 1)
    grandchild = add.submit(child, 1)
    assert signals.started.wait(PATIENCE)
    first.cancel()
    with pytest.raises(currant.ExecutionCancelled, match="was cancelled"):
        grandchild.result(PATIENCE)


def test_cancelling_what_waits_takes_its_children_along(start: Callable[..., Pool]) -> None:
    start(queues=("other",))
    first = give.submit(1)
    child, other = add.submit(first, 1), add.submit(first, 2)
    grandchild = add.submit(child, 1)
    child.cancel()
    assert (first.status, child.status, grandchild.status, other.status) == (
        "pending",
        "cancelled",
        "cancelled",
        "waiting",
    )
    first.cancel()
    assert other.status == "cancelled"


def test_retrying_the_parent_revives_them(pool: Pool) -> None:
    works: list[bool] = []

    @job(name="sometimes")
    async def sometimes() -> int:
        if not works:
            raise ValueError("not yet")
        return 40

    bad = sometimes.submit()
    child = add.submit(bad, 1)
    grandchild = add.submit(child, 1)
    with pytest.raises(currant.ExecutionCancelled):
        grandchild.result(PATIENCE)
    works.append(True)
    bad.retry()
    again = currant.get(grandchild.id)
    assert again.result(PATIENCE) == 42


def test_one_failure_in_a_batch_cancels_who_waits_for_all(pool: Pool) -> None:
    @job(name="odd fails")
    async def odd_fails(x: int) -> int:
        if x == 7:
            raise ValueError("seven")
        return x

    with pytest.raises(currant.ExecutionCancelled, match="seven"):
        total.submit(odd_fails.map(range(50))).result(PATIENCE)


def test_retrying_a_child_whose_parent_has_failed_waits_again(pool: Pool) -> None:
    bad = fail.submit()
    child = add.submit(bad, 1)
    with pytest.raises(currant.ExecutionCancelled):
        child.result(PATIENCE)
    child.retry()
    until(lambda: currant.get(child.id).status == "cancelled")


def test_what_is_not_there_can_not_be_waited_for(pool: Pool, leased: Leased) -> None:
    from currant_lab.client import current
    from currant_lab.client.handles import Execution

    gone = Execution(current.get(), uuid4().bytes)
    with pytest.raises(currant.UnknownExecution, match="nothing was submitted"):
        add.submit(gone, 1)
    with pytest.raises(currant.UnknownExecution, match="nothing was submitted"):
        add.map([gone, 1], [1, 2])
    assert currant.executions() == []


def test_a_result_pruned_before_it_was_taken_is_told(pool: Pool, call: Callable[[str], Any], leased: Leased) -> None:
    one = give.submit(1)
    one.wait(PATIENCE)
    pool.pause("default")
    two = add.submit(one, 1)
    call(f"DELETE FROM {leased.schema}.history")
    pool.resume("default")
    with pytest.raises(currant.ExecutionFailed, match="is no longer in the database"):
        two.result(PATIENCE)


@pytest.mark.parametrize("after", [[3], "x", 7, [None]])
def test_after_takes_handles_only(pool: Pool, after: Any) -> None:
    with pytest.raises(currant.InvalidArguments, match="after is a list of executions and batches"):
        give.options(after=after)


def test_random_graphs_run_in_an_order_they_allow(pool: Pool) -> None:
    """Each is its number; its value says how deep it lies, which only an order that the graph allows gets right."""

    @job(name="depth")
    async def depth(*above: int) -> int:
        return 1 + max(above, default=0)

    chance = random.Random(7)
    handles: list[currant.Execution] = []
    expected: list[int] = []
    for n in range(150):
        parents = chance.sample(range(n), min(n, chance.randrange(4)))
        handles.append(depth.submit(*(handles[p] for p in parents)))
        expected.append(1 + max((expected[p] for p in parents), default=0))
    assert [handle.result(PATIENCE) for handle in handles] == expected


@pytest.fixture
def call(leased: Leased) -> Callable[[str], Any]:
    def run(sql: str) -> Any:
        async def do() -> Any:
            conn = await leased.connect()
            try:
                return await conn.fetch(sql)
            finally:
                await conn.close()

        return asyncio.run(do())

    return run
