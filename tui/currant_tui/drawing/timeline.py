"""When the steps of a run waited and ran: a row for each, or for a group of them; and the axis above."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from currant_lab.pictures.base import duration
from currant_lab.pictures.gantt_rows import spans_of
from currant_lab.pictures.graph_nodes import SIGNS, Node, label, said
from currant_lab.pictures.spans import Span
from currant_tui.drawing.columns import Cell, Column, Row
from currant_tui.drawing.executions import SIGNS as INKS_OF
from currant_tui.drawing.formats import age, count, micros
from currant_tui.drawing.lines import Ink, Piece

__all__ = ["TIMELINE", "axis", "span_bar", "spans_bar", "timeline_rows"]

TIMELINE = (
    Column("step", "step", 16, stretches=True, most=30),
    Column("took", "took", 6, "right"),
    Column("said", "how it stands", 18, rank=1, stretches=True, most=30),
    Column("when", "when", 30, stretches=True),
)
_LEVELS = "▁▂▃▄▅▆▇█"
_NICE = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)
_TICK = 8
"""Cells between two marks of the axis, at least."""


def timeline_rows(rows: Sequence[Node], begin: float, now: float, end: float, width: int) -> tuple[Row, ...]:
    """The rows (see `gantt_rows.rows_of`) of a run from `begin` to `end`, the last cell of each `width` cells wide."""
    return tuple(_row(node, begin, now, end, width) for node in rows)


def _row(node: Node, begin: float, now: float, end: float, width: int) -> Row:
    sign, ink = SIGNS.get(node.status, "?"), INKS_OF.get(node.status, ("?", "muted"))[1]
    name: Cell = ((f"{sign} ", ink), (label(node), "strong"))
    seconds = node.seconds(now) or 0.0
    words = " · ".join(word for word in said(node, now).split(" · ") if word != duration(seconds))
    took = micros(seconds * 1e6)
    return Row(
        str(node.key),
        (name, (took, ""), (words, "" if node.parts or node.counts else ink),
         spans_bar(spans_of(node, now), begin, now, end, width, ink)),
    )  # fmt: skip


def spans_bar(spans: Sequence[Span], begin: float, now: float, end: float, width: int, ink: Ink) -> Cell:
    """Spans on a line of `width` cells from `begin` to `end`: ┄ where they wait, and where several run at once, how
    many of the most there were."""
    if width <= 0 or not spans:
        return ("", "")
    if len(spans) == 1:
        first, last = spans[0].asked_at or begin, spans[0].finished_at or now
        ran_from = last if spans[0].started_at is None or spans[0].status == "waiting" else spans[0].started_at
        return span_bar(first, ran_from, last, begin, end, width, ink)
    scale = width / max(end - begin, 1e-6)
    waits, runs, bad = [0] * (width + 1), [0] * (width + 1), [0] * (width + 1)
    for span in spans:
        start = span.started_at if span.status != "waiting" else None
        first, last = span.asked_at or begin, span.finished_at or now
        _add(waits, first, last if start is None else start, begin, scale)
        if start is not None:
            _add(runs, start, last, begin, scale)
            if span.status == "failed":
                _add(bad, start, last, begin, scale)
    most = max(accumulate(runs))
    cells: list[Piece] = []
    for waiting, running, failed in zip(accumulate(waits), accumulate(runs), accumulate(bad), strict=True):
        if running:
            letter = "━" if most == 1 else _LEVELS[max(round(running / most * len(_LEVELS)), 1) - 1]
            own: Ink = "bad" if failed else "good" if ink == "bad" else ink
        else:
            letter, own = ("┄", "muted") if waiting else (" ", "")
        if cells and cells[-1][1] == own:
            cells[-1] = (cells[-1][0] + letter, own)
        else:
            cells.append((letter, own))
    text, own = cells[-1]  # one more than there are: where the last ends
    return (*cells[:-1], (text[:-1], own))


def _add(differences: list[int], first: float, last: float, begin: float, scale: float) -> None:
    """One more from the cell of `first` to that of `last`, at least one."""
    if last <= first and scale:
        last = first
    width = len(differences) - 1
    left = min(max(int((first - begin) * scale), 0), width - 1)
    right = min(max(round((last - begin) * scale), left + 1), width)
    differences[left] += 1
    differences[right] -= 1


def span_bar(first: float, started: float, last: float, begin: float, end: float, width: int, ink: Ink) -> Cell:
    """From `first` to `last` on a line of `width` cells from `begin` to `end`: it waits ┄ before it has started ━."""
    if width <= 0:
        return ("", "")
    scale = width / max(end - begin, 1e-6)
    left = min(max(int((first - begin) * scale), 0), width - 1)
    right = min(max(round((last - begin) * scale), left + 1), width)
    middle = min(max(round((started - begin) * scale), left), right)
    if middle == right and (started < last or started <= first):
        middle -= 1  # that it ran at all is seen
    pieces: tuple[Piece, ...] = (
        (" " * left, ""), ("┄" * (middle - left), "muted"), ("━" * (right - middle), ink),
        (" " * (width - right), ""),
    )  # fmt: skip
    return pieces


def axis(seconds: float, width: int) -> str:
    """The marks of a line of `width` cells that is `seconds` long: `╷0 s      ╷5 s`."""
    if width <= 0 or seconds <= 0:
        return ""
    step = _step(seconds * _TICK / width)
    marks, number = [" "] * width, 0
    while (place := round(number * step / seconds * width)) < width:
        text = f"╷{_moment(number * step)}"
        if place + len(text) <= width:
            marks[place : place + len(text)] = text
        number += 1
    return "".join(marks)


def _step(least: float) -> float:
    """The roundest span of time that is not shorter."""
    if least >= 1:
        return next((float(nice) for nice in _NICE if nice >= least), float(-(-least // 86_400) * 86_400))
    power = next((power for digits in range(1, 7) if least >= (power := 10.0**-digits)), 1e-7)
    return next((nice * power for nice in (1, 2, 5) if nice * power >= least), 10 * power)


def _moment(seconds: float) -> str:
    if seconds == 0:
        return "0"
    if seconds < 1:
        return micros(seconds * 1e6)
    if seconds < 100:
        return f"{seconds:g}s"
    hours, minutes, rest = int(seconds // 3_600), int(seconds % 3_600 // 60), int(seconds % 60)
    if seconds < 3_600:
        return f"{int(seconds // 60)}m{rest:02}" if rest else f"{int(seconds // 60)}m"
    if seconds < 172_800:
        return f"{hours}h{minutes:02}" if minutes else f"{hours}h"
    return age(seconds) if seconds % 86_400 == 0 else f"{count(hours)}h"
