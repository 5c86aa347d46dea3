"""Distributions: standing bars over a log scale of time or over a few classes, lying bars for things with names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from currant_lab.latency import bucket_range
from currant_tui.drawing import formats
from currant_tui.drawing.chart import rule
from currant_tui.drawing.lines import Ink, Line, fit

__all__ = ["Bars", "Distribution", "bars", "columns", "distribution"]

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_PARTS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Latencies as (bucket of `currant_lab.latency`, count), with marks as (name, microseconds)."""

    title: str
    counts: tuple[tuple[int, int], ...]
    marks: tuple[tuple[str, float], ...] = ()
    ink: Ink = "one"
    empty: str = "nothing has ended in the last five minutes"


@dataclass(frozen=True, slots=True)
class Bars:
    """Named counts: (name, count, ink)."""

    title: str
    rows: tuple[tuple[str, int, Ink], ...]
    hint: str = ""
    empty: str = "nothing yet"


def _octave(microseconds: float) -> float:
    """Where a latency stands on the scale: 0 at 1 us, one more for each doubling."""
    whole = max(1, int(microseconds))
    return whole.bit_length() - 1 + (microseconds / (1 << (whole.bit_length() - 1)) - 1 if microseconds >= 1 else 0)


def distribution(data: Distribution, width: int, height: int) -> list[Line]:
    """Standing bars on a log scale, with the marks below them."""
    total = sum(count for _, count in data.counts)
    lines = [rule(data.title, width, f"{formats.count(total)} in 5 min" if total else "")]
    if not total:
        return [*lines, [("  " + data.empty, "muted")]]
    tall = height - 3
    spans = [(bucket_range(bucket), count) for bucket, count in data.counts if count]
    low, high = _octave(spans[0][0][0]), _octave(spans[-1][0][1])
    if high - low < 4:  # a scale of at least four doublings, or a single spike would fill the picture
        low, high = max(0.0, low - 2), low + 4
    cells = max(1, width - 2)
    bins = [0.0] * cells
    scale = cells / (high - low)
    for (begin, end), count in spans:
        first = (_octave(begin) - low) * scale
        last = max(first + 1, (_octave(end) - low) * scale)
        inside = range(max(0, int(first)), min(cells, max(int(first) + 1, int(last))))
        for column in inside:
            bins[column] += count / len(inside)
    top = max(bins)
    for row in range(max(1, tall) - 1, -1, -1):
        text = ""
        for value in bins:
            level = value / top * max(1, tall) * 8
            if row == 0 and value:
                level = max(level, 1)
            text += _EIGHTHS[int(max(0, min(8, level - row * 8)))]
        lines.append([(" ", ""), (text, data.ink)])
    lines += [_scale(low, high, cells), _marks(data.marks, low, scale, cells)]
    return lines[:height]


def _scale(low: float, high: float, cells: int) -> Line:
    text, free = ["─"] * cells, 0
    for power in range(9):
        for step in (1, 3):
            value = step * 10.0**power
            place = round((_octave(value) - low) * cells / (high - low))
            label = "┴" + formats.micros(value).replace(".0", "")
            if place >= free and place >= 0 and place + len(label) <= cells and low <= _octave(value) <= high:
                text[place : place + len(label)] = label
                free = place + len(label) + 1
    return [(" ", ""), ("".join(text), "muted")]


def _marks(marks: Sequence[tuple[str, float]], low: float, scale: float, cells: int) -> Line:
    """An arrow below each mark; its name beside it where that is free."""
    line = [" "] * cells
    places = [max(0, min(cells - 1, round((_octave(value) - low) * scale))) for _, value in marks]
    for place in places:
        line[place] = "▲"
    for (name, _), place in zip(marks, places, strict=True):
        wide = len(name)
        for start in (place + 1, place - wide):
            around = line[max(start - 1, 0) : start] + line[start + wide : start + wide + 1]
            free = 0 <= start <= cells - wide and all(char == " " for char in line[start : start + wide])
            if free and all(char in " ▲" for char in around):
                line[start : start + wide] = name
                break
    return [(" ", ""), ("".join(line), "strong")]


def columns(data: Bars, width: int, height: int) -> list[Line]:
    """Standing bars with their names below: for classes in an order. What is there at all is seen."""
    total = sum(count for _, count, _ in data.rows)
    lines = [rule(data.title, width, data.hint)]
    if not total:
        return [*lines, [("  " + data.empty, "muted")]]
    tall = max(1, height - 2)
    wide = max(1, (width - 1) // len(data.rows))
    most = max(count for _, count, _ in data.rows)
    levels = [max(1, round(count / most * tall * 8)) if count else 0 for _, count, _ in data.rows]
    for row in range(tall - 1, -1, -1):
        line: Line = [(" ", "")]
        for (_, _, ink), level in zip(data.rows, levels, strict=True):
            bar = _EIGHTHS[max(0, min(8, level - row * 8))]
            line.append((bar * max(1, wide - 1) + " " * min(1, wide - 1), ink))
        lines.append(line)
    names = " "
    for place, (name, _, _) in enumerate(data.rows):
        if len(names) <= 1 + place * wide:  # a name that is too long takes the room of the next one
            names = names.ljust(1 + place * wide) + name + " "
    lines.append([(names, "muted")])
    return lines[:height]


def bars(data: Bars, width: int, height: int) -> list[Line]:
    """Lying bars, longest = most."""
    total = sum(count for _, count, _ in data.rows)
    lines = [rule(data.title, width, data.hint)]
    if not total:
        return [*lines, [("  " + data.empty, "muted")]]
    names = min(max(len(name) for name, _, _ in data.rows), width // 3)
    room = max(1, width - names - 16)
    most = max(count for _, count, _ in data.rows)
    for name, count, ink in data.rows[: height - 1]:
        eighths = round(count / most * room * 8)
        if count:
            eighths = max(1, eighths)
        bar = "█" * (eighths // 8) + (_PARTS[eighths % 8] if eighths % 8 else "")
        figures = f" {formats.count(count):>6} {formats.share(count / total):>6}"
        lines.append([(f" {fit(name, names, 'right')} ", ""), (fit(bar, room), ink), (figures, "muted")])
    return lines
