"""Numbers over time, in a bounded space: rings of slots, and sums over the last minutes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import get_args

from msgspec import Struct, field

from currant_lab.latency import Histogram
from currant_lab.watch.views import Measure, Series

__all__ = ["RATE_S", "RECENT_S", "SPANS", "Recent", "Ring", "Track"]

SPANS = {300: 1, 900: 3, 3600: 12}
"""Seconds that a series may show, and the seconds of one of its 300 slots."""

RATE_S = 5
RECENT_S = 300
_PART_S = 15
_SLOTS = 300
_NAN = math.nan
_GAUGES = ("waiting", "running")
_COUNTERS = ("in", "out", "failed")
_LATENCIES = ("wait", "run", "claim")

Counts = dict[int, int]


class Ring(Struct):
    """Values per slot of `step_s` seconds, for the last 300 slots; nan where nothing is known.

    Attributes:
        slot: the number of the slot that still runs: its time divided by `step_s`.
    """

    step_s: int
    slot: int
    columns: dict[str, list[float]]

    @classmethod
    def make(cls, step_s: int, now: float, names: Iterable[str]) -> Ring:
        """An empty one."""
        return cls(step_s, int(now // step_s), {name: [_NAN] * _SLOTS for name in names})

    def advance(self, now: float, *, known: bool) -> bool:
        """Go on to the slot of `now`; whether that is another one. Slots passed by count nothing when `known`."""
        slot = int(now // self.step_s)
        if slot <= self.slot:
            return False
        passed = min(slot - self.slot, _SLOTS)
        for name, values in self.columns.items():
            blank = 0.0 if known and name in _ZEROES else _NAN
            if known and name in _GAUGES:
                blank = values[self.slot % _SLOTS]
            for number in range(slot - passed + 1, slot + 1):
                values[number % _SLOTS] = blank
        self.slot = slot
        return True

    def put(self, name: str, value: float) -> None:
        """Set the value of the slot that runs."""
        self.columns[name][self.slot % _SLOTS] = value

    def add(self, name: str, value: float, ago_s: float = 0.0) -> None:
        """Add to it; or spread evenly over the slots before it, when it is about at least one of them."""
        slots = min(round(ago_s / self.step_s), _SLOTS - 1)
        last = self.slot if slots == 0 else self.slot - 1
        slots = max(slots, 1)
        values = self.columns[name]
        for number in range(last - slots + 1, last + 1):
            old = values[number % _SLOTS]
            values[number % _SLOTS] = value / slots + (0.0 if math.isnan(old) else old)

    def values(self, name: str) -> list[float]:
        """A column, oldest first."""
        values, end = self.columns[name], self.slot % _SLOTS + 1
        return values[end:] + values[:end]

    def total(self, name: str) -> float:
        """The sum of all that is known of it."""
        return sum(value for value in self.columns[name] if not math.isnan(value))

    def rate(self, name: str, now: float) -> float:
        """Per second, over the last `RATE_S` seconds or as many as are known.

        What comes in is known only by the next snapshot: its last second is left out.
        """
        values = self.columns[name]
        if name == "in":
            told = [v for n in range(self.slot - 1 - RATE_S, self.slot - 1) if not math.isnan(v := values[n % _SLOTS])]
            return sum(told) / (len(told) * self.step_s) if told else 0.0
        first = self.slot - RATE_S
        known = [v for n in range(first, self.slot + 1) if not math.isnan(v := values[n % _SLOTS])]
        passed = len(known) - 1 + (now - self.slot * self.step_s) / self.step_s
        return sum(known) / max(passed * self.step_s, 1.0)


_ZEROES = frozenset({*_COUNTERS, "claims", "executions", "statements"})


class Recent(Struct):
    """Counts per key over the last five minutes: kept in parts of 15 s, so that the oldest can be dropped."""

    parts: dict[int, Counts] = field(default_factory=dict)
    merged: Counts = field(default_factory=dict)

    def add(self, counts: Iterable[tuple[int, int]], now: float) -> None:
        """Count."""
        number = int(now // _PART_S)
        part = self.parts.get(number)
        if part is None:
            part = self.parts[number] = {}
        merged = self.merged
        for key, count in counts:
            part[key] = part.get(key, 0) + count
            merged[key] = merged.get(key, 0) + count

    def advance(self, now: float) -> None:
        """Forget what is too old."""
        last = int(now // _PART_S) - RECENT_S // _PART_S
        for number in [number for number in self.parts if number <= last]:
            for key, count in self.parts.pop(number).items():
                rest = self.merged[key] - count
                if rest:
                    self.merged[key] = rest
                else:
                    del self.merged[key]

    def histogram(self) -> Histogram:
        """All of it."""
        return Histogram(self.merged)


class Track(Struct):
    """One queue over time, or all of them.

    Attributes:
        rings: one per span.
        open: the latencies of each ring's slot that still runs.
        recent: latencies of the last five minutes: wait, run, claim.
        sizes: executions per claim, likewise.
        wakes: claims per wake reason, by its number, likewise.
        claims: claims that brought nothing (under 1) and all claims (under 0), likewise.
        touched: when anything was last heard of it.
    """

    rings: list[Ring]
    open: list[dict[str, Counts]]
    recent: dict[str, Recent]
    sizes: Recent = field(default_factory=Recent)
    wakes: dict[str, Recent] = field(default_factory=dict)
    claims: Recent = field(default_factory=Recent)
    touched: float = 0.0

    @classmethod
    def make(cls, now: float) -> Track:
        """An empty one."""
        return cls(
            touched=now,
            rings=[Ring.make(step, now, get_args(Measure)) for step in SPANS.values()],
            open=[{name: {} for name in _LATENCIES} for _ in SPANS],
            recent={name: Recent() for name in _LATENCIES},
        )

    def advance(self, now: float, *, known: bool) -> None:
        """Let time pass."""
        for ring, latencies in zip(self.rings, self.open, strict=True):
            if int(now // ring.step_s) > ring.slot:
                _close(ring, latencies)
                ring.advance(now, known=known)
        for recent in (*self.recent.values(), self.sizes, self.claims, *self.wakes.values()):
            recent.advance(now)

    def count(self, name: str, value: float, ago_s: float = 0.0) -> None:
        """Add executions to a counter: `in`, `out` or `failed`."""
        for ring in self.rings:
            ring.add(name, value, ago_s)

    def gauge(self, name: str, value: float) -> None:
        """Set how many executions there are: `waiting` or `running`."""
        for ring in self.rings:
            ring.put(name, value)

    def latency(self, name: str, counts: list[tuple[int, int]], now: float) -> None:
        """Count latencies: `wait`, `run` or `claim`."""
        if not counts:
            return
        self.recent[name].add(counts, now)
        for latencies in self.open:
            merged = latencies[name]
            for bucket, count in counts:
                merged[bucket] = merged.get(bucket, 0) + count

    def claimed(
        self, claims: int, empty: int, sizes: list[tuple[int, int]], wakes: Mapping[str, int], now: float
    ) -> None:
        """Count claim statements."""
        self.claims.add(((0, claims), (1, empty)), now)
        self.sizes.add(sizes, now)
        for reason, count in wakes.items():
            if reason in self.wakes or len(self.wakes) < _MOST_REASONS:
                self.wakes.setdefault(reason, Recent()).add(((0, count),), now)

    def rate(self, name: str, now: float) -> float:
        """Executions per second."""
        return self.rings[0].rate(name, now)

    def failed_share(self) -> float:
        """Failed ones among those that ended within five minutes."""
        ended = self.rings[0].total("out")
        return min(self.rings[0].total("failed") / ended, 1.0) if ended else 0.0

    def series(self, measure: Measure, span_s: int) -> Series:
        """One of the measures over `span_s` seconds: 300, 900 or 3,600."""
        index = list(SPANS).index(span_s)
        ring, latencies = self.rings[index], self.open[index]
        values = ring.values(measure)
        kind = measure.partition("_")[0]
        if kind in latencies:
            values[-1] = _quantile(latencies[kind], measure)
        elif measure in _COUNTERS:
            values = [value / ring.step_s for value in values]
        start = (ring.slot - _SLOTS + 1) * ring.step_s
        return Series(start, ring.step_s, [None if math.isnan(value) else value for value in values])


_MOST_REASONS = 16


def _close(ring: Ring, latencies: dict[str, Counts]) -> None:
    """Keep of a slot's latencies what a series shows of them."""
    for kind, counts in latencies.items():
        for share in ("p50", "p99"):
            name = f"{kind}_{share}"
            ring.put(name, _quantile(counts, name))
        counts.clear()


def _quantile(counts: Counts, name: str) -> float:
    return Histogram(counts).quantile(0.99 if name.endswith("p99") else 0.50)
