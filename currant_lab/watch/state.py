"""All that a board knows, as one tree of plain values: what a recording keeps."""

from __future__ import annotations

from msgspec import Struct, field

from currant_lab.latency import bucket_range
from currant_lab.watch.snapshot import Snapshot
from currant_lab.watch.tracks import SPANS, Recent, Ring, Track
from currant_lab.watch.views import Header, Heat, RibbonBatch

__all__ = ["HeatTrack", "JobTrack", "PoolTrack", "State"]

_COLUMNS = 100
_ROWS = 40


class HeatTrack(Struct):
    """A distribution over time: per span, per column, counts per doubling of the latency."""

    spans: dict[int, dict[int, dict[int, int]]] = field(default_factory=lambda: {span: {} for span in SPANS})

    def add(self, counts: list[tuple[int, int]], now: float) -> None:
        """Count latencies."""
        rows: dict[int, int] = {}
        for bucket, count in counts:
            row = min(bucket_range(bucket)[0].bit_length(), _ROWS - 1)
            rows[row] = rows.get(row, 0) + count
        for span, columns in self.spans.items():
            number = int(now * _COLUMNS // span)
            if number not in columns:
                for old in [one for one in columns if one <= number - _COLUMNS]:
                    del columns[old]
                columns[number] = {}
            cells = columns[number]
            for row, count in rows.items():
                cells[row] = cells.get(row, 0) + count

    def heat(self, span_s: int, now: float) -> Heat:
        """The last `span_s` seconds."""
        step, columns = span_s / _COLUMNS, self.spans[span_s]
        first = int(now * _COLUMNS // span_s) - _COLUMNS + 1
        cells = [[columns.get(first + n, {}).get(row, 0) for n in range(_COLUMNS)] for row in range(_ROWS)]
        return Heat(first * step, step, tuple(0 if row == 0 else 1 << (row - 1) for row in range(_ROWS)), cells)


class JobTrack(Struct):
    """One job, or all of them."""

    ring: Ring
    touched: float
    wait: Recent = field(default_factory=Recent)
    run: Recent = field(default_factory=Recent)
    wait_heat: HeatTrack = field(default_factory=HeatTrack)
    run_heat: HeatTrack = field(default_factory=HeatTrack)

    @classmethod
    def make(cls, now: float) -> JobTrack:
        """An empty one."""
        return cls(Ring.make(1, now, ("out", "failed")), now)


class PoolTrack(Struct):
    """What a pool's own events say of it."""

    ring: Ring
    heard_at: float
    name: str = ""
    running: int = 0
    buffered: int = 0
    workers: int = 0
    unsettled: int = 0
    prefetch: int = 0
    statements: int | None = None
    clock_ahead_s: float = 0.0

    @classmethod
    def make(cls, now: float) -> PoolTrack:
        """An empty one."""
        return cls(Ring.make(1, now, ("claims", "executions", "statements")), now)


class State(Struct):
    """A board's memory.

    Attributes:
        now: the database's clock at the last change.
        debts: executions per queue that seem to have come out of nowhere, to be held against the next that come.
        ended: executions that ended since the last snapshot, per queue.
        first_dead: since when each pool has looked dead.
        dropped_at: when events were last lost.
    """

    header: Header
    total: Track
    all_jobs: JobTrack
    now: float = 0.0
    snapshot: Snapshot | None = None
    queues: dict[str, Track] = field(default_factory=dict)
    jobs: dict[str, JobTrack] = field(default_factory=dict)
    pools: dict[int, PoolTrack] = field(default_factory=dict)
    ribbon: list[RibbonBatch] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)
    debts: dict[str, float] = field(default_factory=dict)
    first_dead: dict[int, float] = field(default_factory=dict)
    dropped_at: float | None = None
    events: int = 0
