"""What a `Board` shows, as frozen values.

Times are seconds since 1970 by the database's clock, `_s` are seconds, `_us` microseconds. Rates are over the last
five seconds; shares, histograms and quantiles over the last five minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from currant_lab.latency import Histogram

__all__ = [
    "ClaimsView",
    "Header",
    "Heat",
    "JobView",
    "Measure",
    "PoolState",
    "PoolView",
    "Quantiles",
    "QueueView",
    "RibbonBatch",
    "Series",
    "Trouble",
]

Measure = Literal[
    "waiting",
    "running",
    "in",
    "out",
    "failed",
    "wait_p50",
    "wait_p99",
    "run_p50",
    "run_p99",
    "claim_p50",
    "claim_p99",
]
"""What a series shows: executions (`waiting`, `running`), executions per second (`in`, `out`, `failed`), or
microseconds."""

PoolState = Literal["alive", "quiet", "lost", "stopped"]
"""`quiet`: its lease is late or its lock free, and it may come back. `lost`: it is dead. `stopped`: it said goodbye."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Some quantiles of `count` latencies in microseconds, at most 3 % off; None while there are none."""

    p50_us: float | None = None
    p95_us: float | None = None
    p99_us: float | None = None
    count: int = 0

    @classmethod
    def of(cls, histogram: Histogram) -> Quantiles:
        """Those of a histogram."""
        if not len(histogram):
            return cls()
        p50, p95, p99 = histogram.quantiles((0.50, 0.95, 0.99))
        return cls(p50, p95, p99, len(histogram))


@dataclass(frozen=True, slots=True)
class Header:
    """Where the numbers come from and how fresh they are.

    Attributes:
        database: its URL without the password.
        server_version: as "18.1".
        schema: the schema with Currant's tables.
        connected: whether the numbers are kept up to date now.
        trouble: why they are not; or None.
        snapshot_at: when the database was last asked; 0 before the first time.
        heard_at: when anything last came from it.
    """

    database: str = ""
    server_version: str = ""
    schema: str = ""
    connected: bool = False
    trouble: str | None = None
    snapshot_at: float = 0.0
    heard_at: float = 0.0

    def data_age_s(self, now: float) -> float:
        """How old the picture is at `now`, in seconds."""
        return max(0.0, now - self.heard_at) if self.heard_at else 0.0


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue at one moment, or all of them (then `name` is empty).

    Attributes:
        waiting: pending executions; an estimate, some percent off, unless `exact`.
        scheduled: executions whose time has not come; an estimate likewise.
        running: executions that pools hold, prefetched ones included.
        in_per_s: executions submitted (or retried by hand) per second.
        out_per_s: executions ended per second, however they ended.
        failed_share: failed ones among those that ended, 0 to 1.
        oldest_s: how long the oldest pending one has waited; None when none waits.
        wait: from submit, or the due time, to the start of the handler.
        run: from start to end of the handler.
        listening_pools: live pools that work on it.
    """

    name: str
    waiting: int
    exact: bool
    scheduled: int
    running: int
    in_per_s: float
    out_per_s: float
    failed_share: float
    oldest_s: float | None
    wait: Quantiles
    run: Quantiles
    paused: bool
    listening_pools: int


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool at one moment.

    Attributes:
        kind: `kernel`, `worker` or `script`; empty until the database was asked.
        running: executions whose handler runs.
        buffered: executions claimed and waiting for a worker.
        prefetch: how many executions it aims to hold ready.
        unsettled: outcomes not yet on disk.
        seen_age_s: how long ago it last gave a sign of life.
        ended_age_s: how long ago it stopped or was lost; None while it is there.
        statements_per_execution: SQL statements its engine sent per execution ended; None while none has ended.
        listening: whether notifications reach it; otherwise it looks for work twice a second.
    """

    id: int
    name: str
    kind: str
    host: str
    pid: int
    version: str
    workers: int
    running: int
    buffered: int
    prefetch: int
    unsettled: int
    queues: tuple[str, ...]
    seen_age_s: float
    ended_age_s: float | None
    state: PoolState
    claims_per_s: float
    executions_per_s: float
    statements_per_execution: float | None
    listening: bool


@dataclass(frozen=True, slots=True)
class JobView:
    """A job at one moment; `wait_hist` and `run_hist` are what `wait` and `run` were read from."""

    name: str
    out_per_s: float
    failed_share: float
    wait: Quantiles
    run: Quantiles
    wait_hist: Histogram
    run_hist: Histogram


@dataclass(frozen=True, slots=True)
class RibbonBatch:
    """One claim's executions of one queue: when it ended, how many there were, how long the statement took, and what
    woke it."""

    at: float
    size: int
    us: int
    queue: str
    pool: int
    reason: str


@dataclass(frozen=True, slots=True)
class ClaimsView:
    """How pools claim, from one queue or from all.

    Attributes:
        ribbon: the latest batches, oldest first.
        sizes: (upper power of two, count) of executions per claim.
        claim: how long the statements took.
        empty_share: claims that brought nothing, 0 to 1.
        wakes: claims per wake reason.
        statements_per_execution: of all pools together; None while nothing has ended.
        prefetch: executions that all live pools together aim to hold ready.
        buffered: executions they do hold ready.
    """

    ribbon: tuple[RibbonBatch, ...]
    sizes: tuple[tuple[int, int], ...]
    claim: Quantiles
    claim_hist: Histogram
    claims: int
    empty_share: float
    wakes: dict[str, int]
    statements_per_execution: float | None
    prefetch: int
    buffered: int


@dataclass(frozen=True, slots=True)
class Series:
    """A measure over time: `values[i]` is of the `step_s` seconds from `start + i * step_s`; None where nobody knows.
    The last one is of the time that still runs."""

    start: float
    step_s: float
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class Heat:
    """A distribution over time: `cells[row][column]` executions took from `rows[row]` up to twice as many microseconds,
    in the `step_s` seconds from `start + column * step_s`."""

    start: float
    step_s: float
    rows: tuple[int, ...]
    cells: list[list[int]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something a person should know: one line, and what to do about it."""

    severity: Literal["warning", "error"]
    text: str
    hint: str = ""
