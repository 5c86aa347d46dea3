"""What one run of the bench does, and what it found."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from currant_lab.errors import InvalidArguments

__all__ = ["Costs", "Floor", "Latency", "Plan", "Report", "Sizes"]


class Plan(msgspec.Struct, frozen=True):
    """What to run.

    Attributes:
        workers: of each pool.
        jobs: how many executions are measured; with `duration_s` as many as the time allows.
        warmup_percent: of `jobs`, submitted first and left out.
        duration_s: keep submitting for so long, instead of `jobs`.
        payload_size: bytes of text each job gets besides its number.
        result_size: bytes of text each job returns, instead of its number.
        job_time_ms: how long each handler waits.
        sync: plain functions in threads, instead of coroutines.
        queues: the jobs are dealt out to them in turn.
        producers: threads that submit at once.
        pools: processes with a pool; the first is the one that submits.
        enqueue: `map` (COPY) or `submit` (one transaction for each).
        floor: measure the bare statements too.
    """

    workers: int = 50
    jobs: int = 10_000
    warmup_percent: float = 10.0
    duration_s: float | None = None
    payload_size: int = 0
    result_size: int = 0
    job_time_ms: float = 0.0
    sync: bool = False
    queues: tuple[str, ...] = ("default",)
    producers: int = 1
    pools: int = 1
    enqueue: Literal["map", "submit"] = "map"
    floor: bool = True

    def __post_init__(self) -> None:
        if self.pools > 64 or self.producers > 64:
            raise InvalidArguments("at most 64 pools and 64 producers")
        if not 0 <= self.warmup_percent <= 1_000:
            raise InvalidArguments("the warm-up is between 0 and 1,000 percent")
        if self.duration_s is not None and self.duration_s <= 0:
            raise InvalidArguments("the duration is longer than 0 s")
        if min(self.payload_size, self.result_size) < 0 or self.job_time_ms < 0:
            raise InvalidArguments("sizes and times are not below 0")

    @property
    def warmup(self) -> int:
        """Executions of the warm-up."""
        return round(self.jobs * self.warmup_percent / 100)

    @property
    def is_shaped(self) -> bool:
        """Whether jobs have a payload, a result of some size, or a duration."""
        return bool(self.payload_size or self.result_size or self.job_time_ms)


class Latency(msgspec.Struct, frozen=True):
    """Quantiles in milliseconds, over all measured executions: exact, from the books."""

    p50: float
    p95: float
    p99: float
    p999: float
    maximum: float


class Costs(msgspec.Struct, frozen=True):
    """What each job cost. None: it can't be told, because the server is on another machine or hides it.

    `statements` are the engines', without those that submit; `transactions` all of the database. CPU in microseconds.
    """

    statements: float
    transactions: float | None
    wal_bytes: float | None
    python_us: float
    rust_us: float
    postgres_us: float | None
    peak_memory_mb: float


class Sizes(msgspec.Struct, frozen=True):
    """Claims: how many statements, how many brought nothing, (upper power of two, count) of what they brought."""

    claims: int
    empty: int
    mean: float
    histogram: tuple[tuple[int, int], ...]


class Floor(msgspec.Struct, frozen=True):
    """The same statements by one bare connection. `ratio`: end to end, ours to theirs."""

    per_second: float
    submitted_per_second: float
    ratio: float


class Report(msgspec.Struct, frozen=True):
    """One run whose books were right: each execution settled once, with its own result.

    Attributes:
        seconds: from the first submit to the last settle.
        results_seconds: from the first submit until the submitter had all results in hand.
        released: executions that a pool gave back before they began, so that they were claimed more than once.
        timeline: (seconds since the first submit, executions settled by then).
        machine: cores, memory, system, versions and server settings, by name.
    """

    plan: Plan
    jobs: int
    seconds: float
    results_seconds: float
    released: int
    submit_seconds: float
    submitted_per_second: float
    per_second: float
    wait_ms: Latency
    run_ms: Latency
    claims: Sizes
    costs: Costs
    floor: Floor | None
    timeline: tuple[tuple[float, int], ...]
    machine: dict[str, Any]
