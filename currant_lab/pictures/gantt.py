"""When the steps of a run were begun, ran and ended: a row for each, or for a group of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from currant_lab.pictures.base import INK, Picture, axes_of, blank, duration, figure_of, say
from currant_lab.pictures.gantt_rows import rows_of, spans_of
from currant_lab.pictures.graph_folding import fold
from currant_lab.pictures.graph_nodes import Node, label
from currant_lab.pictures.timeline import bars, legend

__all__ = ["gantt"]

_WIDTH_IN = 9.5
_LONGEST_NAME = 34


def gantt(title: str, nodes: Sequence[Node], now: float) -> Picture:
    """Steps as bars over time, one below the other; what waits, as a thin line.

    Args:
        title: what it is about.
        nodes: any number, parents first; many are folded into groups, each with the bars of all its steps.
        now: seconds since 1970 by the clock of their times.
    """
    rows = rows_of(fold(nodes))
    if not rows:
        return blank(title, "no step has begun yet")
    placed = [(row, span) for row, node in enumerate(rows) for span in spans_of(node, now)]
    start = min(span.asked_at or 0.0 for _, span in placed)
    length = max(max(span.finished_at or 0.0 for _, span in placed) - start, 1e-6)
    figure = figure_of(_WIDTH_IN, 0.95 + max(len(rows) * 0.22, 0.5))
    axes = axes_of(figure)
    waits = [(row, span) for row, span in placed if (span.started_at or now) > (span.asked_at or 0.0)]
    axes.hlines(
        [row for row, _ in waits], [(span.asked_at or 0.0) - start for _, span in waits],
        [(now if span.started_at is None else span.started_at) - start for _, span in waits], color=INK, linewidth=1.2,
    )  # fmt: skip
    ran = [(row, span) for row, span in placed if span.started_at is not None and span.status != "waiting"]
    bars(axes, ran, start, length, max(Counter(row for row, _ in placed).values()))
    axes.set_xlim(0, length)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("seconds")
    axes.set_yticks(range(len(rows)), [_short(label(node)) for node in rows], parse_math=False)
    axes.tick_params(axis="y", length=0)
    words = f"{len(nodes):,} {'step' if len(nodes) == 1 else 'steps'} in {duration(length)}"
    say(axes, title, words)
    legend(axes, Counter(span.status for _, span in ran))
    return Picture(figure, f"Timeline of {title}: {words}, {len(rows):,} {'row' if len(rows) == 1 else 'rows'}")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
