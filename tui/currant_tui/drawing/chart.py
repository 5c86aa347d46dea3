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
    if not highest > 1e-9:
        return 1.0
    power = 10 ** math.floor(math.log10(highest))
    return next(float(step * power) for step in (1, 2, 5, 10) if step * power >= highest * 0.9999)


def chart(data: Chart, width: int, height: int) -> list[Line]:
    """The curves with a title, a scale at the left and the time below; needs 4 lines."""
    write = FORMATS[data.unit]
    lines = [rule(data.title, width, data.hint), _legend(data, write, width)]
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
        label = _label(write(top)) if place == 0 else _label(write(top / 2)) if tall >= 5 and place == tall // 2 else ""
        edge = "┤" if label else "│"
        lines.append([(label.rjust(_SCALE - 1) + edge, "muted"), *line])
    lines.append(_times(data.span_s, width))
    return lines


def _label(text: str) -> str:
    return text.replace(".0", "")


def _legend(data: Chart, write: Callable[[float | None], str], width: int) -> Line:
    line: Line = [(" ", "")]
    for trace in data.traces:
        line += [("■ " if trace.filled else "━ ", trace.ink), (f"{trace.name} ", "muted")]
        line += [(f"{write(_latest(trace.values))} ", "strong"), ("  ", "")]
    if length(line) > width:
        return [piece for piece in line if piece[1] != "strong"]
    return line


def _latest(values: Sequence[float | None]) -> float | None:
    """The last slot still runs; the one before it is whole."""
    return next((value for value in (*values[-2:-1], *reversed(values)) if value is not None), None)


def _times(span_s: int, width: int) -> Line:
    cells = width - _SCALE
    parts = next((parts for parts in (5, 4, 3) if span_s % (parts * 60) == 0 and cells >= 8 * parts), 1)
    marks = [f"-{span_s * part // (parts * 60)}m" for part in range(parts, 0, -1)] + ["now"]
    text = "0".rjust(_SCALE - 2) + " └"
    for place, mark in enumerate(marks):
        text = text.ljust(_SCALE + round(place * (cells - 4) / parts), "─") + mark
    return [(text, "muted")]


def spark(values: Sequence[float | None], width: int) -> str:
    """A curve in one line of blocks, as many cells as asked for; what is above zero stands out from the ground."""
    sampled = resampled(values, width)
    top = max((value for value in sampled if value is not None), default=0.0)
    if top <= 0:
        return "".join(" " if value is None else _EIGHTHS[0] for value in sampled)
    return "".join(" " if value is None else _EIGHTHS[math.ceil(max(value, 0.0) / top * 7)] for value in sampled)
