"""Steps that are batches of executions, and what the record says of when steps began."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.errors import ExecutionFailed
from currant_lab.pool.pool import Pool
from currant_lab.workflows import resting
from tests.pool.helpers import PATIENCE, Signals, until
from tests.pool.worker import Books


@job(name="steps:ten times")
async def ten_times(x: int) -> int:
    return 10 * x


@job(name="steps:odd only")
async def odd_only(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x


def test_awaiting_a_batch_holds_no_worker_and_is_on_record(
    start: Callable[..., Pool], signals: Signals, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resting, "LONG_S", 0.05)
    start(workers=1)

    @job(name="stays")
    async def stays(x: int) -> int:
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)
        return x

    @workflow(name="fans")
    async def fans() -> Any:
        batch = await stays.amap(range(3))
        return [await batch, await batch[1:], await batch[0]]

    run = fans.submit()
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE job = 'fans' AND status = 'waiting'")))
    assert ten_times.options(priority=1).submit(1).status == "pending", "the one worker is busy with what is awaited"
    signals.go_on.set()
    assert run.result(PATIENCE) == [[0, 1, 2], [1, 2], 0]
    assert [(step.kind, step.status) for step in run.steps] == [("submit", "succeeded")] + [("result", "succeeded")] * 4
    assert run[2] == [0, 1, 2]
    assert {tuple(node.parents) for node in currant.graph(run).nodes[1:2]} == {(1,)}


def test_batches_that_fail_in_a_workflow(pool: Pool) -> None:
    @workflow(name="fails in part")
    async def fails_in_part() -> Any:
        batch = await odd_only.amap(range(4))
        said: list[Any] = []
        for wait in (lambda: batch, lambda: batch[:3]):
            try:
                await wait()
            except ExecutionFailed as error:
                said.append(error.type)
        mixed = await batch.aresults(on_error="return")
        await currant.event("go")
        return [*said, [one if isinstance(one, int) else "bad" for one in mixed]]

    run = fails_in_part.submit()
    run.signal("go")
    assert run.result(PATIENCE) == ["ValueError", "ValueError", ["bad", 1, "bad", 3]]


def test_the_order_of_as_completed_is_on_record(pool: Pool, signals: Signals, books: Books) -> None:
    @job(name="in turn")
    async def in_turn(x: int) -> int:
        while len(signals.seen) < 3 - x:  # the last one first
            await asyncio.sleep(0.001)
        signals.seen.append(x)
        return x

    @workflow(name="as they come")
    async def as_they_come() -> Any:
        batch = await in_turn.amap(range(4))
        order = []
        async for ended in batch.as_completed():
            order.append(await ended)
            await ten_times.run(1)
        await currant.event("go")
        return order

    run = as_they_come.submit()
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE job = 'as they come' AND status = 'waiting'")))
    run.signal("go")
    assert run.result(PATIENCE) == [3, 2, 1, 0]
    assert run.attempt == 1


def test_calls_have_a_length(pool: Pool, signals: Signals) -> None:
    @job(name="beside it")
    async def beside_it() -> None:
        signals.started.set()

    def lasts_until_then() -> None:
        assert signals.started.wait(PATIENCE)
        time.sleep(0.08)

    @workflow(name="timed")
    async def timed() -> None:
        await currant.step(time.sleep, 0.05)
        await asyncio.gather(currant.step(lasts_until_then), beside_it.run())

    run = timed.submit()
    run.result(PATIENCE)
    first, second, third = run.steps
    assert first.ended_at is not None
    assert second.ended_at is not None
    assert (first.ended_at - first.began_at).total_seconds() >= 0.05
    assert (second.ended_at - second.began_at).total_seconds() >= 0.08
    assert first.ended_at <= second.began_at
    assert third.began_at < second.ended_at
    lengths = [node.seconds(0.0) for node in currant.graph(run).nodes]
    assert lengths[0] >= 0.05


def test_as_completed_of_asyncio_begins_in_the_same_order_again(pool: Pool) -> None:
    """It begins coroutines in the order of a set, which is that of their addresses: another one each time."""
    ballast: list[Any] = []

    @workflow(name="races")
    async def races() -> Any:
        waits: list[Any] = []
        for x in range(6):
            ballast.append(bytearray(100 * len(ballast)))
            waits += [ten_times.run(x), odd_only.run(2 * x + 1), currant.step(abs, -x), currant.sleep(0.001 * x)]
        handles = [await ten_times.asubmit(x) for x in range(6)]
        for one in asyncio.as_completed(waits):
            await one
        order = [await one for one in asyncio.as_completed(handles)]
        await currant.sleep(0)
        return order

    run = races.submit()
    order = run.result(PATIENCE)
    assert sorted(order) == [0, 10, 20, 30, 40, 50]
    for _ in range(3):
        run = run.fork(step=len(run.steps) + 1)  # all answer from the record
        assert run.result(PATIENCE) == order


def test_a_call_is_not_broken_off_because_the_rest_of_the_function_only_waits(
    pool: Pool, signals: Signals, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resting, "SHORT_S", 0.01)
    monkeypatch.setattr(resting, "LONG_S", 0.01)

    async def takes_long() -> str:
        signals.seen.append("called")
        async with asyncio.timeout(PATIENCE):
            while not signals.go_on.is_set():
                await asyncio.sleep(0.001)
        return "done"

    @workflow(name="waits and works")
    async def waits_and_works() -> Any:
        return await asyncio.gather(currant.event("go"), currant.step(takes_long), short_rest())

    async def short_rest() -> None:
        await currant.sleep(0.1)
        signals.started.set()

    run = waits_and_works.submit()
    assert signals.started.wait(PATIENCE), "long after it would have been put away"
    signals.go_on.set()
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE status = 'waiting'")))
    assert run[2] == "done"
    monkeypatch.undo()
    run.signal("go", 1)
    assert run.result(PATIENCE)[:2] == [1, "done"]
    assert signals.seen == ["called"]


def test_what_a_function_leaves_behind_does_not_put_it_away(
    pool: Pool, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    from currant_lab.workflows import stepping

    monkeypatch.setattr(resting, "LONG_S", 0.0)
    monkeypatch.setattr(resting, "_CALM_S", 0.0)
    written = stepping.Way.write

    async def slowly(self: stepping.Way, *args: Any) -> None:
        await asyncio.sleep(0.05 if self.rest.has_ended else 0)  # as by a slow database
        await written(self, *args)

    @job(name="stays")
    async def stays() -> None:
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)

    @workflow(name="leaves behind")
    async def leaves_behind() -> str:
        behind = [asyncio.ensure_future(what) for what in (stays.run(), currant.event("never"))]
        await currant.event("go")
        monkeypatch.setattr(stepping.Way, "write", slowly)
        return f"ended, {len(behind)} left"

    run = leaves_behind.submit()
    run.signal("go")
    assert run.result(PATIENCE) == "ended, 2 left"
    signals.go_on.set()
