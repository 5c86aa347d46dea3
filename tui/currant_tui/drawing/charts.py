"""Curves in characters: a column of eight steps per cell for a sparkline, dots of braille for a chart."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["braille", "resampled", "spark"]

_STEPS = " ▁▂▃▄▅▆▇█"
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Bits of a braille cell's left and right columns, from the bottom up."""


def resampled(values: Sequence[float | None], columns: int) -> list[float | None]:
    """The values as `columns` means, the last one of the last values; None where nothing is known."""
    made: list[float | None] = []
    for column in range(columns):
        low = len(values) * column // columns
        high = max(low + 1, len(values) * (column + 1) // columns)
        known = [value for value in values[low:high] if value is not None]
        made.append(sum(known) / len(known) if known else None)
    return made


def spark(values: Sequence[float | None], width: int) -> str:
    """One line; the tallest value fills the cell, what is above zero is always seen."""
    shown = resampled(values, width)
    top = max((value for value in shown if value is not None), default=0.0)
    if top <= 0:
        return "".join(" " if value is None else _STEPS[1] for value in shown)
    return "".join(" " if value is None else _STEPS[1 + round(7 * max(value, 0.0) / top)] for value in shown)


def braille(values: Sequence[float | None], width: int, height: int, top: float) -> list[str]:
    """The area below a curve in `height` lines of `width` cells; `top` is the value at the upper edge."""
    columns = resampled(values, width * 2)
    cells = [[0] * width for _ in range(height)]
    for column, value in enumerate(columns):
        if value is None:
            continue
        filled = min(height * 4, max(1, round(height * 4 * max(value, 0.0) / top))) if top > 0 else 1
        for dot in range(filled):
            cells[height - 1 - dot // 4][column // 2] |= _DOTS[column % 2][dot % 4]
    return ["".join(chr(0x2800 + bits) for bits in line) for line in cells]
