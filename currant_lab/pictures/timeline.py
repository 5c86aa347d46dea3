"""Which worker ran what, when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from currant_lab.pictures.base import COLORS, INK, Picture, axes_of, blank, duration, figure_of, say
from currant_lab.pictures.spans import Laid, Span, lay

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bars", "legend", "timeline"]

_WIDTH_IN = 9.5
_PIXELS = 1600
"""Across, as drawn: spans in a lane that together have fewer pixels than two each are drawn as shades."""

_SHADES = 600


def timeline(title: str, spans: Sequence[Span]) -> Picture:
    """Attempts as bars over time, in lanes per pool.

    Args:
        title: what it is about.
        spans: any number; up to some thousands each has a bar of its own, beyond, shades say how busy a lane was.
    """
    laid = lay(spans)
    if not laid.placed:
        return blank(title, "nothing has started yet")
    count = sum(lanes for _, lanes in laid.lanes)
    figure = figure_of(_WIDTH_IN, 0.95 + min(max(count * 0.17, 0.5), 4.6))
    axes = axes_of(figure)
    start = min(span.started_at or 0.0 for _, span in laid.placed)
    end = max(span.finished_at or 0.0 for _, span in laid.placed)
    length = max(end - start, 1e-6)
    busiest = max(Counter(lane for lane, _ in laid.placed).values())
    if busiest * 2 > _PIXELS:
        _shade(axes, laid, count, start, length)
    else:
        bars(axes, laid.placed, start, length, busiest)
    axes.set_xlim(0, length)
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_xlabel("seconds")
    _name_lanes(axes, laid)
    busy = sum((s.finished_at or 0.0) - (s.started_at or 0.0) for _, s in laid.placed) / (length * count)
    words = f"{_counted(len(laid.placed), 'attempt')} in {duration(length)}, lanes busy {busy:.0%}"
    say(axes, title, words)
    legend(axes, Counter(span.status for _, span in laid.placed))
    pools = _counted(len(laid.lanes), "pool")
    return Picture(figure, f"Timeline of {title}: {words}; {_counted(count, 'lane')} of {pools}")


def bars(axes: Axes, placed: Sequence[tuple[int, Span]], start: float, length: float, busiest: int) -> None:
    """A bar each. What has failed is drawn last, and never thinner than can be seen."""
    from matplotlib.collections import PolyCollection

    least = length / _PIXELS
    # A hair's breadth between neighbours, as long as there is room for it.
    gap = least if busiest * 8 < _PIXELS else 0.0
    edge: dict[str, Any] = (
        {"linewidths": 0.25, "edgecolors": (0.5, 0.5, 0.5, 0.55)} if gap == 0.0 else {"linewidths": 0}
    )
    for status, color in COLORS.items():
        shapes = []
        for lane, span in placed:
            if span.status != status:
                continue
            left = (span.started_at or 0.0) - start
            right = max((span.finished_at or 0.0) - start - gap, left + least * (2.5 if status == "failed" else 1.2))
            top, low = lane - 0.42, lane + 0.42
            shapes.append(((left, top), (right, top), (right, low), (left, low)))
        if shapes:
            axes.add_collection(PolyCollection(shapes, facecolors=color, **edge))


def _shade(axes: Axes, laid: Laid, count: int, start: float, length: float) -> None:
    """How busy each lane was in each stretch of time; a stretch in which something failed has its colour."""
    import numpy as np
    from matplotlib.colors import to_rgb

    busy = np.zeros((count, _SHADES))
    failed = np.zeros((count, _SHADES), dtype=bool)
    step = length / _SHADES
    lanes = np.array([lane for lane, _ in laid.placed])
    begin = np.array([(span.started_at or 0.0) - start for _, span in laid.placed]) / step
    until = np.array([(span.finished_at or 0.0) - start for _, span in laid.placed]) / step
    first = np.clip(begin.astype(int), 0, _SHADES - 1)
    last = np.clip(until.astype(int), 0, _SHADES - 1)
    whole = first == last
    np.add.at(busy, (lanes[whole], first[whole]), (until - begin)[whole])
    for index in np.flatnonzero(~whole):
        lane, low, high = lanes[index], first[index], last[index]
        busy[lane, low] += low + 1 - begin[index]
        busy[lane, low + 1 : high] += 1.0
        busy[lane, high] += until[index] - high
    bad = np.array([span.status == "failed" for _, span in laid.placed])
    failed[lanes[bad], first[bad]] = True
    image = np.zeros((count, _SHADES, 4))
    image[..., :3] = to_rgb(COLORS["succeeded"])
    image[failed, :3] = to_rgb(COLORS["failed"])
    image[..., 3] = np.where(busy > 0, 0.15 + 0.85 * np.clip(busy, 0, 1), 0.0)
    image[failed, 3] = 1.0
    extent = (0.0, length, count - 0.5, -0.5)
    axes.imshow(image, aspect="auto", extent=extent, interpolation="nearest", zorder=2)


def _name_lanes(axes: Axes, laid: Laid) -> None:
    ticks, names, above = [], [], 0
    for pool, lanes in laid.lanes:
        ticks.append(above + (lanes - 1) / 2)
        whose = "pool ?" if pool is None else f"pool {pool}"
        names.append(f"{whose}\n{_counted(lanes, 'lane')}" if lanes > 1 else whose)
        if above:
            axes.axhline(above - 0.5, color=INK, linewidth=0.7)
        above += lanes
    axes.set_yticks(ticks, names)
    axes.tick_params(axis="y", length=0)


def legend(axes: Axes, counts: Counter[str]) -> None:
    """The colours that are there, unless all is well."""
    from matplotlib.patches import Patch

    there = [status for status in COLORS if counts[status]]
    if there == ["succeeded"]:
        return
    handles: list[Any] = [Patch(color=COLORS[status], label=f"{status} {counts[status]:,}") for status in there]
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5, labelcolor=INK
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
