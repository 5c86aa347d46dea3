"""Curves over time with their scale, and the small ones that fit into a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from currant_tui.drawing import formats
from currant_tui.drawing.braille import Canvas, resampled
from currant_tui.drawing.lines import Ink, Line, length, pressed

__all__ = ["Chart", "Trace", "chart", "nice_top", "rule", "spark"]

_EIGHTHS = "▁▂▃▄▅▆▇█"
_SCALE = 7

FORMATS: dict[str, Callable[[float | None], str]] = {
    "count": formats.count,
    "rate": formats.rate,
    "micros": formats.micros,
}


@dataclass(frozen=True, slots=True)
class Trace:
    """One curve: its name, its ink, one value for each step of time."""

    name: str
    ink: Ink
    values: tuple[float | None, ...]
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of curves.

    Attributes:
        title: what is shown.
        traces: the curves; all have the same steps of time.
        span_s: the seconds from the left edge to now.
        unit: `count`, `rate` or `micros`: how values are written.
        hint: what to press for more, at the right of the title.
    """

    title: str
    traces: tuple[Trace, ...]
    span_s: int
    unit: str = "count"
    hint: str = ""


def rule(title: str, width: int, right: str = "") -> Line:
    """The line above a picture: its name, and what else is to be said at the right."""
    line: Line = [("─ ", "muted"), (title, "title"), (" ", "")]
    tail = f" {right} ─" if right else ""
    free = width - length(line) - len(tail)
    if free < 1:
        return pressed(line, width)
    return [*line, ("─" * free, "muted"), (tail, "muted")]


def nice_top(highest: float) -> float:
    """The upper edge of a scale: 1, 2 or 5 times a power of ten, not below `highest`."""
    if not highest > 0:
        return 1.0
    power = 10 ** math.floor(math.log10(highest))
    return next(float(step * power) for step in (1, 2, 5, 10) if step * power >= highest * 0.9999)


def chart(data: Chart, width: int, height: int) -> list[Line]:
    """The curves with a title, a scale at the left and the time below; needs 4 lines."""
    write = FORMATS[data.unit]
    lines = [rule(data.title, width, data.hint), _legend(data, write)]
    tall = height - 3
    if tall < 1 or width < _SCALE + 8:
        return lines[:height]
    canvas = Canvas(width - _SCALE - 1, tall)
    sampled = [(trace, resampled(trace.values, canvas.columns)) for trace in data.traces]
    known = [value for _, values in sampled for value in values if value is not None]
    if not known:
        lines += [[]] * (tall // 2) + [[(" " * (_SCALE + 1) + "nothing yet: it fills while this runs", "muted")]]
        return lines
    top = nice_top(max(known))
    for trace, values in sampled:
        canvas.line(values, top, trace.ink, filled=trace.filled)
    for place, line in enumerate(canvas.lines()):
        label = write(top) if place == 0 else write(top / 2) if tall >= 5 and place == tall // 2 else ""
        edge = "┤" if label else "│"
        lines.append([(label.rjust(_SCALE - 1) + edge, "muted"), *line])
    lines.append(_times(data.span_s, width))
    return lines


def _legend(data: Chart, write: Callable[[float | None], str]) -> Line:
    line: Line = [(" " * _SCALE, "")]
    for trace in data.traces:
        latest = next((value for value in reversed(trace.values) if value is not None), None)
        line += [("■ " if trace.filled else "━ ", trace.ink), (f"{trace.name} ", "muted"), (write(latest), "strong")]
        line.append(("   ", ""))
    return line


def _times(span_s: int, width: int) -> Line:
    cells = width - _SCALE
    marks = [f"-{span_s // 60}m", f"-{span_s * 2 // 180}m" if span_s > 300 else "", "", "now"]
    if cells >= 40:
        marks = [f"-{span_s * part / 240:g}m" for part in (4, 3, 2, 1)] + ["now"]
    text = "0".rjust(_SCALE - 2) + " └"
    step = (cells - 4) / (len(marks) - 1)
    for place, mark in enumerate(marks):
        text = text.ljust(_SCALE + round(place * step), "─") + mark
    return [(text, "muted")]


def spark(values: Sequence[float | None], width: int, ink: Ink) -> tuple[tuple[str, Ink], ...]:
    """A curve in one line of blocks; as many cells as asked for."""
    sampled = resampled(values, width)
    top = max((value for value in sampled if value is not None), default=0)
    text = ""
    for value in sampled:
        if value is None:
            text += " "
        else:
            text += _EIGHTHS[min(7, int(value / top * 7.999))] if top > 0 else _EIGHTHS[0]
    return ((text, ink), ("", ""))
