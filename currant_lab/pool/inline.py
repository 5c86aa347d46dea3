"""Async handlers on the pool's loop: those that end without waiting run in a row, the others as tasks of their own."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from types import CoroutineType, coroutine
from typing import Any

from currant_lab.context import running_variable
from currant_lab.jobs import JobSpec, Policy
from currant_lab.outcomes import Outcome
from currant_lab.pool.attempt import Attempt
from currant_lab.pool.capture import current_log
from currant_lab.pool.engine import Claimed

__all__ = ["InlineAttempt", "run_soon", "without_this_frame"]


class InlineAttempt(Attempt):
    """An async handler, on the pool's loop: see `_run`."""

    __slots__ = ("coroutine", "result", "task", "that_wait", "yielded")

    def __init__(
        self,
        claimed: Claimed,
        spec: JobSpec,
        policy: Policy,
        done: Callable[[Attempt, Outcome | None], None],
        that_wait: set[str],
    ) -> None:
        super().__init__(claimed, spec, policy, done)
        self.that_wait = that_wait
        self.task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        run_soon(loop, deque((self,)), self.that_wait)

    def interrupt(self) -> None:
        if self.task is not None:  # else it has not begun, and will not
            self.task.cancel()

    def step(self) -> bool:
        """The handler up to where it first waits, in its context; whether it has ended: then `result` is there."""
        running_variable.set(self.running)
        current_log.set(self.log)
        args, kwargs = self.arguments()
        coroutine = self.spec.function(*args, **kwargs)
        if type(coroutine) is not CoroutineType:
            coroutine = _awaiting(coroutine)
        try:
            self.yielded = coroutine.send(None)
        except StopIteration as end:
            self.result = end.value
            return True
        self.coroutine = coroutine
        return False


async def _run(loop: asyncio.AbstractEventLoop, waiting: deque[InlineAttempt], that_wait: set[str]) -> None:
    """Run handlers one after the other in this one task as long as they end without waiting, for a task of its own
    would cost each of them 5 us. One that does wait has the task to itself from then on: the others go on in another.

    Args:
        loop: the running one.
        waiting: what to run.
        that_wait: the names of jobs whose handlers have waited, kept here. These are better started at once, each
            in a task: here one after the other would begin only at the loop's next turn.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this runs as one
    while waiting:
        attempt = waiting.popleft()
        outcome: Outcome | None
        try:
            if attempt.ended_by is not None:
                raise asyncio.CancelledError
            attempt.task = task
            attempt.start_limit(loop)
            attempt.started_ns = time.perf_counter_ns()
            context = contextvars.Context()
            if context.run(attempt.step):
                that_wait.discard(attempt.running.job)
            else:
                that_wait.add(attempt.running.job)
                if waiting:
                    run_soon(loop, waiting, that_wait)
                    waiting = deque()
                attempt.result = await _rest(context, attempt.coroutine, attempt.yielded)
            outcome = attempt.succeeded(attempt.result)
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its outcome
            outcome = attempt.failed(error, own_frames=2)
        attempt.finish(outcome)
        if waiting and task.cancelling():  # the handler has cancelled itself: that is nothing to the others
            run_soon(loop, waiting, that_wait)
            return


def run_soon(loop: asyncio.AbstractEventLoop, waiting: deque[InlineAttempt], that_wait: set[str]) -> None:
    """Begin to run handlers at the loop's next turn: see `_run`."""
    loop.create_task(_run(loop, waiting, that_wait), context=contextvars.Context())


@coroutine
def _rest(context: contextvars.Context, handler: Coroutine[Any, Any, Any], yielded: Any) -> Generator[Any, Any, Any]:
    """The rest of a handler that waits for `yielded`, step by step in its own context."""
    while True:
        try:
            sent = yield yielded
        except BaseException as error:  # noqa: BLE001 - a cancellation, mostly: it is the handler's
            step: Callable[[Any], Any] = handler.throw
            value: Any = without_this_frame(error)
        else:
            step, value = handler.send, sent
        try:
            yielded = context.run(step, value)
        except StopIteration as end:
            return end.value


def without_this_frame(error: BaseException) -> BaseException:
    """An error that was thrown in where it has just been caught, to be thrown on: the frame between says nothing."""
    trace = error.__traceback__
    return error if trace is None else error.with_traceback(trace.tb_next)


async def _awaiting(awaitable: Any) -> Any:
    """As a coroutine, whatever can be awaited."""
    return await awaitable
