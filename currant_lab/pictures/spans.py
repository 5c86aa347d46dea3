"""Attempts as spans of time, and the lanes they are drawn in."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Laid", "Span", "lay"]

_BLUR_S = 0.1
"""How late the end of an attempt may be known, on a busy machine."""


class Span(NamedTuple):
    """One attempt at an execution. Times are seconds since 1970 by the database's clock; None where not yet.

    Attributes:
        status: that of the execution, or `retried` for an attempt that failed and was to run again.
        pool: the id of the pool that ran it.
        asked_at: when it was submitted, or due; None for `retried`.
        started_at: when its handler started.
        finished_at: when its handler ended; the present time where it still runs.
        workers: how many workers that pool has; None when it isn't known.
    """

    status: str
    pool: int | None
    asked_at: float | None
    started_at: float | None
    finished_at: float | None
    workers: int | None = None


class Laid(NamedTuple):
    """Spans in lanes.

    Attributes:
        lanes: per pool, in the order of its first start: (pool, number of lanes).
        placed: (lane, span) in the order of their starts; lanes are numbered through all pools.
    """

    lanes: list[tuple[int | None, int]]
    placed: list[tuple[int, Span]]


def lay(spans: Sequence[Span]) -> Laid:
    """Put spans into as few lanes as it takes, for each pool, so that none overlap.

    The database doesn't keep which slot of a pool ran what. Those of one pool that never ran at once fit into one
    lane, so there are as many lanes as it had executions running at once: its busy workers. Times are those of the
    statement that settled, some milliseconds late, so neighbours may seem to overlap: that alone makes no lane more
    than there are workers.
    """
    by_pool: dict[int | None, list[Span]] = {}
    for span in sorted((s for s in spans if s.started_at is not None and s.finished_at is not None), key=_start):
        by_pool.setdefault(span.pool, []).append(span)
    lanes, placed, above = [], [], 0
    for pool, own in by_pool.items():
        free: list[int] = []  # the lowest free lane is taken first, so that the upper lanes are the busy ones
        busy: list[tuple[float, int]] = []
        count = 0
        for span in own:
            while busy and busy[0][0] <= _start(span):
                heapq.heappush(free, heapq.heappop(busy)[1])
            if free:
                lane = heapq.heappop(free)
            elif count >= (span.workers or count + 1) and busy[0][0] - _start(span) < _BLUR_S:
                lane = heapq.heappop(busy)[1]
            else:
                lane, count = count, count + 1
            heapq.heappush(busy, (max(_start(span), span.finished_at or 0.0), lane))
            placed.append((above + lane, span))
        lanes.append((pool, count))
        above += count
    return Laid(lanes, placed)


def _start(span: Span) -> float:
    return span.started_at or 0.0
