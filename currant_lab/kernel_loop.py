"""The kernel's own loop as the place of async handlers: what `start(loop="kernel")` needs.

A cell runs on that loop. While it waits in plain code for a handler that runs there too, neither can go on: so such a
wait, and nothing else, runs the loop from within, by nest-asyncio2. Its `apply()` patches the class of the loop it is
given and replaces names of asyncio for the whole process. Here the loop gets a class of its own to be patched, which
it has for the length of the wait only, and the names are put back: no other loop, task or future changes.

Measured on 2 busy cores, Python 3.11: nothing while no cell waits in plain code; 0.4 ms for such a wait; while the loop
is run from within it switches tasks at three quarters of its pace (67,000 a second instead of 91,000).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib.util
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, TypeVar

from currant_lab.context import running
from currant_lab.errors import CurrantError
from currant_lab.loop import wait

__all__ = ["KernelLoop", "hold", "kernel_loop"]

T = TypeVar("T")

_INSTALL = (
    "this cell runs on the loop that the handlers run on, and would wait for ever: "
    "`await` it, or pip install 'currant-lab[kernel-loop]'"
)


_TICK_S = 0.1
"""A SIGINT that comes just before the selector sleeps does not wake it, and its handler would run at the next event."""

_PATCHED = "_nest_patched"
"""What both, nest_asyncio and its continuation, give to a loop."""


class KernelLoop:
    """The loop that a pool of this process runs its async handlers on, if that is not the pool's own.

    Attributes:
        loop: it, or None while there is no such pool.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._nested: type[asyncio.AbstractEventLoop] | None = None  # the class it has while it is run from within

    def begin(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Async handlers run on `loop` from now on; None: on the pool's own again."""
        if loop is not self.loop:
            self.loop, self._nested = loop, None

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on it, so that a plain wait for a handler would never end."""
        return self.loop is not None and asyncio._get_running_loop() is self.loop

    @property
    def is_handler(self) -> bool:
        """Whether the caller is a handler on it: its plain wait would hold up the cell's."""
        return self.is_here and running() is not None

    @property
    def can_nest(self) -> bool:
        """Whether a cell can wait for handlers in plain code, as far as what is installed goes."""
        return hasattr(self.loop, _PATCHED) or importlib.util.find_spec("nest_asyncio2") is not None

    def check(self) -> None:
        """Raise what is missing for a wait here.

        Raises:
            CurrantError: the extra is not installed, or this kind of loop can't.
        """
        if self.is_here and self.loop is not None:
            with _Stop(self.loop).taken():
                self._prepare()

    def _prepare(self) -> None:
        """Make sure that the loop can be run from within; raises as `check`."""
        loop = self.loop
        if self._nested is not None or loop is None or hasattr(loop, _PATCHED):
            return  # done, or somebody's own nest_asyncio.apply() has done it
        if not self.can_nest:
            raise CurrantError(_INSTALL)
        import nest_asyncio2

        plain = type(loop)
        try:
            loop.__class__ = type(f"Nested{plain.__name__}", (plain,), {})
        except TypeError:
            raise CurrantError(f"a cell can't wait for handlers on a loop of {plain.__module__}: `await` it") from None
        try:
            with _as_they_are(*_patched()):
                nest_asyncio2.apply(loop)
            self._nested = type(loop)
        finally:
            loop.__class__ = plain

    def wait(self, future: concurrent.futures.Future[T], timeout: float | None) -> T:
        """The result of `future`, while the loop that the caller blocks goes on.

        Raises:
            CurrantError: see `check`.
            TimeoutError: not done after `timeout` seconds.
            KeyboardInterrupt: on the first interrupt, as soon as the handlers let the loop go on; on a second one at
                once, in whatever handler is in its way.
            CancelledError: the cell's task was cancelled, as by `asyncio.timeout`.
        """
        loop = self.loop
        assert loop is not None  # noqa: S101 - the caller is on it
        stop = _Stop(loop)
        with stop.taken():
            self._prepare()
            with self._running_from_within(loop):
                loop.run_until_complete(_first(future, stop.wish, timeout))
        if future.done():
            return future.result()
        raise TimeoutError(f"not done after {timeout:g} s")

    @contextlib.contextmanager
    def _running_from_within(self, loop: Any) -> Iterator[None]:
        plain, nested = type(loop), self._nested
        if nested is None or plain is nested:
            yield
            return
        # asyncio's own loop counts what is ready before it runs it. The calls that are run from within are missing
        # then: as many are put in their place.
        counted = len(loop._ready)
        loop.__class__ = nested
        try:
            yield
        finally:
            loop.__class__ = plain
            while len(loop._ready) < counted:
                loop.call_soon(_nothing)


def hold(future: concurrent.futures.Future[T], timeout: float | None = None) -> T:
    """The result of `future`, which handlers may have to bring about, waited for in a thread or a cell. Ending the
    wait never touches the future.

    Raises:
        TimeoutError: not done after `timeout` seconds.
        CurrantError: called on the loop of the handlers, and the extra `kernel-loop` is not installed.
    """
    if not future.done() and kernel_loop.is_here:
        return kernel_loop.wait(future, timeout)
    with _raising_interrupts():
        return wait(future, timeout)


async def _first(future: concurrent.futures.Future[Any], wish: asyncio.Future[None], timeout: float | None) -> None:
    """Until the future is done, there is the wish to stop, or the time is over. The futures stay as they are."""
    either = {asyncio.wrap_future(future), wish}
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        rest = deadline - time.monotonic()
        done, _ = await asyncio.wait(either, timeout=min(rest, _TICK_S), return_when=asyncio.FIRST_COMPLETED)
        if done or rest <= _TICK_S:
            return


class _Stop:
    """Takes what would stop a cell while the loop is run from within: SIGINT, which would end the handler that happens
    to run; and the cancellation of the cell's task (by `asyncio.timeout`, or by ipykernel for a SIGINT that came before
    the wait), which would reach it only after its end, and then ipykernel never answers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.error: BaseException | None = None
        self.wish: asyncio.Future[None] = loop.create_future()
        self._loop = loop

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """A first SIGINT ends the wait; a second one what is in its way."""
        if self.error is not None:
            raise KeyboardInterrupt
        self.error = KeyboardInterrupt()
        self._loop.call_soon_threadsafe(self._end)

    def cancel(self, msg: object = None) -> bool:
        """In place of the cell's task's."""
        self.error = self.error or asyncio.CancelledError()
        self._end()
        return True

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Take them for the length of a block, which may leave early then, and raise what has come after it."""
        cell = asyncio.current_task(self._loop)
        with _sigint(self.on_signal):
            if cell is not None:
                cell.cancel = self.cancel  # type: ignore[method-assign]
            try:
                yield
            finally:
                if cell is not None:
                    del cell.cancel
        if self.error is not None:
            raise self.error

    def _end(self) -> None:
        if not self.wish.done():
            self.wish.set_result(None)


@contextlib.contextmanager
def _raising_interrupts() -> Iterator[None]:
    """In a cell that uses `await` ipykernel cancels the cell's task at its next await: never, while it waits here."""
    if threading.current_thread() is threading.main_thread() and "ipykernel" in sys.modules:
        present = signal.getsignal(signal.SIGINT)
        if str(getattr(present, "__module__", "")).startswith("ipykernel."):
            with _sigint(signal.default_int_handler):
                yield
            return
    yield


@contextlib.contextmanager
def _sigint(handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _patched() -> list[Any]:
    """Where nest-asyncio2 replaces names besides the loop's class."""
    policy = [] if sys.version_info >= (3, 14) else [type(asyncio.get_event_loop_policy())]
    modules = ("asyncio", "asyncio.events", "asyncio.tasks", "asyncio.futures", "tornado.concurrent")
    return [*policy, *(sys.modules[name] for name in modules if name in sys.modules)]


@contextlib.contextmanager
def _as_they_are(*places: Any) -> Iterator[None]:
    """Put back the names of modules and classes."""
    before = [dict(vars(place)) for place in places]
    try:
        yield
    finally:
        for place, names in zip(places, before, strict=True):
            for name in vars(place).keys() - names.keys():
                delattr(place, name)
            for name, value in names.items():
                if vars(place).get(name) is not value:
                    setattr(place, name, value)


def _nothing() -> None:
    """What is run in place of a call that has been made."""


kernel_loop = KernelLoop()
"""That of this process."""
