"""Where plain handlers run: threads of this process, processes beside it, or anybody's executor."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, Literal

from currant_lab.context import Running, running_variable
from currant_lab.errors import InvalidArguments
from currant_lab.pool.capture import Log, current_log
from currant_lab.pool.processes import Processes
from currant_lab.pool.remote import ShippedCall, call_shipped
from currant_lab.pool.threads import DaemonThreads

__all__ = ["ExecutorChoice", "HandlerExecutor"]

ExecutorChoice = Literal["thread", "process"] | Executor


class HandlerExecutor:
    """The executor of a pool's plain handlers.

    Attributes:
        threads: our own threads, where handlers run with the execution's context; None for another executor.
        label: what to call it.
    """

    def __init__(self, choice: ExecutorChoice) -> None:
        self.threads: DaemonThreads | None = None
        self.label = choice if isinstance(choice, str) else type(choice).__name__
        self._processes: Processes | None = None
        self._one_at_a_time = threading.Lock()  # ipyparallel's, for one, is not made for several threads
        self._foreign: Executor
        if choice == "thread":
            self.threads = self._foreign = DaemonThreads()
        elif choice == "process":
            self._processes = self._foreign = Processes()
        elif isinstance(choice, Executor) or callable(getattr(choice, "submit", None)):
            self._foreign = choice  # what behaves like one will do
        else:
            raise InvalidArguments(f'executor is "thread", "process" or a concurrent.futures.Executor, not {choice!r}')

    @property
    def is_ending(self) -> bool:
        """Whether handlers end because their processes are killed with this one."""
        return self._processes is not None and self._processes.is_ending

    def submit(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], running: Running, log: Log
    ) -> Future[Any]:
        """Call `function` in another process or wherever the executor sends it. Where that is a process of this
        machine the call comes back as a `ShippedResult`."""
        if isinstance(self._foreign, Processes | ProcessPoolExecutor):
            return self._foreign.submit(call_shipped, ShippedCall.of(function, args, kwargs, running))
        if isinstance(self._foreign, ThreadPoolExecutor):
            context = contextvars.Context()
            context.run(running_variable.set, running)
            context.run(current_log.set, log)
            return self._foreign.submit(context.run, function, *args, **kwargs)
        with self._one_at_a_time:
            return self._foreign.submit(function, *args, **kwargs)

    def end(self, future: Future[Any]) -> None:
        """End a call as far as its executor lets us: what runs in a process of ours is killed."""
        if not future.cancel() and self._processes is not None:
            self._processes.kill(future)

    def shutdown(self) -> None:
        """End what this made itself; somebody else's executor is left alone."""
        if self.threads is not None:
            self.threads.shutdown(wait=False)
        if self._processes is not None:
            self._processes.shutdown(wait=False)
