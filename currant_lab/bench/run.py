"""One run from its first submit to its last settle, with what it cost; the one place that puts the bench together."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from currant_lab.bench import floor, meter, others
from currant_lab.bench.others import Pooled, note_settles, pooled
from currant_lab.bench.place import own_schema
from currant_lab.bench.plan import Costs, Floor, Latency, Plan, Report, Sizes
from currant_lab.bench.producing import Submitted, submit_all
from currant_lab.client.client import Client
from currant_lab.database.connect import Database
from currant_lab.errors import CurrantError
from currant_lab.loop import background
from currant_lab.pool.pool import Pool, PoolSettings
from currant_lab.settings import Settings

__all__ = ["Progress", "WrongBooks", "measure"]

Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and how much there is in all (0: not known)."""

_BEAT_S = 0.2
_FLOOR_JOBS = 200_000
"""A run of a minute has a million, and its floor would take as long again for no better figure."""
_QUIET_S = 1.2
"""A server's process tells of its transactions at most once a second: see `_quiet`."""


class WrongBooks(CurrantError):
    """Not every execution was settled exactly once with its own result: such a run has no figures."""


def measure(plan: Plan, settings: Settings, progress: Progress = lambda *_: None) -> Report:
    """Run a plan in a schema of its own.

    Args:
        plan: what to run.
        settings: where: the schema in them is left alone.
        progress: told from another thread, some times a second.

    Raises:
        WrongBooks: the check of its books failed.
        DatabaseUnavailable: see `Database.open`.
    """
    with own_schema(settings) as client:
        with _Run(plan, client, progress) as run:
            report = run.measure()
        if plan.floor:
            jobs = min(report.jobs, _FLOOR_JOBS)
            progress("floor", 0, jobs)
            submitting, seconds = background.run(floor.bare(client.database, plan, jobs))
            progress("floor", jobs, jobs)
            per_second = jobs / seconds
            found = Floor(per_second, jobs / submitting, report.per_second / per_second)
            report = _with_floor(report, found)
        return report


def _with_floor(report: Report, found: Floor) -> Report:
    from msgspec.structs import replace

    return replace(report, floor=found)


