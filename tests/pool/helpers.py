"""What the tests of the pool share: handlers that do as they are told, and waits with an end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.pool.pool import Pool

PATIENCE = 60.0
"""Seconds that a test waits for a signal before it gives up."""

KINDS = pytest.mark.parametrize("kind", ["async", "plain"])


class Signals:
    """What a handler and its test tell each other."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self.seen: list[Any] = []


@job
async def double(x: int) -> int:
    return 2 * x


@job
def double_plainly(x: int) -> int:
    return 2 * x


def works(pool: Pool) -> None:
    """The pool still works, on its loop and in its threads."""
    assert pool.is_running
    assert double.submit(2).result(PATIENCE) == 4
    assert double_plainly.submit(2).result(PATIENCE) == 4


def failure(execution: currant.Execution) -> currant.ExecutionFailed:
    with pytest.raises(currant.ExecutionFailed) as caught:
        execution.result(PATIENCE)
    return caught.value


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so that nothing signals."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.005)


async def forever(signals: Signals) -> None:
    try:
        signals.started.set()
        await asyncio.Event().wait()
    finally:
        signals.ended.set()


def busily_forever(signals: Signals) -> None:
    try:
        signals.started.set()
        while not signals.go_on.wait(0.005):
            pass
    finally:
        signals.ended.set()


def endless(signals: Signals, kind: str, **options: Any) -> Any:
    """A job whose handler runs until it is ended."""

    @job(name=f"endless {kind}", **options)
    async def on_loop() -> None:
        await forever(signals)

    @job(name=f"endless {kind}", **options)
    def plain() -> None:
        busily_forever(signals)

    chosen = on_loop if kind == "async" else plain
    return job(name=f"endless {kind}", **options)(chosen.spec.function)


def until_told(signals: Signals, kind: str) -> Any:
    """A job whose handler returns "done" when it may go on."""

    @job(name=f"until told {kind}")
    async def on_loop() -> str:
        signals.started.set()
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)
        return "done"

    @job(name=f"until told {kind}")
    def plain() -> str:
        signals.started.set()
        assert signals.go_on.wait(PATIENCE)
        return "done"

    chosen = on_loop if kind == "async" else plain
    return job(name=f"until told {kind}")(chosen.spec.function)
