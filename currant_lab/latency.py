"""Latencies as mergeable histograms, so that percentiles over several pools are true percentiles.

A value in whole microseconds falls into a log bucket with 16 steps to the octave: at most 6.25 % wide,
so a percentile read from a bucket's middle is at most about 3 % off. The Rust engine numbers buckets alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Histogram", "bucket_of", "bucket_range"]

_STEPS = 16
_STEP_BITS = 4


def bucket_of(microseconds: int) -> int:
    """The bucket of a latency: the value itself below 16 us, then 16 buckets to every doubling."""
    if microseconds < _STEPS:
        return max(microseconds, 0)
    octave = microseconds.bit_length() - 1
    return (octave - _STEP_BITS + 1) * _STEPS + ((microseconds >> (octave - _STEP_BITS)) & (_STEPS - 1))


def bucket_range(bucket: int) -> tuple[int, int]:
    """The microseconds [low, high) that fall into `bucket`."""
    if bucket < _STEPS:
        return bucket, bucket + 1
    octave, step = divmod(bucket, _STEPS)
    width = 1 << (octave - 1)
    low = (_STEPS + step) * width
    return low, low + width


class Histogram:
    """Counts per log bucket. Adding two gives the histogram of both."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[int, int] | Iterable[tuple[int, int]] = ()) -> None:
        self._counts: dict[int, int] = dict(counts)

    def record(self, microseconds: int) -> None:
        """Count one latency."""
        bucket = bucket_of(microseconds)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1

    def __add__(self, other: Histogram) -> Histogram:
        merged = dict(self._counts)
        for bucket, count in other._counts.items():
            merged[bucket] = merged.get(bucket, 0) + count
        return Histogram(merged)

    def add(self, counts: Iterable[tuple[int, int]]) -> None:
        """Count what another histogram has counted: its `counts()`."""
        own = self._counts
        for bucket, count in counts:
            own[bucket] = own.get(bucket, 0) + count

    def subtract(self, counts: Iterable[tuple[int, int]]) -> None:
        """Take back what was added."""
        own = self._counts
        for bucket, count in counts:
            rest = own.get(bucket, 0) - count
            if rest > 0:
                own[bucket] = rest
            else:
                own.pop(bucket, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self._counts == other._counts

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return sum(self._counts.values())

    def __repr__(self) -> str:
        return f"<Histogram of {len(self)}: p50 {self.quantile(0.5):g} us, p99 {self.quantile(0.99):g} us>"

    def counts(self) -> list[tuple[int, int]]:
        """(bucket, count) in order of the buckets."""
        return sorted(self._counts.items())

    def quantile(self, share: float) -> float:
        """The latency in microseconds below which `share` (0 to 1) of the values lie; nan when empty."""
        return self.quantiles((share,))[0]

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Several of them, for shares in ascending order."""
        total = len(self)
        if not total:
            return [float("nan")] * len(shares)
        found: list[float] = []
        seen = 0
        for bucket, count in self.counts():
            seen += count
            while len(found) < len(shares) and seen >= shares[len(found)] * total:
                low, high = bucket_range(bucket)
                found.append((low + high - 1) / 2)
        return found
