"""`start(loop="kernel")` without a notebook: the caller's own loop, and what happens when that loop ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.pool.pool import Pool
from tests.pool.helpers import PATIENCE, double, double_plainly, until


@job
async def where() -> bool:
    return threading.current_thread() is threading.main_thread()


@job(timeout=0.05)
async def too_long() -> None:
    await asyncio.Event().wait()


@job
async def endless() -> None:
    begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


begun, ended = threading.Event(), threading.Event()


@pytest.fixture(autouse=True)
def fresh() -> None:
    begun.clear()
    ended.clear()


async def until_set(event: threading.Event) -> None:
    while not event.is_set():
        await asyncio.sleep(0.005)


def test_it_needs_a_loop_that_runs(start: Callable[..., Pool]) -> None:
    with pytest.raises(
        currant.InvalidArguments, match=r'loop="kernel" needs a loop that runs: start the pool in a cell'
    ):
        start(loop="kernel")
    with pytest.raises(currant.InvalidArguments, match=r'loop is "thread" or "kernel", not \'moon\''):
        start(loop="moon")


def test_handlers_end_as_on_the_pools_own_loop(start: Callable[..., Pool]) -> None:
    async def main() -> list[Any]:
        pool = start(loop="kernel")
        found = [await where.submit(), where.submit().result(PATIENCE), await double_plainly.submit(2)]
        with pytest.raises(currant.CurrantError, match="other settings .loop 'kernel', not 'thread'"):
            start()
        with pytest.raises(currant.ExecutionTimeout):
            await too_long.submit()
        running = endless.submit()
        await until_set(begun)
        assert running.cancel()
        with pytest.raises(currant.ExecutionCancelled):
            await running
        assert ended.is_set()
        begun.clear()
        given_back = endless.submit()
        await until_set(begun)
        pool.stop(drain=False)
        found.append(given_back.refresh().status)
        return found

    assert asyncio.run(main()) == [True, True, 4, "pending"]


def test_a_pool_whose_loop_was_closed_stops_and_gives_back(
    start: Callable[..., Pool], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> Pool:
        pool = start(loop="kernel")
        assert await double.submit(1) == 2
        return pool

    pool = asyncio.run(main())
    left = double.submit(2)
    until(lambda: pool.is_stopped)
    assert "the loop of this pool's handlers has been closed: the pool stops" in caplog.text
    assert left.refresh().status == "pending"
    start()
    assert left.result(PATIENCE) == 4
