"""`Pool`: the workers of this process. The one place that puts engine, runner, executor and capture together."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal

from currant_lab.database import control
from currant_lab.database.connect import Database
from currant_lab.database.inspect import results
from currant_lab.database.submit import NewExecution
from currant_lab.errors import CurrantError, DatabaseUnavailable, InvalidArguments, PoolNotRunning
from currant_lab.jobs import JobSpec, Registry, check_name
from currant_lab.kernel_loop import hold, kernel_loop
from currant_lab.loop import BackgroundLoop, wait
from currant_lab.outcomes import ErrorInfo, Outcome
from currant_lab.pool import engine as rust
from currant_lab.pool.attempt import CANCEL, LOST
from currant_lab.pool.away import Away
from currant_lab.pool.capture import Capture
from currant_lab.pool.echo import CaptureChoice
from currant_lab.pool.executors import ExecutorChoice, HandlerExecutor
from currant_lab.pool.pace import Pace, Slot
from currant_lab.pool.reporter import Reporter
from currant_lab.pool.runner import Runner
from currant_lab.pool.stats import PoolStats, pool_stats
from currant_lab.pool.threads import in_thread
from currant_lab.settings import DEFAULT_PAYLOAD_LIMIT

if TYPE_CHECKING:
    from currant_lab.pictures.base import Picture

__all__ = ["Pool", "PoolSettings"]

MAX_WORKERS: Final = 10_000
_END_GRACE_S: Final = 0.5
"""How long a stop waits for handlers it has just cancelled."""

_CLOSE_S: Final = 5.0
"""How long a stop waits for the database to take the last outcomes."""

_log = logging.getLogger("currant")


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What a pool is started with. `kind` is `kernel`, `worker` or `script`; `payload_limit` the bytes that one
    result may have."""

    name: str
    workers: int = 16
    queues: tuple[str, ...] = ("default",)
    executor: ExecutorChoice = "thread"
    kind: str = "script"
    payload_limit: int = DEFAULT_PAYLOAD_LIMIT
    capture: CaptureChoice = "log"
    loop: Literal["thread", "kernel"] = "thread"

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_workers(self.workers)
        if not self.queues:
            raise InvalidArguments("queues is empty: a pool works on at least one queue")
        for queue in self.queues:
            check_name("queue", queue)

    def differences(self, other: PoolSettings) -> list[str]:
        """How `other` differs, as "workers 16, not 32"."""
        return [
            f"{field.name} {getattr(self, field.name)!r}, not {getattr(other, field.name)!r}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        ]


def check_workers(workers: object) -> int:
    """Return `workers` if a pool can have so many.

    Raises:
        InvalidArguments: it can't.
    """
    if not isinstance(workers, int) or isinstance(workers, bool) or not 1 <= workers <= MAX_WORKERS:
        raise InvalidArguments(f"workers is a whole number from 1 to {MAX_WORKERS:,}, not {workers!r}")
    return workers


class Pool:
    """The running workers of this process. Made by `currant.start()`.

    Its methods may be called from any thread, except where they say that they wait: those not from a handler
    on the pool's own loop.

    Attributes:
        settings: what it was started with; `workers` follows `resize`.
        on_settled: called on the pool's loop with outcomes that are on disk, hundreds at a time.
    """

    def __init__(
        self,
        database: Database,
        settings: PoolSettings,
        registry: Registry,
        loop: BackgroundLoop,
        home: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.settings = settings
        self.on_settled: Callable[[Sequence[Outcome]], None] | None = None
        self._database = database
        self._registry = registry
        self._background = loop
        self._home = home  # of async handlers; None: the pool's own loop
        self._workers = settings.workers
        self._unsettled: deque[tuple[int, Outcome]] = deque()
        self._state = "new"
        self._trouble: str | None = None
        self._closing: asyncio.Task[None] | None = None
        self._stopping: Future[None] | None = None
        self._pace = Pace(time.monotonic())

    async def open(self, version: str) -> None:
        """Connect the engine and begin to work, on the pool's loop.

        Raises:
            DatabaseUnavailable: with the real reason.
        """
        if self._database.lacking:
            raise DatabaseUnavailable(
                f"this user may submit, and run no pool: it lacks {self._database.lacking}. "
                f"GRANT {self._database.schema}_work to it (`currant migrate --roles` makes that role)"
            )
        self._engine = await in_thread(
            lambda: rust.connect(
                self._database.target,
                schema=self._database.schema,
                name=self.settings.name,
                kind=self.settings.kind,
                version=version,
                queues=self.settings.queues,
                jobs=self._registry.names(),
                workers=self._workers,
            )
        )
        loop = asyncio.get_running_loop()
        self._away = Away(self._database, self._engine)
        self._executor = HandlerExecutor(self.settings.executor)
        self._runner = Runner(
            loop,
            self._registry,
            self._executor,
            self._settle,
            self._fill,
            self._started,
            self._forget,
            self._away.put_away,
            self._engine.set_resting,
            self.settings.payload_limit,
            functools.partial(results, self._database),
            self._home,
            self._on_homeless,
        )
        self._reporter = Reporter(self._database, self._registry, self._runner.attempts)
        self._capture = Capture()
        self._capture.install()
        self._forget_registry = self._registry.on_change(self._jobs_changed)
        self._jobs_changed()  # a job may have been defined while the engine connected
        self._state = "running"
        loop.add_reader(self._engine.fileno(), self._on_signal)
        self._on_signal()

    # What a person asks of it.

    @property
    def id(self) -> int:
        """The pool's number in the database."""
        return self._engine.pool_id

    @property
    def name(self) -> str:
        """The namespace of the jobs defined in this notebook or script."""
        return self.settings.name

    @property
    def workers(self) -> int:
        """How many executions run at once, at most."""
        return self._workers

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues it works on."""
        return self.settings.queues

    @property
    def is_running(self) -> bool:
        """Whether it claims and runs executions."""
        return self._state == "running"

    @property
    def is_stopped(self) -> bool:
        """Whether a stop has come to its end."""
        return self._state == "stopped"

    @property
    def trouble(self) -> str | None:
        """Why the database can't be reached at the moment; None when all is well."""
        return self._trouble

    def stats(self) -> PoolStats:
        """The pool's counters and latencies at this moment: no query."""
        return pool_stats(self._engine.stats())

    def throughput(self) -> Picture:
        """A picture of how many executions it started and ended each second of its life, and how busy it was.

        Raises:
            CurrantError: Matplotlib is not installed.
        """
        from currant_lab.pictures.throughput import throughput

        slots, step_s = self._background.run(self._read_pace())
        return throughput(f"Pool {self.name}", slots, step_s, self._workers)

    def resize(self, workers: int) -> None:
        """Change how many executions may run at once. Those that run go on."""
        self._workers = check_workers(workers)
        self._engine.set_workers(workers)
        self._background.call_soon(self._fill)

    def pause(self, queue: str) -> None:
        """Let nothing be claimed from a queue any more, by any pool on this database. Waits for the commit."""
        self._background.run(control.pause(self._database, queue))

    def resume(self, queue: str) -> bool:
        """Let a paused queue go on; returns whether it was paused. Waits for the commit."""
        resumed = self._background.run(control.resume(self._database, queue))
        self._engine.wake()
        return resumed

    def stop(self, drain: bool = True, timeout: float | None = None) -> None:
        """Stop claiming, give back what has not started, let the running handlers end, settle, then end.

        Waits. Harmless when called again.

        Args:
            drain: wait for the running handlers; otherwise they are cancelled and their executions given back.
            timeout: seconds to wait for them, after which they are cancelled too; None waits as long as it takes.

        Raises:
            CurrantError: called on the pool's own loop; or on the kernel's, while handlers run on it, without the extra
                `kernel-loop`. Nothing has been stopped then.
            KeyboardInterrupt: the stop goes on; call it again, with `drain=False` to end what runs.
        """
        if self._background.is_current:
            raise CurrantError("this would block the pool's own loop for ever: stop it from elsewhere")
        try:
            if self._runner.busy:
                kernel_loop.check()
            if self._stopping is None:
                self._stopping = self._background.submit(self.close(drain, timeout))
            elif not drain:
                self._background.run(self.close(drain))
            (hold if kernel_loop.can_nest else wait)(self._stopping)
        except KeyboardInterrupt as interrupt:
            interrupt.add_note("The stop goes on: the handlers that run end first. currant.stop(drain=False) ends them")
            raise

    def wake(self) -> None:
        """Claim now: something has been submitted here."""
        if self._state == "running":
            self._engine.wake()

    # For submits of this process: an idle pool needs no claim. All but `submit` on the background loop.

    def submit(self, row: NewExecution) -> bool:
        """From any other thread: write an execution that is due at once, as running here, and wait until it is on disk.
        It starts then. False where nothing was done: no worker is idle for it.

        Raises:
            DatabaseUnavailable: it may have been written or not.
        """
        if self._state != "running":
            return False
        place = row.placement
        return self._engine.submit(
            row.id, place.job, place.queue, place.priority, place.retries, place.options, row.args
        )

    def reserve(self, row: NewExecution) -> int | None:
        """Keep an idle worker for an execution that is about to be written as running here: the pool's id for it.
        None where something else waits, or this pool doesn't run it."""
        if self._state != "running":
            return None
        return self._engine.reserve(row.id, row.placement.job, row.placement.queue)

    def hand_over(self, row: NewExecution, pool: int, created_at: int, seconds: float) -> None:
        """It is on disk, since `created_at` (microseconds since 1970); writing took so many seconds. It starts now."""
        place = row.placement
        self._engine.hand_over(
            pool, row.id, place.job, place.queue, place.priority, place.retries, place.options, row.args, created_at,
            int(seconds * 1e6),
        )  # fmt: skip
        self._fill()

    def unreserve(self, row: NewExecution, is_in_doubt: bool) -> None:
        """It was not written as running; in doubt, the engine looks, and gives it back."""
        self._engine.unreserve(row.id, is_in_doubt)

    def __enter__(self) -> Pool:
        if not self.is_running:
            raise PoolNotRunning("this pool has been stopped: currant.start() makes another")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        queues = ", ".join(self.queues)
        if not self.is_running:
            return f"<Pool {self.name}: {self._state}>"
        stats = self.stats()
        return (
            f"<Pool {self.name}: {stats.running} of {self.workers} workers busy on {queues}; "
            f"{stats.settled:,} settled, {stats.buffered:,} buffered>"
        )

    # What happens on its loop.

    async def close(self, drain: bool = True, timeout: float | None = None, settle_s: float = _CLOSE_S) -> None:
        """`stop`, on the pool's loop. `settle_s` bounds the wait for the database."""
        if self._state == "stopping" and not drain:
            await self._runner.abandon(_END_GRACE_S)  # the stop that waits for the handlers goes on at once
        if self._state != "running":
            return
        self._engine.stop_claiming()
        self._state = "stopping"
        if drain and not await self._runner.drain(timeout):
            _log.warning("stopping with %d handlers still running: they are cancelled", self._runner.busy)
        await self._runner.abandon(_END_GRACE_S)
        await self._away.close(settle_s)
        await self._reporter.close()
        if not await in_thread(self._engine.drain, settle_s):
            _log.warning("the database did not take the last outcomes: their executions will run again")
        self._on_news()
        self._forget_registry()
        asyncio.get_running_loop().remove_reader(self._engine.fileno())
        await in_thread(self._engine.close, settle_s)
        self._capture.remove()
        await in_thread(self._executor.shutdown)
        self._pace.end(time.monotonic())
        self._state = "stopped"

    def _on_homeless(self) -> None:
        """The loop of the handlers has been closed under the pool: it ends too, and gives back what it has."""
        if self._state == "running" and self._closing is None:
            _log.warning("the loop of this pool's handlers has been closed: the pool stops")
            self._closing = asyncio.ensure_future(self.close(False))

    def _on_signal(self) -> None:
        self._engine.clear()
        self._on_news()
        self._fill()

    def _on_news(self) -> None:
        news = self._engine.news()
        for claim in news.cancel:
            self._runner.end(*claim, CANCEL)
        for claim in news.lost:
            self._runner.end(*claim, LOST)
        if news.trouble != self._trouble or (news.connected and self._trouble):
            self._trouble = None if news.connected else news.trouble
            if self._trouble:
                _log.warning("the database can't be reached, will try again: %s", self._trouble)
        self._pass_on(news.committed, set(news.stale), dict(news.refused), news.cancelled)

    def _pass_on(
        self, committed: int, stale: set[int], refused: dict[int, str], cancelled: list[tuple[bytes, int]]
    ) -> None:
        """Tell of the outcomes up to `committed`, without the stale ones, and of those the engine cancelled itself."""
        unsettled = self._unsettled
        if not (stale or refused or cancelled):  # nearly always
            settled = []
            while unsettled and unsettled[0][0] <= committed:
                settled.append(unsettled.popleft()[1])
            self._tell_settled(settled)
            return
        settled = [Outcome(id, token, 0, "cancelled") for id, token in cancelled]
        ended_otherwise = set(cancelled)
        while unsettled and unsettled[0][0] <= committed:
            ticket, outcome = unsettled.popleft()
            if ticket in refused:
                error = ErrorInfo("NotStorable", refused[ticket])
                outcome = Outcome(outcome.id, outcome.token, outcome.attempt, "failed", error=error)
            if ticket not in stale and (outcome.id, outcome.token) not in ended_otherwise:
                settled.append(outcome)
        self._tell_settled(settled)

    def _tell_settled(self, settled: list[Outcome]) -> None:
        if settled:
            self._pace.settled(time.monotonic(), settled)
            if self.on_settled is not None:
                self.on_settled(settled)

    def _fill(self) -> None:
        """Give prefetched executions to free workers."""
        started = 0
        while self._state == "running" and (idle := self._workers - self._runner.busy) > 0:
            claimed = self._engine.take(idle)
            self._runner.start(claimed)
            started += len(claimed)
            if len(claimed) < idle:
                break
        self._pace.working(time.monotonic(), self._runner.busy, started)

    async def _read_pace(self) -> tuple[list[Slot], int]:
        return self._pace.read(time.monotonic())

    def _started(self, spec: JobSpec) -> None:
        self._capture.watch(self._runner.attempts)
        self._reporter.started(spec)

    def _forget(self, id: bytes, token: int) -> None:
        self._engine.forget(id, token)

    def _settle(self, outcome: Outcome) -> None:
        ticket = self._engine.settle(
            outcome.id,
            outcome.token,
            outcome.status,
            outcome.result,
            None if outcome.error is None else outcome.error.to_json(),
            outcome.run_us,
            outcome.delay,
            outcome.logs,
            outcome.source,
        )
        self._unsettled.append((ticket, outcome))

    def _jobs_changed(self) -> None:
        self._engine.set_jobs(self._registry.names())
