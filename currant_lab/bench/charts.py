"""The pictures of a report: settled over time, latencies, claim sizes, and where the processor time went."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from currant_lab.bench.figures import milliseconds
from currant_lab.bench.plan import Report
from currant_lab.pictures.base import COLORS, INK, Picture, axes_of, figure_of, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["chart", "charts"]

_SLICES = 40
_WIDTH, _HEIGHT = 6.4, 2.9
_PARTS = {"Python": COLORS["running"], "Rust": COLORS["retried"], "PostgreSQL": COLORS["succeeded"]}


def charts(report: Report) -> list[Picture]:
    """Each as a picture of its own.

    Raises:
        CurrantError: Matplotlib is not installed.
    """
    pictures = []
    for draw in _DRAWN:
        figure = figure_of(_WIDTH, _HEIGHT)
        pictures.append(Picture(figure, draw(axes_of(figure), report)))
    return pictures


def chart(report: Report) -> Picture:
    """All in one picture; raises as `charts`."""
    figure = figure_of(2 * _WIDTH, 2 * _HEIGHT)
    words = [draw(axes_of(figure, 2, 2, place), report) for place, draw in enumerate(_DRAWN, 1)]
    return Picture(figure, "; ".join(words))


def _say(axes: Axes, title: str, aside: str) -> str:
    axes.grid(visible=True, axis="y", color=INK, alpha=0.22, linewidth=0.6)
    say(axes, title, aside)
    return f"{title}: {aside}"


def _settled(axes: Axes, report: Report) -> str:
    """The rate in slices of the run, with its mean: a run that begins slowly or stalls shows it."""
    words = _say(axes, "Jobs ended per second, over the run", f"mean {report.per_second:,.0f}/s")
    length = max(report.seconds, report.timeline[-1][0])
    width = length / _SLICES
    counts = [0] * _SLICES
    before = 0
    for seconds, settled in report.timeline:
        counts[min(int(seconds / width), _SLICES - 1)] += settled - before
        before = settled
    starts = [i * width for i in range(_SLICES)]
    axes.bar(starts, [n / width for n in counts], width=width, align="edge", color=COLORS["succeeded"], alpha=0.75)
    axes.axhline(report.per_second, color=INK, linewidth=1.2, linestyle="--", label="mean of this run")
    if report.floor is not None:
        floor = report.floor.per_second
        axes.axhline(floor, color=COLORS["retried"], linewidth=1.2, linestyle="--", label="mean of the bare statements")
    axes.margins(y=0.25)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper right", ncols=2)
    axes.set_xlim(0, length)
    axes.set_xlabel("seconds since the first submit", fontsize=8.5)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    return words


def _latencies(axes: Axes, report: Report) -> str:
    words = _say(
        axes,
        "Latency by quantile",
        f"wait p50 {milliseconds(report.wait_ms.p50)}, run p50 {milliseconds(report.run_ms.p50)}",
    )
    names = ["p50", "p95", "p99", "p99.9", "max"]
    for name, latency, color in (
        ("wait, submitted to started", report.wait_ms, COLORS["running"]),
        ("run, started to ended", report.run_ms, COLORS["retried"]),
    ):
        values = [latency.p50, latency.p95, latency.p99, latency.p999, latency.maximum]
        axes.plot(names, [max(v, 1e-3) for v in values], marker="o", markersize=4, color=color, label=name)
        for i, value in enumerate(values):
            axes.annotate(
                milliseconds(value), (i, max(value, 1e-3)), textcoords="offset points", xytext=(0, 6), ha="center",
                fontsize=7.5, color=color,
            )  # fmt: skip
    axes.set_yscale("log")
    axes.margins(x=0.08, y=0.22)
    axes.set_ylabel("ms", fontsize=8.5)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="best")
    return words


def _claims(axes: Axes, report: Report) -> str:
    from matplotlib.ticker import MaxNLocator

    claims = report.claims
    words = _say(
        axes, "Claims by how many jobs they brought", f"{claims.claims:,} claims, {claims.mean:,.0f} on average"
    )
    sizes = claims.histogram or ((0, 0),)
    labels = ["none" if size == 0 else f"≤ {size:,}" for size, _ in sizes]
    bars = axes.bar(labels, [count for _, count in sizes], color=COLORS["running"], alpha=0.75)
    axes.bar_label(bars, [f"{count:,}" for _, count in sizes], fontsize=7.5, color=INK, padding=2)
    axes.margins(y=0.15)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(axis="x", labelrotation=30 if len(sizes) > 7 else 0)
    return words


def _costs(axes: Axes, report: Report) -> str:
    costs = report.costs
    parts = {"Python": costs.python_us, "Rust": costs.rust_us, "PostgreSQL": costs.postgres_us}
    known = {name: value for name, value in parts.items() if value is not None}
    words = _say(axes, "Processor time per job", f"{sum(known.values()):.1f} µs in all")
    for place, (name, value) in enumerate(reversed(known.items())):
        axes.barh(place, value, color=_PARTS[name], alpha=0.75, height=0.6)
        axes.annotate(f" {value:.1f} µs", (value, place), va="center", fontsize=8.5, color=INK)
    axes.set_yticks(range(len(known)), reversed(list(known)))
    axes.margins(x=0.15)
    axes.set_xlabel("microseconds", fontsize=8.5)
    return words


_DRAWN: tuple[Callable[[Axes, Report], str], ...] = (_settled, _latencies, _claims, _costs)
