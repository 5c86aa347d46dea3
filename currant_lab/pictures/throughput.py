"""How many executions a pool has ended, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from currant_lab.pictures.base import COLORS, INK, Picture, axes_of, blank, duration, figure_of, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Second", "throughput"]

_POINTS = 300


class Second(NamedTuple):
    """What a pool ended within one second, and the seconds its handlers were busy in it, summed."""

    ended: int
    failed: int
    busy_s: float


def throughput(title: str, seconds: Sequence[Second], workers: int) -> Picture:
    """Executions a second, those that did not succeed among them, and how many workers were busy.

    Args:
        title: what it is about.
        seconds: one after the other, without gaps.
        workers: how many there are.
    """
    total = sum(second.ended for second in seconds)
    if not total:
        return blank(title, "nothing has ended yet")
    step = -(-len(seconds) // _POINTS)
    groups = [seconds[at : at + step] for at in range(0, len(seconds), step)]
    times = [float(at * step) for at in range(len(groups))] + [float(len(seconds))]
    ended = [sum(one.ended for one in group) / len(group) for group in groups]
    failed = [sum(one.failed for one in group) / len(group) for group in groups]
    busy = [sum(one.busy_s for one in group) / len(group) for group in groups]
    figure = figure_of(9.5, 3.4)
    grid = figure.add_gridspec(2, 1, height_ratios=[2.2, 1])
    above = axes_of(figure, grid[0])
    _stairs(above, ended, times, COLORS["succeeded"])
    if any(failed):
        _stairs(above, failed, times, COLORS["failed"])
    above.set_ylabel("per second")
    above.tick_params(labelbottom=False)
    below = axes_of(figure, grid[1], sharex=above)
    _stairs(below, busy, times, COLORS["running"])
    below.axhline(workers, color=INK, linewidth=0.9, linestyle=(0, (3, 2)))
    below.set_ylabel("busy workers")
    below.set_xlabel("seconds ago")
    below.set_xlim(0, times[-1])
    below.set_ylim(0, max(workers, *busy) * 1.15)
    below.xaxis.set_major_formatter(lambda at, _: f"{times[-1] - at:,.0f}")
    bad = sum(second.failed for second in seconds)
    words = f"{total:,} executions in {duration(len(seconds))}, at most {max(ended):,.0f}/s"
    words += f", {bad:,} failed" if bad else ""
    say(above, title, words)
    return Picture(figure, f"Throughput of {title}: {words}")


def _stairs(axes: Axes, values: Sequence[float], times: Sequence[float], color: str) -> None:
    axes.stairs(values, times, fill=True, color=color, alpha=0.85, linewidth=0)
    axes.set_ylim(0, None)
