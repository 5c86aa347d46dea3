"""Threads for plain handlers: daemons, since the standard executor would keep the interpreter from ending
until the last handler returns, and interruptible, so that a timeout and a cancel reach plain code too."""

from __future__ import annotations

import asyncio
import ctypes
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

__all__ = ["DaemonThreads", "HandlerInterrupted", "ThreadCall", "in_thread"]

T = TypeVar("T")

_IDLE_S = 30.0
"""A thread that has had nothing to do for this long ends."""

MAX_THREADS = 1_000
"""Handlers that ignore their interruption keep their thread; this many in all, then calls wait for one."""


class HandlerInterrupted(BaseException):
    """Raised inside a plain handler whose execution was cancelled, timed out or lost its claim."""


class ThreadCall:
    """One call of a plain function that another thread may interrupt between two of its bytecodes."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._interrupted = False

    def __call__(self) -> Any:
        with self._lock:
            if self._interrupted:
                raise HandlerInterrupted
            self._thread = threading.get_ident()
        try:
            return self._function()
        finally:
            self._leave()

    def _leave(self) -> None:
        """Close the door, and call back an interruption that is still on its way."""
        while True:
            try:
                with self._lock:
                    self._thread = None
                _interrupt(threading.get_ident(), None)
                return
            except HandlerInterrupted:  # it arrived in here: once more, the door may still be open
                continue

    def interrupt(self) -> None:
        """Raise `HandlerInterrupted` in the handler, once; a blocking C call ends first."""
        with self._lock:
            if self._interrupted:
                return
            if self._thread is not None:
                _interrupt(self._thread, HandlerInterrupted)
            self._interrupted = True


def _interrupt(thread: int, error: type[BaseException] | None) -> None:
    """Let `error` be raised in a thread, at the next check of its interpreter's flags; None calls it back."""
    raised = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


class DaemonThreads(Executor):
    """An executor whose threads are made when needed, end when idle, and never hold the interpreter back."""

    def __init__(self, name: str = "currant-worker", limit: int = MAX_THREADS) -> None:
        self._name = name
        self._limit = limit
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._threads: set[threading.Thread] = set()
        self._made = 0
        self._closed = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call `fn` in a thread."""
        future: Future[T] = Future()
        call = (lambda: fn(*args, **kwargs)) if args or kwargs else fn
        with self._lock:
            if self._closed:
                raise RuntimeError("these threads have been shut down")
            self._calls.put((future, call))
            if self._idle > 0:
                self._idle -= 1
            elif len(self._threads) < self._limit:
                self._made += 1
                thread = threading.Thread(target=self._work, name=f"{self._name}-{self._made}", daemon=True)
                self._threads.add(thread)
                thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end after the calls they have."""
        with self._lock:
            self._closed = True
            threads = list(self._threads)
        for _ in threads:
            self._calls.put(None)
        if wait:
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                future, call = item
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    result = call()
                except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its outcome
                    future.set_exception(error)
                else:
                    future.set_result(result)
                del future, call, item
                with self._lock:
                    self._idle += 1
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        while True:
            try:
                return self._calls.get(timeout=_IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._idle > 0:  # not promised to a call that is just being put
                        self._idle -= 1
                        return None


_blocking = DaemonThreads("currant-blocking")


def _begin_anew() -> None:
    """A forked child has none of its parent's threads."""
    global _blocking
    _blocking = DaemonThreads("currant-blocking")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """`function(*args)` in a thread, waited for on this loop. Unlike `asyncio.to_thread` it works while the
    interpreter ends, when a pool still has to say goodbye."""
    return await asyncio.wrap_future(_blocking.submit(function, *args))
