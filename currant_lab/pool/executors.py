"""Where plain handlers run: threads of this process, processes beside it, or anybody's executor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, Literal

from currant_lab.errors import InvalidArguments
from currant_lab.pool.remote import ShippedCall, call_shipped, leave_interrupts
from currant_lab.pool.threads import DaemonThreads

__all__ = ["ExecutorChoice", "HandlerExecutor"]

ExecutorChoice = Literal["thread", "process"] | Executor


class HandlerExecutor:
    """The executor of a pool's plain handlers.

    Attributes:
        threads: our own threads, where handlers run with the execution's context; None for another executor.
        label: what to call it.
    """

    def __init__(self, choice: ExecutorChoice, workers: int) -> None:
        self.threads: DaemonThreads | None = None
        self.label = choice if isinstance(choice, str) else type(choice).__name__
        self._foreign: Executor | None = None
        self._own_processes = False
        self._workers = workers
        if choice == "thread":
            self.threads = DaemonThreads()
        elif choice == "process":
            self._own_processes = True
        elif isinstance(choice, Executor) or callable(getattr(choice, "submit", None)):
            self._foreign = choice
        else:
            raise InvalidArguments(f'executor is "thread", "process" or a concurrent.futures.Executor, not {choice!r}')

    @property
    def captures_remotely(self) -> bool:
        """Whether a call comes back as a `ShippedResult`, with what it printed."""
        return self._own_processes or isinstance(self._foreign, ProcessPoolExecutor)

    def submit(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Future[Any]:
        """Call `function` in another process or wherever the executor sends it."""
        if self.captures_remotely:
            return self._executor().submit(call_shipped, ShippedCall.of(function, args, kwargs))
        return self._executor().submit(function, *args, **kwargs)

    def shutdown(self) -> None:
        """End what this made itself; somebody else's executor is left alone."""
        if self.threads is not None:
            self.threads.shutdown(wait=False)
        if self._own_processes and self._foreign is not None:
            self._foreign.shutdown(wait=False, **_kill(self._foreign))
            self._foreign = None

    def _executor(self) -> Executor:
        if self._foreign is None:
            # loky: functions from cells work, and a worker that dies doesn't hang the rest.
            from loky import ProcessPoolExecutor as LokyExecutor

            self._foreign = LokyExecutor(max_workers=self._workers, initializer=leave_interrupts)
        elif self._own_processes and getattr(self._foreign, "_flags", None) and self._foreign._flags.broken:  # type: ignore[attr-defined]
            self._foreign = None  # a handler took its process down: the next call gets new ones
            return self._executor()
        return self._foreign


def _kill(executor: Executor) -> dict[str, bool]:
    parameters = inspect.signature(executor.shutdown).parameters
    return {"kill_workers": True} if "kill_workers" in parameters else {}
