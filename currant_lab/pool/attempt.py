"""One attempt at an execution: from the claimed row to its outcome, on the loop, in a thread, or elsewhere."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import CoroutineType
from typing import Any, Final
from uuid import UUID

from currant_lab import values
from currant_lab.context import PutAway, Running, running_variable
from currant_lab.errors import ExecutionCancelled, NotStorable
from currant_lab.jobs import JobSpec, Policy
from currant_lab.outcomes import ErrorInfo, Outcome
from currant_lab.pool.capture import Log, current_log
from currant_lab.pool.describe import describe, message_of
from currant_lab.pool.echo import echoes
from currant_lab.pool.engine import Claimed
from currant_lab.pool.executors import HandlerExecutor
from currant_lab.pool.remote import COROUTINE, ShippedResult
from currant_lab.pool.threads import DaemonThreads, HandlerInterrupted, ThreadCall, in_thread
from currant_lab.pool.verdict import Verdict, of_error, timed_out
from currant_lab.ties import reader

__all__ = ["Attempt", "ForeignAttempt", "ThreadAttempt"]

AWAY: Final = "away"
CANCEL: Final = "cancel"
LOST: Final = "lost"
STOP: Final = "stop"
TIMEOUT: Final = "timeout"
"""Why a handler was ended. `lost`, `stop` and `away` leave no outcome: the claim is another's, or is given back."""


GIVE_UP_S = 10.0
"""A handler that has been told to end and goes on has its worker for so long; then the worker goes on without it."""

_log = logging.getLogger("currant")


class Attempt:
    """What every attempt has. A subclass says where the handler runs.

    Fields are written on the pool's loop, except `log`, which the handler writes.
    """

    __slots__ = (
        "args", "claimed", "done", "ended_by", "limit", "log", "open_steps", "payload_limit", "policy", "results",
        "running", "spec", "started_ns",
    )  # fmt: skip

    def __init__(
        self, claimed: Claimed, spec: JobSpec, policy: Policy, done: Callable[[Attempt, Outcome | None], None]
    ) -> None:
        self.claimed = claimed
        self.args = claimed.args
        self.spec = spec
        self.policy = policy
        self.done = done
        self.running = Running(claimed.id, claimed.job, claimed.queue, claimed.attempt, claimed.token, claimed.batch)
        self.log = Log(echoes.of(claimed.id))
        self.ended_by: str | None = None
        self.limit: asyncio.TimerHandle | None = None
        self.open_steps: list[int] = []  # of a workflow that was put away: what it waits for
        self.payload_limit = values.DEFAULT_LIMIT
        self.results: Mapping[bytes, bytes] | None = None  # of the executions that stand in the arguments
        self.started_ns = time.perf_counter_ns()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run the handler. Call once."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Make the handler end, as far as it can be made to."""
        raise NotImplementedError

    def end(self, why: str) -> None:
        """End the handler from outside; the first reason counts."""
        if self.ended_by is None:
            self.ended_by = self.running.ending = why
            if self.limit is not None:
                self.limit.cancel()
            self.limit = asyncio.get_running_loop().call_later(GIVE_UP_S, self.give_up)
            self.interrupt()

    def give_up(self) -> None:
        """The handler ignores that it was ended: what it returns one day is nobody's."""
        if self.ended_by != STOP:
            _log.warning(
                "the handler of %s (execution %s) was told to end (%s) %g s ago and goes on: "
                "its worker goes on without it",
                self.claimed.job, UUID(bytes=self.claimed.id), self.ended_by, GIVE_UP_S,
            )  # fmt: skip
            self.finish(self.failed(asyncio.CancelledError()))

    def start_limit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the clock of the timeout, if there is one."""
        if self.policy.timeout is not None:
            self.limit = loop.call_later(self.policy.timeout, self.end, TIMEOUT)

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """The handler's arguments, decoded.

        Raises:
            CurrantError: the row's payload is no payload, larger than is allowed, or doesn't fit the signature.
        """
        if len(self.args) > self.payload_limit:
            size, limit = len(self.args), self.payload_limit
            raise NotStorable(f"the stored arguments have {size:,} bytes, and {limit:,} are allowed here")
        if self.results is not None:
            return values.decode_args(self.args, self.spec, reader(self.results))
        return values.decode_args(self.args, self.spec)

    def succeeded(self, value: object) -> Outcome:
        """The outcome of a handler that returned `value`; a failed one if the value can't be kept."""
        run_us = self._run_us()
        try:
            if type(value) is CoroutineType:
                value.close()
                raise NotStorable(COROUTINE)
            result = values.encode_result(value, self.payload_limit)
        except NotStorable as error:
            return self._outcome(Verdict("failed", ErrorInfo("NotStorable", message_of(error))), run_us)
        own, log = self.running, self.log
        return Outcome(
            own.id, own.token, own.attempt, "succeeded", result, None,
            run_us, 0.0, log.text() if log.written else None, self.spec.version,
        )  # fmt: skip

    def failed(self, error: BaseException, info: ErrorInfo | None = None, own_frames: int = 1) -> Outcome | None:
        """The outcome of a handler that raised `error`; None when it was ended and its claim is gone."""
        run_us = self._run_us()
        if isinstance(error, PutAway) and self.ended_by is None:
            self.ended_by, self.open_steps = AWAY, error.open_steps
            return None
        if isinstance(error, asyncio.CancelledError | HandlerInterrupted) and self.ended_by is not None:
            if self.ended_by in (LOST, STOP):
                return None
            if self.ended_by == CANCEL:
                return self._outcome(
                    Verdict("cancelled", describe(ExecutionCancelled("cancelled while it ran"))), run_us
                )
            assert self.policy.timeout is not None  # noqa: S101 - only start_limit ends with TIMEOUT
            error = timed_out(self.policy.timeout).with_traceback(error.__traceback__)
        failures = self.claimed.attempt - self.claimed.rescues
        verdict = of_error(error, info or describe(error, own_frames), self.policy, failures)
        return self._outcome(verdict, run_us)

    def finish(self, outcome: Outcome | None) -> None:
        """Hand the outcome over, on the loop."""
        if self.limit is not None:
            self.limit.cancel()
        if self.log.echo is not None:
            self.log.echo.end()
        self.done(self, outcome)

    def _run_us(self) -> int:
        return (time.perf_counter_ns() - self.started_ns) // 1000

    def _outcome(self, verdict: Verdict, run_us: int) -> Outcome:
        return Outcome(
            self.claimed.id, self.claimed.token, self.claimed.attempt, verdict.status, None, verdict.error,
            run_us, verdict.delay, self.log.text(), self.spec.version,
        )  # fmt: skip


