"""How long executions waited, and how long they ran."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from currant_lab.pictures.base import COLORS, INK, Picture, axes_of, blank, duration, figure_of, say
from currant_lab.pictures.spans import Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["latency"]

_BINS = 80
_LEAST_S = 1e-6
_SHARES = (0.50, 0.95, 0.99)


def latency(title: str, spans: Sequence[Span]) -> Picture:
    """The distributions of the wait (due to start) and the run (start to end), one above the other on one scale.

    Args:
        title: what it is about.
        spans: the attempts; those that still run count for the wait only.
    """
    waits = [s.started_at - s.asked_at for s in spans if s.started_at is not None and s.asked_at is not None]
    runs = [
        s.finished_at - s.started_at
        for s in spans
        if s.started_at is not None and s.finished_at is not None and s.status != "running"
    ]
    if not waits and not runs:
        return blank(title, "nothing has started yet")
    both = {"wait": sorted(max(s, _LEAST_S) for s in waits), "run": sorted(max(s, _LEAST_S) for s in runs)}
    low = min(values[0] for values in both.values() if values) / 1.3
    high = max(values[-1] for values in both.values() if values) * 1.3
    figure = figure_of(9.5, 3.5)
    above: Axes | None = None
    words = []
    for row, (name, values) in enumerate(both.items()):
        axes = axes_of(figure, 2, 1, row + 1, sharex=above)
        color = COLORS["running"] if name == "wait" else COLORS["succeeded"]
        _distribution(axes, values, color, low, high)
        said = ", ".join(f"p{share * 100:.0f} {duration(quantile(values, share))}" for share in _SHARES if values)
        words.append(f"{name} {said or 'not measured yet'}")
        say(axes, f"{title}: {name}" if above is None else name, f"{len(values):,} · {said}" if values else "")
        if above is None:
            above = axes
            axes.tick_params(labelbottom=False)
    return Picture(figure, f"Latency of {title}: {'; '.join(words)}")


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    return values[min(int(share * len(values)), len(values) - 1)]


def _distribution(axes: Axes, values: Sequence[float], color: str, low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    width = (math.log(high) - math.log(low)) / _BINS
    edges = [math.exp(math.log(low) + width * step) for step in range(_BINS + 1)]
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: duration(seconds)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if not values:
        return
    axes.hist(values, bins=edges, color=color, alpha=0.85, linewidth=0)
    for line, share in enumerate(_SHARES):
        at = quantile(values, share)
        axes.axvline(at, color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
        axes.annotate(
            f"p{share * 100:.0f}", (at, 1.0), xycoords=("data", "axes fraction"), xytext=(2, -9 - 9 * line),
            textcoords="offset points", color=INK, fontsize=8,
        )  # fmt: skip
