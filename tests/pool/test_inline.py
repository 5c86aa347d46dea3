"""Async handlers that end without waiting share a task, and nothing else."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.pool.pool import Pool
from tests.pool.helpers import PATIENCE

_mine: contextvars.ContextVar[int] = contextvars.ContextVar("mine", default=0)


@job
async def leaves_a_mark(n: int) -> int:
    before = _mine.get()
    _mine.set(n)
    return before


@job
async def mark_after_a_wait(n: int) -> list[int]:
    _mine.set(n)
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)
    return [n, _mine.get()]


@job
async def cancels_itself(n: int) -> int:
    task = asyncio.current_task()
    if n == 1 and task is not None:
        task.cancel()
    return n


@job
async def now_and_then(n: int) -> int:
    async with asyncio.timeout(60):
        if n % 3 == 0:
            await asyncio.sleep(0.001)
    return n


@job(timeout=0.2)
async def some_wait_too_long(n: int) -> int:
    if n == 1:
        await asyncio.sleep(3600)
    return n


def divide(n: int) -> float:
    return 1 / n


@job
async def fails_elsewhere() -> float:
    return await asyncio.to_thread(divide, 0)


def test_handlers_that_share_a_task_share_nothing_else(pool: Pool) -> None:
    assert leaves_a_mark.map(range(1, 50)).results(PATIENCE) == [0] * 49
    assert mark_after_a_wait.map(range(1, 50)).results(PATIENCE) == [[n, n] for n in range(1, 50)]
    assert leaves_a_mark.submit(3).result(PATIENCE) == 0


def test_one_that_cancels_its_own_task_is_nothing_to_the_others(pool: Pool) -> None:
    assert cancels_itself.map(range(40)).results(PATIENCE) == list(range(40))


def test_some_wait_and_some_do_not(pool: Pool) -> None:
    assert now_and_then.map(range(300)).results(PATIENCE) == list(range(300))


def test_the_timeout_of_one_that_waits_ends_it_alone(pool: Pool) -> None:
    batch = some_wait_too_long.map(range(40))
    executions = list(batch)
    assert [e.result(PATIENCE) for e in executions if e is not executions[1]] == [0, *range(2, 40)]
    with pytest.raises(currant.ExecutionFailed, match="0.2"):
        executions[1].result(PATIENCE)


def test_a_traceback_has_the_handlers_frames_alone(pool: Pool) -> None:
    with pytest.raises(currant.ExecutionFailed) as caught:
        fails_elsewhere.submit().result(PATIENCE)
    assert "currant_lab" not in caught.value.traceback
    assert "in fails_elsewhere" in caught.value.traceback
    assert "in divide" in caught.value.traceback
