"""How many executions a pool has started and ended, over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from currant_lab.pictures.base import COLORS, INK, Picture, axes_of, blank, duration, figure_of, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Step", "throughput"]

_POINTS = 300
"""Steps across, at most: beyond, neighbours are drawn as one."""

_NAMES = ("succeeded", "retried", "failed", "cancelled")


class Step(Protocol):
    """What a pool did in one step of time: executions that were started, and that ended so; attempts that failed and
    were to run again; the seconds its workers were busy, summed."""

    @property
    def started(self) -> int: ...
    @property
    def succeeded(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def cancelled(self) -> int: ...
    @property
    def retried(self) -> int: ...
    @property
    def busy_s(self) -> float: ...


def throughput(title: str, steps: Sequence[Step], step_s: float, workers: int) -> Picture:
    """Executions a second by how they ended, the starts as a line above them, and how many workers were busy.

    Args:
        title: what it is about.
        steps: one after the other, without gaps. The last one is of the time that still runs.
        step_s: the seconds of each.
        workers: how many there are.
    """
    totals = {name: sum(getattr(step, name) for step in steps) for name in ("started", *_NAMES)}
    if not totals["started"]:
        return blank(title, "nothing has started yet")
    width = -(-len(steps) // _POINTS)
    groups = [steps[at : at + width] for at in range(0, len(steps), width)]
    length = len(steps) * step_s
    times = [min(at * width * step_s, length) for at in range(len(groups) + 1)]

    def rates(name: str) -> list[float]:
        return [sum(getattr(one, name) for one in group) / (len(group) * step_s) for group in groups]

    figure = figure_of(9.5, 3.6)
    grid = figure.add_gridspec(2, 1, height_ratios=[2.2, 1])
    above = axes_of(figure, grid[0])
    best, shown = _pile(above, {name: rates(name) for name in _NAMES if totals[name]}, times)
    above.stairs(rates("started"), times, color=COLORS["running"], linewidth=1.3, label="started", baseline=None)
    above.set_ylim(0, None)
    above.set_ylabel("per second")
    above.tick_params(labelbottom=False)
    above.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5, labelcolor=INK)
    below = axes_of(figure, grid[1], sharex=above)
    busy = rates("busy_s")
    below.stairs(busy, times, fill=True, color=COLORS["running"], alpha=0.85, linewidth=0)
    below.axhline(workers, color=INK, linewidth=0.9, linestyle=(0, (3, 2)))
    below.set_ylabel("busy workers")
    below.set_xlabel("seconds since it started" if length < 600 else "minutes since it started")
    below.set_xlim(0, length)
    below.set_ylim(0, max(workers, *busy) * 1.15)
    if length >= 600:
        below.xaxis.set_major_formatter(lambda at, _: f"{at / 60:,.0f}")
    ended = sum(totals[name] for name in shown if name != "retried")
    words = f"{ended:,} executions in {duration(length)}, at most {best:,.0f}/s"
    words += "".join(f", {totals[name]:,} {name}" for name in ("retried", "failed", "cancelled") if totals[name])
    say(above, title, words)
    return Picture(figure, f"Throughput of {title}: {words}")


def _pile(axes: Axes, columns: dict[str, list[float]], times: Sequence[float]) -> tuple[float, list[str]]:
    """The columns as areas one on top of the other; the highest point, and what was drawn."""
    low = [0.0] * (len(times) - 1)
    for name, values in columns.items():
        high = [one + more for one, more in zip(low, values, strict=True)]
        axes.stairs(high, times, baseline=low, fill=True, color=COLORS[name], alpha=0.85, linewidth=0, label=name)
        low = high
    return max(low), list(columns)
