"""A canvas of braille dots: two columns and four rows of dots in every cell."""

from __future__ import annotations

from collections.abc import Sequence

from currant_tui.drawing.lines import Ink, Line

__all__ = ["Canvas", "resampled"]

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


class Canvas:
    """Dots in `width` x `height` cells; the first row of dots is at the bottom."""

    def __init__(self, width: int, height: int) -> None:
        self.columns, self.rows = width * 2, height * 4
        self._dots = [[0] * width for _ in range(height)]
        self._inks: list[list[Ink]] = [[""] * width for _ in range(height)]

    def dot(self, column: int, row: int, ink: Ink) -> None:
        """Set one dot, rows counted from below."""
        if 0 <= column < self.columns and 0 <= row < self.rows:
            y, part = divmod(self.rows - 1 - row, 4)
            self._dots[y][column // 2] |= _DOTS[part][column % 2]
            self._inks[y][column // 2] = ink

    def line(self, values: Sequence[float | None], top: float, ink: Ink, *, filled: bool = False) -> None:
        """A curve with one value per column of dots, `top` being the upper edge; None leaves a gap."""
        last: int | None = None
        for column, value in enumerate(values):
            if value is None:
                last = None
                continue
            row = round(max(0.0, min(1.0, value / top)) * (self.rows - 1)) if top > 0 else 0
            low, high = (0, row) if filled else (row if last is None else min(last, row), max(row, last or 0, row))
            if not filled and last is not None and low != high:
                low, high = (low + 1, high) if low == last else (low, high - 1)
            for one in range(low, high + 1):
                self.dot(column, one, ink)
            last = row

    def lines(self) -> list[Line]:
        """The picture."""
        picture: list[Line] = []
        for dots, inks in zip(self._dots, self._inks, strict=True):
            line: Line = []
            for bits, ink in zip(dots, inks, strict=True):
                char = chr(0x2800 + bits) if bits else " "
                if line and (line[-1][1] == ink or not bits):
                    line[-1] = (line[-1][0] + char, line[-1][1])
                else:
                    line.append((char, ink))
            picture.append(line)
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
        known = [value for value in values[begin:end] if value is not None]
        found.append(max(known) if known else None)
    return found
