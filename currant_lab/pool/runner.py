"""Turns claimed executions into attempts, keeps count of the busy workers, and passes the outcomes on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from currant_lab.errors import CurrantError, InvalidArguments
from currant_lab.jobs import JobSpec, Policy, Registry
from currant_lab.outcomes import ErrorInfo, Outcome
from currant_lab.pool.attempt import LOST, STOP, Attempt, ForeignAttempt, LoopAttempt, ThreadAttempt
from currant_lab.pool.describe import describe
from currant_lab.pool.engine import Claimed
from currant_lab.pool.executors import HandlerExecutor

__all__ = ["Runner"]


class Runner:
    """The workers of one pool. Lives on the pool's loop; only `_from_thread` is called from elsewhere.

    `on_outcome` is called once for each attempt that has an outcome, `on_free` soon after workers became free,
    `on_lost` when the handler of a claim that is another's by now has ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        registry: Registry,
        executor: HandlerExecutor,
        on_outcome: Callable[[Outcome], None],
        on_free: Callable[[], None],
        on_start: Callable[[JobSpec], None],
        on_lost: Callable[[bytes, int], None],
        payload_limit: int,
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._executor = executor
        self._on_outcome = on_outcome
        self._on_free = on_free
        self._on_start = on_start
        self._on_lost = on_lost
        self._payload_limit = payload_limit
        self._attempts: dict[bytes, Attempt] = {}
        self._free_soon = False
        self._from_threads: deque[tuple[Attempt, Outcome | None]] = deque()
        self._waking = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def busy(self) -> int:
        """How many workers have an attempt."""
        return len(self._attempts)

    def attempts(self) -> list[Attempt]:
        """The attempts that run now."""
        return list(self._attempts.values())

    def start(self, claimed: Claimed) -> None:
        """Give one claimed execution to a worker."""
        spec = self._registry.get(claimed.job)
        try:
            if spec is None:  # its name has gone from the registry since the claim
                raise CurrantError(f"this process no longer has the job {claimed.job!r}")
            policy = spec.policy.of_row(claimed.retries, claimed.options)
        except (CurrantError, InvalidArguments) as error:
            self._refuse(claimed, describe(error))
            return
        attempt = self._attempt(claimed, spec, policy)
        attempt.payload_limit = self._payload_limit
        self._attempts[claimed.id] = attempt
        self._empty.clear()
        self._on_start(spec)
        attempt.start(self._loop)

    def end(self, id: bytes, token: int, why: str) -> None:
        """End the attempt at `id` that holds `token`, if it still runs."""
        attempt = self._attempts.get(id)
        if attempt is not None and attempt.claimed.token == token:
            attempt.end(why)

    async def drain(self, timeout: float | None) -> bool:
        """Wait until no attempt runs, at most `timeout` seconds; whether it is so."""
        try:
            async with asyncio.timeout(timeout):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def abandon(self, grace: float) -> None:
        """End all attempts without an outcome and wait `grace` seconds for the handlers that can end."""
        for attempt in self.attempts():
            attempt.end(STOP)
        await self.drain(grace)
        self._attempts.clear()
        self._empty.set()

    def _attempt(self, claimed: Claimed, spec: JobSpec, policy: Policy) -> Attempt:
        if spec.is_async:
            return LoopAttempt(claimed, spec, policy, self._done)
        if self._executor.threads is not None:
            return ThreadAttempt(claimed, spec, policy, self._done, self._executor.threads, self._from_thread)
        return ForeignAttempt(claimed, spec, policy, self._done, self._executor)

    def _from_thread(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """Bring an outcome from a thread to the loop: one wake-up for all that gather meanwhile."""
        self._from_threads.append((attempt, outcome))
        if not self._waking:  # checked after the append and reset before the loop looks: none is left behind
            self._waking = True
            self._loop.call_soon_threadsafe(self._take_from_threads)

    def _take_from_threads(self) -> None:
        self._waking = False
        while self._from_threads:
            attempt, outcome = self._from_threads.popleft()
            attempt.finish(outcome)

    def _done(self, attempt: Attempt, outcome: Outcome | None) -> None:
        if self._attempts.get(attempt.claimed.id) is not attempt:
            return  # abandoned: its claim has been given back
        del self._attempts[attempt.claimed.id]
        if outcome is not None:
            self._on_outcome(outcome)
        elif attempt.ended_by == LOST:
            self._on_lost(attempt.claimed.id, attempt.claimed.token)
        if not self._attempts:
            self._empty.set()
        if not self._free_soon:
            self._free_soon = True
            self._loop.call_soon(self._tell_free)

    def _tell_free(self) -> None:
        self._free_soon = False
        self._on_free()

    def _refuse(self, claimed: Claimed, info: ErrorInfo) -> None:
        self._on_outcome(Outcome(claimed.id, claimed.token, claimed.attempt, "failed", error=info))
