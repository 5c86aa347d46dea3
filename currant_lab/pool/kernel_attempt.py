"""An attempt whose handler runs on the kernel's loop, among the cells."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable

from currant_lab.context import running_variable
from currant_lab.jobs import JobSpec, Policy
from currant_lab.outcomes import Outcome
from currant_lab.pool.attempt import Attempt
from currant_lab.pool.capture import current_log
from currant_lab.pool.engine import Claimed

__all__ = ["KernelAttempt"]


class KernelAttempt(Attempt):
    """An async handler, as a task of the kernel's loop. The pool's has the clock of its timeout, which starts when
    the handler does: a cell that computes may keep it waiting long."""

    __slots__ = ("finished", "home", "task")

    def __init__(
        self,
        claimed: Claimed,
        spec: JobSpec,
        policy: Policy,
        done: Callable[[Attempt, Outcome | None], None],
        home: asyncio.AbstractEventLoop,
        finished: Callable[[Attempt, Outcome | None], None],
    ) -> None:
        super().__init__(claimed, spec, policy, done)
        self.home = home
        self.finished = finished  # takes the outcome from the kernel's loop to the pool's

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.home.call_soon_threadsafe(self._begin, loop, context=contextvars.Context())

    def interrupt(self) -> None:
        if not self.home.is_closed():
            self.home.call_soon_threadsafe(self._cancel)

    def give_up(self) -> None:
        """Not here: it may only be waiting for a cell that computes."""

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.ended_by is not None:
            self.finished(self, self.failed(asyncio.CancelledError()))
            return
        self.started_ns = time.perf_counter_ns()
        self.task = self.home.create_task(self._run(), context=contextvars.Context())
        loop.call_soon_threadsafe(self.start_limit, loop)

    async def _run(self) -> None:
        running_variable.set(self.running)
        current_log.set(self.log)
        outcome: Outcome | None
        try:
            args, kwargs = self.arguments()
            outcome = self.succeeded(await self.spec.function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its outcome
            outcome = self.failed(error)
        self.finished(self, outcome)

    def _cancel(self) -> None:
        if self.ended_by is not None and hasattr(self, "task"):
            self.task.cancel()
