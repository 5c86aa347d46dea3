"""Turns claimed executions into attempts, keeps count of the busy workers, and passes the outcomes on."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from currant_lab.errors import CurrantError, InvalidArguments
from currant_lab.jobs import JobSpec, Policy, Registry
from currant_lab.outcomes import ErrorInfo, Outcome
from currant_lab.pool.attempt import AWAY, LOST, STOP, Attempt, ForeignAttempt, ThreadAttempt
from currant_lab.pool.describe import describe
from currant_lab.pool.engine import Claimed
from currant_lab.pool.executors import HandlerExecutor
from currant_lab.pool.gathering import Fetch, Gathering
from currant_lab.pool.inline import InlineAttempt, run_soon
from currant_lab.pool.kernel_attempt import KernelAttempt
from currant_lab.ties import wanted

__all__ = ["Runner"]

MOST_RESTING = 1_000
"""Functions of workflows that wait in memory; beyond, the one that has waited longest is put away."""


class Runner:
    """The workers of one pool. Lives on the pool's loop; only `_from_thread` is called from elsewhere.

    `on_outcome` is called once for each attempt that has an outcome, `on_free` soon after workers became free,
    `on_lost` when the handler of a claim that is another's by now has ended, `on_away` when a workflow's function was
    put away, `on_rest` whenever how many of them only wait has changed. `home` is the loop for async handlers,
    if that is not the pool's; when it is gone, `on_homeless` is called.
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
        on_away: Callable[[Attempt], None],
        on_rest: Callable[[int], None],
        payload_limit: int,
        fetch: Fetch,
        home: asyncio.AbstractEventLoop | None,
        on_homeless: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._registry = registry
        self._executor = executor
        self._on_outcome = on_outcome
        self._on_free = on_free
        self._on_start = on_start
        self._on_lost = on_lost
        self._on_away = on_away
        self._on_rest = on_rest
        self._payload_limit = payload_limit
        self._fetch = fetch
        self._home = home
        self._on_homeless = on_homeless
        self._attempts: dict[bytes, Attempt] = {}
        self._that_wait: set[str] = set()
        self._resting: dict[bytes, Attempt] = {}
        self._is_leaving = False
        self._free_soon = False
        self._from_threads: deque[tuple[Attempt, Outcome | None]] = deque()
        self._waking = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def busy(self) -> int:
        """How many workers have an attempt. A workflow's function that only waits holds none."""
        return len(self._attempts) - len(self._resting)

    def attempts(self) -> list[Attempt]:
        """The attempts that run now."""
        return list(self._attempts.values())

    def start(self, claimed: Sequence[Claimed]) -> None:
        """Give claimed executions to workers, each to one."""
        row: deque[InlineAttempt] = deque()
        specs: dict[str, JobSpec | None] = {}
        for one in claimed:
            name = one.job
            if name not in specs:
                spec = specs[name] = self._registry.get(name)
                if spec is not None:
                    self._on_start(spec)  # before any handler starts: what it prints is caught from the first line
            attempt = self._prepared(one, specs[name])
            if attempt is None:
                continue
            self._attempts[attempt.running.id] = attempt
            if isinstance(attempt, InlineAttempt) and name not in self._that_wait:
                row.append(attempt)
            else:
                self._start(attempt)
        if self._attempts:
            self._empty.clear()
        if row:
            run_soon(self._loop, row, self._that_wait)

    def _prepared(self, claimed: Claimed, spec: JobSpec | None) -> Attempt | None:
        """What runs it; None when it can't be run, which is its outcome then."""
        try:
            if spec is None:  # its name has gone from the registry since the claim
                raise CurrantError(f"this process no longer has the job {claimed.job!r}")
            policy = spec.policy.of_row(claimed.retries, claimed.options)
            others = wanted(claimed.args)
        except (CurrantError, InvalidArguments) as error:
            self._refuse(claimed, describe(error))
            return None
        attempt = self._attempt(claimed, spec, policy)
        attempt.payload_limit = self._payload_limit
        if spec.is_workflow:
            attempt.running.rests = functools.partial(self._rests, attempt)
        if not others:
            return attempt
        return Gathering(
            claimed, spec, policy, self._done, others, self._fetch, functools.partial(self._go_on, attempt)
        )

    def _go_on(self, attempt: Attempt, results: Mapping[bytes, bytes]) -> None:
        """Start what has waited for the results in its arguments, in the same worker."""
        if attempt.claimed.id in self._attempts:
            attempt.results = results
            self._attempts[attempt.claimed.id] = attempt
            self._start(attempt)

    def _start(self, attempt: Attempt) -> None:
        try:
            attempt.start(self._loop)
        except RuntimeError:  # the kernel's loop has been closed: the claim is given back when the pool ends
            self._on_homeless()

    def end(self, id: bytes, token: int, why: str) -> None:
        """End the attempt at `id` that holds `token`, if it still runs."""
        attempt = self._attempts.get(id)
        if attempt is not None and attempt.claimed.token == token:
            attempt.end(why)

    def _rests(self, attempt: Attempt, is_resting: bool) -> None:
        """A workflow's function only waits from now on, or goes on. From its own loop."""
        if self._home is not None:
            self._loop.call_soon_threadsafe(self._note_rest, attempt, is_resting)
        else:
            self._note_rest(attempt, is_resting)

    def _note_rest(self, attempt: Attempt, is_resting: bool) -> None:
        own = attempt.claimed.id
        if self._attempts.get(own) is not attempt:
            return
        if not is_resting:
            self._resting.pop(own, None)
        elif self._is_leaving:
            self._leave(attempt)
            return
        else:
            self._resting[own] = attempt
            if len(self._resting) > MOST_RESTING:
                self._leave(next(iter(self._resting.values())))
            self._be_free()
        self._on_rest(len(self._resting))

    @staticmethod
    def _leave(attempt: Attempt) -> None:
        if attempt.running.leave is not None:
            attempt.running.leave()

    async def drain(self, timeout: float | None) -> bool:
        """Wait until no attempt runs, at most `timeout` seconds; whether it is so. Those on a loop that has ended
        are not waited for, and workflows are put away as soon as they wait."""
        self._is_leaving = True
        for attempt in list(self._resting.values()):
            self._leave(attempt)
        if self._home is not None and not self._home.is_running():
            for attempt in self.attempts():
                if isinstance(attempt, KernelAttempt):
                    attempt.end(STOP)
                    self._done(attempt, None)
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
        self._resting.clear()
        self._empty.set()

    def _attempt(self, claimed: Claimed, spec: JobSpec, policy: Policy) -> Attempt:
        if spec.is_async and self._home is not None:
            return KernelAttempt(claimed, spec, policy, self._done, self._home, self._from_thread)
        if spec.is_async:
            return InlineAttempt(claimed, spec, policy, self._done, self._that_wait)
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
        id = attempt.running.id
        if self._attempts.get(id) is not attempt:
            return  # abandoned: its claim has been given back
        del self._attempts[id]
        if self._resting and self._resting.pop(id, None) is not None:
            self._on_rest(len(self._resting))
        if outcome is not None:
            self._on_outcome(outcome)
        elif attempt.ended_by == AWAY:
            self._on_away(attempt)
        elif attempt.ended_by == LOST:
            self._on_lost(id, attempt.claimed.token)
        if not self._attempts:
            self._empty.set()
        self._be_free()

    def _be_free(self) -> None:
        if not self._free_soon:
            self._free_soon = True
            self._loop.call_soon(self._tell_free)

    def _tell_free(self) -> None:
        self._free_soon = False
        self._on_free()

    def _refuse(self, claimed: Claimed, info: ErrorInfo) -> None:
        self._on_outcome(Outcome(claimed.id, claimed.token, claimed.attempt, "failed", error=info))
