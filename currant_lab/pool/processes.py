"""Processes for plain handlers. Each is a loky executor of its own, with one worker: one that dies takes its own
call with it and no other, and one whose handler is to end can be killed."""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from currant_lab.pool.remote import begin_process

__all__ = ["Processes"]

T = TypeVar("T")

_EXIT_DRAIN_S = 0.3
"""How long calls may still run when the interpreter ends."""


class Processes(Executor):
    """As many processes as there are calls at once; they are made when needed and kept.

    Attributes:
        is_ending: the processes are being killed: what their calls come back with says nothing about the calls.
    """

    def __init__(self) -> None:
        self.is_ending = False
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._busy: dict[Future[Any], Any] = {}
        self._has_exit = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call `fn` in a process that has nothing to do, or in a new one."""
        with self._lock:
            if self.is_ending:
                raise RuntimeError("these processes have been shut down")
            lane = self._idle.pop() if self._idle else None
        if lane is None:
            # loky rather than the standard library: functions from cells work, and no fork of this process.
            from loky import ProcessPoolExecutor

            lane = ProcessPoolExecutor(max_workers=1, initializer=begin_process, initargs=(os.getpid(),))
        future: Future[T] = lane.submit(fn, *args, **kwargs)
        with self._lock:
            self._busy[future] = lane
            is_late = self.is_ending
            self._end_first()
        if is_late:  # shut down meanwhile
            self.kill(future)
        future.add_done_callback(self._done)
        return future

    def kill(self, future: Future[Any]) -> None:
        """End the process that runs this call, if one still does."""
        with self._lock:
            lane = self._busy.pop(future, None)
        if lane is not None:
            lane.shutdown(wait=False, kill_workers=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Kill all processes, those that work too."""
        with self._lock:
            self.is_ending = True
            lanes = [*self._idle, *self._busy.values()]
            self._idle.clear()
            self._busy.clear()
        for lane in lanes:
            lane.shutdown(wait=False, kill_workers=True)
        if wait:
            for lane in lanes:
                lane.shutdown(wait=True)

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            lane = self._busy.pop(future, None)
            is_whole = future.cancelled() or not isinstance(future.exception(), concurrent.futures.BrokenExecutor)
            if lane is not None and is_whole and not self.is_ending:
                self._idle.append(lane)
                return
        if lane is not None:
            lane.shutdown(wait=False, kill_workers=True)

    def _end_first(self) -> None:
        """At exit loky waits for all calls, however long they take: be asked before it is."""
        if not self._has_exit:
            self._has_exit = True
            threading._register_atexit(self._at_exit)  # type: ignore[attr-defined]

    def _at_exit(self) -> None:
        with self._lock:
            busy = list(self._busy)
        if busy:
            concurrent.futures.wait(busy, _EXIT_DRAIN_S)
        self.shutdown(wait=False)
