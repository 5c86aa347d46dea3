"""A canvas of braille dots: two columns and four rows of dots in every cell."""

from __future__ import annotations

from collections.abc import Sequence

from currant_tui.drawing.lines import Ink, Line

__all__ = ["Canvas", "resampled"]

_LEFT = (0x40, 0x44, 0x46, 0x47)
_RIGHT = (0x80, 0xA0, 0xB0, 0xB8)
"""The dots of a cell's left or right column from the lowest to the first, second, third, fourth."""


class Canvas:
    """Dots in `width` x `height` cells; the first row of dots is at the bottom."""

    def __init__(self, width: int, height: int) -> None:
        self.columns, self.rows = width * 2, height * 4
        self._dots = [[0] * width for _ in range(height)]
        self._inks: list[list[Ink]] = [[""] * width for _ in range(height)]

    def bar(self, column: int, low: int, high: int, ink: Ink) -> None:
        """Set the dots of a column from row `low` to row `high`, both included."""
        side, x = (_RIGHT if column % 2 else _LEFT), column // 2
        for cell in range(low // 4, high // 4 + 1):
            bits = side[min(high - 4 * cell, 3)]
            if low > 4 * cell:
                bits &= ~side[low - 4 * cell - 1]
            y = len(self._dots) - 1 - cell
            self._dots[y][x] |= bits
            self._inks[y][x] = ink

    def line(self, values: Sequence[float | None], top: float, ink: Ink, *, filled: bool = False) -> None:
        """A curve with one value per column of dots, `top` being the upper edge; None leaves a gap."""
        last: int | None = None
        for column, value in enumerate(values[: self.columns]):
            if value is None:
                last = None
                continue
            row = round(max(0.0, min(1.0, value / top)) * (self.rows - 1)) if top > 0 else 0
            if filled:
                self.bar(column, 0, row, ink)
            elif last is None or last == row:
                self.bar(column, row, row, ink)
            elif last < row:
                self.bar(column, last + 1, row, ink)
            else:
                self.bar(column, row, last - 1, ink)
            last = row

    def lines(self) -> list[Line]:
        """The picture."""
        picture: list[Line] = []
        for dots, inks in zip(self._dots, self._inks, strict=True):
            line: Line = []
            text, now = "", inks[0] if inks else ""
            for bits, ink in zip(dots, inks, strict=True):
                if bits and ink != now:
                    if text:
                        line.append((text, now))
                    text, now = "", ink
                text += chr(0x2800 + bits) if bits else " "
            picture.append([*line, (text, now)])
        return picture


def resampled(values: Sequence[float | None], columns: int) -> list[float | None]:
    """The values on `columns` columns: the highest of those that share one, so that no peak is lost."""
    if not values or columns <= 0:
        return [None] * max(0, columns)
    count = len(values)
    found: list[float | None] = []
    for column in range(columns):
        begin = column * count // columns
        end = max(begin + 1, (column + 1) * count // columns)
        found.append(max((value for value in values[begin:end] if value is not None), default=None))
    return found