class _Run:
    """The pools of a run, here and in other processes."""

    def __init__(self, plan: Plan, client: Client, progress: Progress) -> None:
        self._plan = plan
        self._client = client
        self._database: Database = client.database
        self._progress = progress

    def __enter__(self) -> _Run:
        with contextlib.ExitStack() as stack:
            self._pool = self._open(stack)
            self._others = stack.enter_context(others.others(self._plan, self._database))
            self._to_undo = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._to_undo.close()

    def _open(self, stack: contextlib.ExitStack) -> Pool:
        """The pool of this process, which is where a client of this process expects it."""
        from currant_lab import session
        from currant_lab.jobs import registry
        from currant_lab.version import __version__

        registry.set_namespace("bench")
        settings = PoolSettings("bench", workers=self._plan.workers, queues=self._plan.queues)
        pool = Pool(self._database, settings, registry, background)
        pool.on_settled = self._client.settled
        note_settles(pool)
        background.run(pool.open(__version__))
        self._client.has_local_pool = True
        self._client.on_submitted = pool.wake
        self._client.here = pool
        session._pool = pool

        def close() -> None:
            pool.stop(drain=False)
            session._pool = None
            self._client.has_local_pool = False
            self._client.on_submitted = None
            self._client.here = None

        stack.callback(close)
        return pool

    def measure(self) -> Report:
        """Warm up, run, check the books, and put the figures together."""
        plan = self._plan
        if plan.warmup:
            self._progress("warm-up", 0, plan.warmup)
            _check_results(plan, submit_all(plan, plan.warmup, self._settled))
        server_before, before = self._quiet(), self._pools()
        already = self._settled()
        begun = time.monotonic()
        with self._telling("run", already):
            submitted = submit_all(plan, plan.jobs, lambda: self._settled() - already, plan.duration_s)
            results = submitted.results()
        in_hand = time.monotonic() - begun
        after, server_after = self._pools(), self._quiet()
        seconds = max(pool.settled_at for pool in after) - begun
        _check_values(plan, results)
        books = background.run(self._books(submitted))
        _check_books(books, len(submitted), sum(p.starts for p in after), sum(p.stale for p in after))
        return Report(
            plan=plan,
            jobs=len(submitted),
            seconds=seconds,
            results_seconds=in_hand,
            released=books["released"],
            submit_seconds=submitted.seconds,
            submitted_per_second=len(submitted) / submitted.seconds,
            per_second=len(submitted) / seconds,
            wait_ms=Latency(*books["wait_ms"]),
            run_ms=Latency(*books["run_ms"]),
            claims=_sizes(before, after),
            costs=_costs(len(submitted), before, after, server_before, server_after),
            floor=None,
            timeline=tuple(background.run(self._timeline(submitted))),
            machine=background.run(meter.machine(self._database)),
        )

    @contextlib.contextmanager
    def _telling(self, what: str, already: int) -> Iterator[None]:
        """Tell of the progress, five times a second."""
        over = threading.Event()
        total = 0 if self._plan.duration_s else self._plan.jobs

        def tell() -> None:
            while True:
                done = self._settled() - already
                self._progress(what, min(done, total) if total else done, total)
                if over.wait(_BEAT_S):
                    return

        teller = threading.Thread(target=tell, name="progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            over.set()
            teller.join()

    def _settled(self) -> int:
        """Executions settled so far by the pool of this process, and by the others as far as can be guessed."""
        return self._pool.stats().settled * self._plan.pools

    def _pools(self) -> list[Pooled]:
        return [pooled(), *(other.ask() for other in self._others)]

    def _quiet(self) -> meter.Reading:
        """The server's counters after a second of silence and one job more, with which its processes tell of all
        they have done: a few transactions of that job are counted in."""
        from currant_lab.bench import work

        time.sleep(_QUIET_S)
        work.noop.options(queue=self._plan.queues[0]).submit(0).result()
        return background.run(meter.read(self._database))

    async def _books(self, submitted: Submitted) -> Any:
        return await self._database.fetchrow("bench_books", submitted.first_id(), submitted.last_id())

    async def _timeline(self, submitted: Submitted) -> list[tuple[float, int]]:
        rows = await self._database.fetch("bench_timeline", submitted.first_id(), submitted.last_id())
        return [(row["seconds"], row["settled"]) for row in rows]


def _check_results(plan: Plan, submitted: Submitted) -> None:
    _check_values(plan, submitted.results())


def _check_values(plan: Plan, results: Sequence[tuple[range, list[Any]]]) -> None:
    for numbers, values in results:
        wanted = [str(n).rjust(plan.result_size, "x") for n in numbers] if plan.is_shaped else list(numbers)
        if values != wanted:
            pairs = zip(wanted, values, strict=False)
            wrong = next((pair for pair in pairs if pair[0] != pair[1]), (len(wanted), len(values)))
            raise WrongBooks(f"a result is wrong: {wrong[1]!r} instead of {wrong[0]!r}: no figures")


def _check_books(books: Any, jobs: int, starts: int, stale: int) -> None:
    """Each execution is in the history once (its key sees to that), at its first attempt, and no handler ran twice.

    A token above the attempt is no fault: a pool that had turned out slower than thought gave the execution back before
    any handler saw it, and it was claimed once more.
    """
    said = {
        "unfinished": books["unfinished"],
        "not settled": jobs - books["settled"],
        "not succeeded": books["failed"],
        "attempts above the first": books["again"],
        "handlers started too often": starts - jobs,
        "stale outcomes": stale,
    }
    wrong = ", ".join(f"{what}: {count}" for what, count in said.items() if count)
    if wrong:
        raise WrongBooks(f"the books of this run are wrong ({wrong}): no figures")


def _sizes(before: Sequence[Pooled], after: Sequence[Pooled]) -> Sizes:
    claims, claimed, empty = (_grown(before, after, name) for name in ("claims", "claimed", "empty"))
    histogram: dict[int, int] = {}
    for sign, pools in ((-1, before), (1, after)):
        for pool in pools:
            for size, count in pool.claim_sizes.items():
                histogram[size] = histogram.get(size, 0) + sign * count
    sizes = tuple(sorted((size, count) for size, count in histogram.items() if count))
    return Sizes(int(claims), int(empty), claimed / max(claims - empty, 1), sizes)


def _grown(before: Sequence[Pooled], after: Sequence[Pooled], name: str) -> float:
    return float(sum(getattr(pool, name) for pool in after) - sum(getattr(pool, name) for pool in before))


def _costs(
    jobs: int, before: Sequence[Pooled], after: Sequence[Pooled], first: meter.Reading, last: meter.Reading
) -> Costs:
    def each(name: str, scale: float = 1.0) -> float | None:
        start, end = getattr(first, name), getattr(last, name)
        return None if start is None or end is None else max(end - start, 0) * scale / jobs

    return Costs(
        statements=_grown(before, after, "statements") / jobs,
        transactions=each("transactions"),
        wal_bytes=each("wal_bytes"),
        python_us=_grown(before, after, "python_s") * 1e6 / jobs,
        rust_us=_grown(before, after, "rust_s") * 1e6 / jobs,
        postgres_us=each("postgres_s", 1e6),
        peak_memory_mb=sum(pool.peak_mb for pool in after),
    )
