"""The "currant" thread: one asyncio loop of its own, beside whatever loop the notebook or script has.

A loop in the kernel's own thread stands still while a cell computes; one in a thread of its own goes on
(measured: 0 against 36 beats of a 50 ms heartbeat in a 2 s CPU-bound cell).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import os
import select
import selectors
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from currant_lab.errors import CurrantError

__all__ = ["BackgroundLoop", "background", "wait"]

T = TypeVar("T")

_log = logging.getLogger("currant")

_SHORT_S = 0.02
"""Of longer waits a millisecond is nothing."""
_FD_SETSIZE = 1024
"""`select` takes no descriptor from here on."""

_WAIT_SLICE_S = 0.5
"""Waits in slices, so that an interrupt is seen even where the platform's lock waits ignore it."""


class _Loop(asyncio.SelectorEventLoop):
    """A private class whose core methods are asyncio's own: `nest_asyncio.apply()` patches loop classes in
    place, and would switch this loop's code while it runs."""

    run_forever = asyncio.BaseEventLoop.run_forever
    run_until_complete = asyncio.BaseEventLoop.run_until_complete
    _run_once = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined]
    _check_running = asyncio.BaseEventLoop._check_running  # type: ignore[attr-defined]


if hasattr(selectors, "EpollSelector"):

    class _FineSelector(selectors.EpollSelector):
        """Epoll whose short waits end when they should. Its own end at the next whole millisecond, so timers of that
        length fire late and all at once: 64 workers with handlers of 1 ms ended 10 to 20 % fewer of them."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is not None and 0 < timeout < _SHORT_S and self.fileno() < _FD_SETSIZE:
                select.select((self,), (), (), timeout)
                timeout = 0
            return super().select(timeout)

else:
    _FineSelector = selectors.DefaultSelector  # type: ignore[misc, assignment]


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop as `CURRANT_LOOP` says: asyncio's own, or uvloop's, of the extra of that name.

    Raises:
        CurrantError: it says something else, or uvloop isn't there.
    """
    choice = os.environ.get("CURRANT_LOOP") or "asyncio"
    if choice == "asyncio":
        return _Loop(_FineSelector())
    if choice != "uvloop":
        raise CurrantError(f"CURRANT_LOOP is asyncio or uvloop, not {choice!r}")
    try:
        import uvloop
    except ImportError as error:
        raise CurrantError("CURRANT_LOOP=uvloop needs the extra: pip install 'currant-lab[uvloop]'") from error
    return uvloop.new_event_loop()


class BackgroundLoop:
    """A loop in a daemon thread, started at first use; a forked child starts its own."""

    def __init__(self, name: str = "currant") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        with self._lock:
            if self._loop is None or self._pid != os.getpid() or self._loop.is_closed():
                self._start()
            assert self._loop is not None  # noqa: S101 - _start has set it
            return self._loop

    @property
    def is_current(self) -> bool:
        """Whether the caller is on this loop's thread, where a blocking wait would never end."""
        return self._thread is not None and threading.get_ident() == self._thread.ident and self._pid == os.getpid()

    def after_fork(self) -> None:
        """In a forked child: the parent's lock may be held for ever."""
        self._lock = threading.Lock()

    def _start(self) -> None:
        ready = threading.Event()
        loop = _new_loop()

        def run() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            _run_whatever_happens(loop)

        # An empty context: the loop must not inherit the output of the cell that happened to start it.
        self._thread = threading.Thread(target=contextvars.Context().run, args=(run,), name=self._name, daemon=True)
        self._loop, self._pid = loop, os.getpid()
        self._thread.start()
        ready.wait()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the loop; returns at once. Works from any thread, the loop's own included."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the loop and wait for it, from another thread.

        Raises:
            CurrantError: called on the loop's own thread, where it could never end.
            TimeoutError: it took longer than `timeout` seconds; it is cancelled.
        """
        if self.is_current:
            coroutine.close()
            raise CurrantError("this would block the pool's own loop for ever: use the `await` form here")
        future = self.submit(coroutine)
        try:
            return wait(future, timeout)
        except BaseException:
            future.cancel()
            raise

    def call_soon(self, function: Callable[..., object], *args: object) -> None:
        """Call `function` on the loop, soon, from any thread."""
        self.loop.call_soon_threadsafe(function, *args)


def _run_whatever_happens(loop: asyncio.AbstractEventLoop) -> None:
    """Run until the loop is stopped. A SystemExit in any task ends `run_forever`: the task has it as its exception
    already, and the others go on."""
    while True:
        try:
            return loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as error:
            _log.debug("a task on the background loop raised %s", type(error).__name__)


def wait(future: concurrent.futures.Future[T], timeout: float | None = None) -> T:
    """The result of `future`, waited for in slices. Stopping the wait does not touch the future.

    Raises:
        TimeoutError: not done after `timeout` seconds.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        slice_s = _WAIT_SLICE_S if deadline is None else min(_WAIT_SLICE_S, max(deadline - time.monotonic(), 0.0))
        try:
            return future.result(slice_s)
        except TimeoutError:
            if future.done():
                raise
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"not done after {timeout:g} s") from None


background = BackgroundLoop()
"""The loop of this process: the client, and the pool when one is started, live on it."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=background.after_fork)
