"""The ribbon of claims: a bar for each batch, newest at the right, as high as it brought executions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from currant_tui.drawing import formats
from currant_tui.drawing.chart import rule
from currant_tui.drawing.lines import Ink, Line, pressed

__all__ = ["REASONS", "SCALE", "Batch", "Ribbon", "reason_ink", "ribbon"]

SCALE = 7
"""Cells at the left that the scale takes."""

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_QUEUE_INKS: tuple[Ink, ...] = ("one", "three", "four", "two", "five")

REASONS: tuple[tuple[str, str, Ink], ...] = (
    ("notify", "N", "one"),
    ("capacity", "C", "two"),
    ("poll", "P", "three"),
    ("start", "S", "four"),
)
"""Wake reason, its letter, its ink."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One claim's executions of one queue; `us` is how long the statement took."""

    size: int
    us: int
    reason: str
    queue: str


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The latest batches, oldest first.

    Attributes:
        chosen: the index of the one that `detail` tells about; it is marked where `marked`.
        detail: the chosen one in words.
        queues: the names of the queues, one letter each.
    """

    batches: tuple[Batch, ...]
    chosen: int = -1
    marked: bool = False
    detail: str = ""
    queues: tuple[str, ...] = ()


def reason_ink(reason: str) -> Ink:
    """The ink of a wake reason."""
    return next((ink for name, _, ink in REASONS if name == reason), "five")


def _letter(reason: str) -> str:
    return next((letter for name, letter, _ in REASONS if name == reason), reason[:1].upper() or "?")


def ribbon(data: Ribbon, width: int, height: int) -> list[Line]:
    """Bars on a log scale; below each its wake reason, how long it took, and where there are several its queue."""
    legend = "  ".join(f"{letter} {name}" for name, letter, _ in REASONS)
    lines = [rule("Claims, newest at the right", width, legend)]
    if not data.batches:
        return [
            *lines,
            [("  No pool has claimed anything since this was opened.", "")],
            [("  Each bar will be one claim: as high as the executions it brought at once.", "muted")],
        ]
    shown = data.batches[-(width - SCALE) :]
    blank = " " * (width - SCALE - len(shown))
    chosen = data.chosen - (len(data.batches) - len(shown)) if data.marked else -1
    several = len(data.queues) > 1
    tall = max(1, height - 4 - several)
    lines += _bars(shown, blank, tall, chosen)
    slowest = max(batch.us for batch in shown) or 1
    lines.append(_below("why", blank, [(_letter(one.reason), reason_ink(one.reason)) for one in shown]))
    steps = [(_EIGHTHS[max(1, math.ceil(one.us / slowest * 8))], "muted") for one in shown]
    lines.append(_below("took", blank, steps))  # type: ignore[arg-type]
    if several:
        places = {name: place for place, name in enumerate(data.queues)}
        lines.append(_below("queue", blank, [_queue(places.get(one.queue, 25)) for one in shown]))
    lines.append(pressed([(" " * SCALE, ""), (data.detail, "strong")], width))
    return lines[: max(1, height - 1)] + lines[-1:] if len(lines) > height else lines


def _bars(shown: tuple[Batch, ...], blank: str, tall: int, chosen: int) -> list[Line]:
    most = max(1, max(batch.size for batch in shown))
    levels = [_level(batch.size, most, tall * 8) for batch in shown]
    lines = []
    for row in range(tall - 1, -1, -1):
        label = formats.count(most) if row == tall - 1 else "1" if row == 0 and most > 1 else ""
        line: Line = [(label.rjust(SCALE - 1) + ("┤" if label else "│") + blank, "muted")]
        for place, (batch, level) in enumerate(zip(shown, levels, strict=True)):
            char = _EIGHTHS[max(0, min(8, level - row * 8))]
            if row == 0 and not batch.size:
                char = "·"
            if place == chosen:
                char = "┊" if char == " " else char
            line.append((char, "strong" if place == chosen else reason_ink(batch.reason)))
        lines.append(_joined(line))
    return lines


def _queue(place: int) -> tuple[str, Ink]:
    return chr(ord("a") + min(place, 25)), _QUEUE_INKS[place % len(_QUEUE_INKS)]


def _below(name: str, blank: str, pieces: list[tuple[str, Ink]]) -> Line:
    return _joined([(name.rjust(SCALE - 1) + " " + blank, "muted"), *pieces])


def _level(size: int, most: int, eighths: int) -> int:
    if size <= 0:
        return 0
    low = eighths // 6 or 1  # a batch of one is still seen
    return low + round((eighths - low) * math.log2(size) / math.log2(most)) if most > 1 else low


def _joined(line: Line) -> Line:
    joined: Line = []
    for text, ink in line:
        if joined and joined[-1][1] == ink:
            joined[-1] = (joined[-1][0] + text, ink)
        else:
            joined.append((text, ink))
    return joined
