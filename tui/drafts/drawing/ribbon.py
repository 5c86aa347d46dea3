"""The ribbon of claims: a bar for each batch, newest at the right, as high as it brought executions."""

from __future__ import annotations

from dataclasses import dataclass

from currant_tui.drawing import formats
from currant_tui.drawing.chart import rule
from currant_tui.drawing.lines import Ink, Line

__all__ = ["REASONS", "Batch", "Ribbon", "reason_ink", "ribbon"]

_EIGHTHS = " ▁▂▃▄▅▆▇█"

REASONS: tuple[tuple[str, str, Ink], ...] = (
    ("notify", "N", "one"),
    ("capacity", "C", "two"),
    ("poll", "P", "three"),
    ("start", "S", "four"),
)
"""Wake reason, its letter, its ink."""


def reason_ink(reason: str) -> Ink:
    """The ink of a wake reason."""
    return next((ink for name, _, ink in REASONS if name == reason), "five")


def _letter(reason: str) -> str:
    return next((letter for name, letter, _ in REASONS if name == reason), reason[:1].upper() or "?")


Batch = tuple[int, str]
"""Executions of one claim, and what woke it."""


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The latest batches, oldest first."""

    batches: tuple[Batch, ...]
    hint: str = ""


def ribbon(data: Ribbon, width: int, height: int) -> list[Line]:
    """Bars on a log scale (each eighth of the height is a doubling or less), with a letter for the reason below."""
    lines = [rule("Claims, newest at the right", width, data.hint)]
    if not data.batches:
        return [
            *lines,
            [("  No pool has claimed anything since this was opened.", "")],
            [("  Each bar will be one claim: as high as the executions it brought at once.", "muted")],
        ]
    scale = 7
    shown = data.batches[-(width - scale - 1) :]
    most = max(1, max(size for size, _ in shown))
    tall = max(1, height - 2)
    levels = [_level(size, most, tall * 8) for size, _ in shown]
    blank = " " * (width - scale - 1 - len(shown))
    for row in range(tall - 1, -1, -1):
        label = formats.count(most) if row == tall - 1 else "1" if row == 0 and tall > 1 and most > 1 else ""
        line: Line = [(label.rjust(scale - 1) + ("┤" if label else "│"), "muted"), (blank, "")]
        for (_, reason), level in zip(shown, levels, strict=True):
            line.append((_EIGHTHS[max(0, min(8, level - row * 8))], reason_ink(reason)))
        lines.append(_joined(line))
    below: Line = [("why".rjust(scale - 1) + " ", "muted"), (blank, "")]
    below += [(_letter(reason) if size else "·", reason_ink(reason)) for size, reason in shown]
    lines.append(_joined(below))
    return lines


def _level(size: int, most: int, eighths: int) -> int:
    if size <= 0:
        return 0
    low = eighths // 6 or 1  # a batch of one is still seen
    return low + round((eighths - low) * (size.bit_length() - 1) / max(1, most.bit_length() - 1)) if most > 1 else low


def _joined(line: Line) -> Line:
    joined: Line = []
    for text, ink in line:
        if joined and joined[-1][1] == ink:
            joined[-1] = (joined[-1][0] + text, ink)
        else:
            joined.append((text, ink))
    return joined
