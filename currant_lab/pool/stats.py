"""What a pool says of itself: counters, the present state, and latencies as quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from currant_lab.latency import Histogram
from currant_lab.pool.engine import Stats

__all__ = ["PoolStats", "Quantiles", "pool_stats"]


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A latency distribution in milliseconds; nan while nothing was measured. At most 3 % off."""

    p50: float
    p95: float
    p99: float
    count: int

    @classmethod
    def of(cls, buckets: list[tuple[int, int]]) -> Quantiles:
        """The quantiles of a histogram in microseconds."""
        histogram = Histogram(buckets)
        p50, p95, p99 = (histogram.quantile(share) / 1000 for share in (0.50, 0.95, 0.99))
        return cls(p50, p95, p99, len(histogram))


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one moment. Counters run from its start.

    Attributes:
        workers: concurrent slots.
        running: executions whose handler runs.
        buffered: executions claimed and waiting for a worker.
        unsettled: outcomes not yet on disk.
        prefetch: how many executions the engine aims to hold ready.
        claims: claim statements that were sent.
        claimed: executions they brought.
        empty_claims: claims that brought none.
        wakes: claims per wake reason: notify, capacity, poll, start.
        statements: SQL statements the engine has sent, of any kind.
        settled: outcomes on disk.
        stale: outcomes dropped because their attempt had lost its claim.
        released: executions given back unstarted.
        rescued: executions of dead pools this one has given back.
        reconnects: connections made again.
        listening: whether LISTEN works; otherwise it polls twice a second.
        lease_age_s: seconds since the lease was renewed.
        wait_ms: submit (or due time) to start.
        run_ms: start to end of the handler.
        claim_ms: duration of the claim statement.
        claim_sizes: (upper power of two, count) of executions per claim.
    """

    workers: int
    running: int
    buffered: int
    unsettled: int
    prefetch: int
    claims: int
    claimed: int
    empty_claims: int
    wakes: Mapping[str, int]
    statements: int
    settled: int
    stale: int
    released: int
    rescued: int
    reconnects: int
    listening: bool
    lease_age_s: float
    wait_ms: Quantiles
    run_ms: Quantiles
    claim_ms: Quantiles
    claim_sizes: tuple[tuple[int, int], ...]


def pool_stats(native: Stats) -> PoolStats:
    """The engine's numbers with quantiles in place of histograms."""
    return PoolStats(
        workers=native.workers,
        running=native.running,
        buffered=native.buffered,
        unsettled=native.unsettled,
        prefetch=native.prefetch,
        claims=native.claims,
        claimed=native.claimed,
        empty_claims=native.empty_claims,
        wakes=native.wakes,
        statements=native.statements,
        settled=native.settled,
        stale=native.stale,
        released=native.released,
        rescued=native.rescued,
        reconnects=native.reconnects,
        listening=native.listening,
        lease_age_s=native.lease_age_s,
        wait_ms=Quantiles.of(native.wait_us),
        run_ms=Quantiles.of(native.run_us),
        claim_ms=Quantiles.of(native.claim_us),
        claim_sizes=tuple(native.claim_sizes),
    )
