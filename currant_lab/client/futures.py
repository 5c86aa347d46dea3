"""Waiting for the background loop: in steps from a thread; from that loop itself, or from any other loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from currant_lab.loop import background

__all__ = ["Steps", "arun_steps", "call", "run_steps", "watch"]

T = TypeVar("T")

_TICK_S = 0.1
"""How often a wait on a kernel's own loop wakes up: an interrupt does not wake an idle selector, so a bare await
of a future would see Ctrl-C only at its end."""

Steps = Generator[Coroutine[Any, Any, Any], Any, T]
"""Work in steps: coroutines for the background loop, whose results come back. One description, driven from a thread
by `run_steps` and from a loop by `arun_steps`."""


async def watch(future: concurrent.futures.Future[T], seconds: float | None = None) -> T:
    """The result of `future`, awaited on whatever loop is running. Ending the wait never cancels the future.

    Raises:
        TimeoutError: not done after so many `seconds`.
    """
    wrapped = asyncio.wrap_future(future)
    deadline = None if seconds is None else time.monotonic() + seconds
    tick = None if background.is_current else _TICK_S
    while not wrapped.done():
        rest = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        await asyncio.wait({wrapped}, timeout=min(_numbers(tick, rest), default=None))
        if rest == 0.0 and not wrapped.done():
            raise TimeoutError(f"not done after {seconds:g} s")
    return wrapped.result()


def _numbers(*values: float | None) -> list[float]:
    """Those that are numbers."""
    return [value for value in values if value is not None]


async def call(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the background loop, awaited on whatever loop is running."""
    if background.is_current:
        return await coroutine
    return await watch(background.submit(coroutine))


def run_steps(steps: Steps[T]) -> T:
    """Do the work of `steps` from a thread.

    Raises:
        CurrantError: called on the background loop's own thread.
    """
    try:
        step = next(steps)
        while True:
            try:
                value = background.run(step)
            except BaseException as error:  # noqa: BLE001 - an interrupt too: the steps clean up
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as end:
        result: T = end.value
        return result


async def arun_steps(steps: Steps[T]) -> T:
    """Do the work of `steps` from a loop."""
    try:
        step = next(steps)
        while True:
            try:
                value = await call(step)
            except BaseException as error:  # noqa: BLE001 - a cancellation too: the steps clean up
                step = steps.throw(error)
            else:
                step = steps.send(value)
    except StopIteration as end:
        result: T = end.value
        return result