class ThreadAttempt(Attempt):
    """A plain handler in one of our threads, with the execution's context."""

    __slots__ = ("call", "finished", "threads")

    def __init__(
        self,
        claimed: Claimed,
        spec: JobSpec,
        policy: Policy,
        done: Callable[[Attempt, Outcome | None], None],
        threads: DaemonThreads,
        finished: Callable[[Attempt, Outcome | None], None],
    ) -> None:
        super().__init__(claimed, spec, policy, done)
        self.threads = threads
        self.finished = finished  # takes the outcome from the thread to the loop
        self.call = ThreadCall(self._handle)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.start_limit(loop)
        self.threads.submit(self._run)

    def interrupt(self) -> None:
        self.call.interrupt()

    def _run(self) -> None:
        context = contextvars.Context()
        context.run(running_variable.set, self.running)
        context.run(current_log.set, self.log)
        self.started_ns = time.perf_counter_ns()
        outcome: Outcome | None
        try:
            outcome = self.succeeded(context.run(self.call))
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its outcome
            outcome = self.failed(error, own_frames=3)
        self.finished(self, outcome)

    def _handle(self) -> Any:
        args, kwargs = self.arguments()
        return self.spec.function(*args, **kwargs)


class ForeignAttempt(Attempt):
    """A plain handler in another process, or wherever somebody's executor sends it."""

    __slots__ = ("executor", "future", "task")

    def __init__(
        self,
        claimed: Claimed,
        spec: JobSpec,
        policy: Policy,
        done: Callable[[Attempt, Outcome | None], None],
        executor: HandlerExecutor,
    ) -> None:
        super().__init__(claimed, spec, policy, done)
        self.executor = executor
        self.future: Future[Any] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.start_limit(loop)
        self.task = loop.create_task(self._run(), context=contextvars.Context())

    def interrupt(self) -> None:
        if self.future is not None:
            self.executor.end(self.future)  # one that runs on elsewhere will see its value dropped
        self.task.cancel()

    async def _run(self) -> None:
        outcome: Outcome | None
        try:
            args, kwargs = self.arguments()
            # Packing may take long, and so may a new process: not on the loop.
            self.future = await in_thread(
                self.executor.submit, self.spec.function, args, kwargs, self.running, self.log
            )
            outcome = self._received(await asyncio.wrap_future(self.future))
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its outcome
            outcome = None if self.executor.is_ending else self.failed(error, own_frames=0)
        self.finish(outcome)

    def _received(self, value: object) -> Outcome | None:
        if not isinstance(value, ShippedResult):
            return self.succeeded(value)
        if value.logs:
            self.log.write(value.logs)
        if value.info is not None:
            return self.failed(value.error(), value.info)
        return self.succeeded(value.value())
