"""Columns of a table: which of them fit, and the lines they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from currant_tui.drawing.lines import Ink, Line, Piece, fit, length, pressed

__all__ = ["Cell", "Column", "Row", "fitting", "header_line", "row_line"]

Cell = Piece | tuple[Piece, ...]
"""A text with its ink, or several of them side by side (a bar, say)."""

GAP = " "
_NO_TITLES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        key: its name for the program: rows hold their cells by it, and sorting asks for it.
        title: what stands above it.
        width: cells; of a column that stretches, the fewest.
        align: numbers belong right.
        rank: when not all fit, the highest ranks go first; 0 always stays.
        stretches: takes what is left of the width.
        most: the most cells that a column which stretches takes; 0 means no limit.
    """

    key: str
    title: str
    width: int
    align: Literal["left", "right"] = "left"
    rank: int = 0
    stretches: bool = False
    most: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its key, which must be unique and stay the same, and a cell for each column."""

    key: str
    cells: tuple[Cell, ...]
    ink: Ink = ""


def fitting(columns: Sequence[Column], width: int) -> list[tuple[int, Column, int]]:
    """The columns that fit into `width` cells, as (index, column, its width)."""
    kept = list(enumerate(columns))
    while len(kept) > 1 and sum(column.width + len(GAP) for _, column in kept) > width + len(GAP):
        worst = max(kept, key=lambda one: (one[1].rank, one[0]))
        if worst[1].rank == 0:
            break
        kept.remove(worst)
    spare = width - sum(column.width for _, column in kept) - len(GAP) * (len(kept) - 1)
    widths = [column.width for _, column in kept]
    stretching = [place for place, (_, column) in enumerate(kept) if column.stretches]
    for place in stretching:
        limit = kept[place][1].most
        share = max(0, spare) if place == stretching[-1] else max(0, spare) // len(stretching)
        taken = min(share, limit - widths[place]) if limit else share
        widths[place] += max(0, taken)
        spare -= max(0, taken)
    return [(index, column, wide) for (index, column), wide in zip(kept, widths, strict=True)]


def header_line(
    fitted: Sequence[tuple[int, Column, int]],
    sorted_by: str = "",
    descending: bool = True,
    titles: Mapping[str, str] = _NO_TITLES,
) -> Line:
    """The titles, `titles` instead of those of their columns; that which the rows are sorted by carries an arrow."""
    line: Line = []
    for _, column, wide in fitted:
        is_sorted = column.key == sorted_by
        title = titles.get(column.key, column.title)
        title += (" ▾" if descending else " ▴") if is_sorted else ""
        line += [(fit(title, wide, column.align), "accent" if is_sorted else "muted"), (GAP, "")]
    return line[:-1]


def row_line(fitted: Sequence[tuple[int, Column, int]], row: Row) -> Line:
    """A row's cells side by side."""
    line: Line = []
    for index, column, wide in fitted:
        cell = row.cells[index]
        pieces = _pieces(cell)
        if len(pieces) == 1:
            line.append((fit(pieces[0][0], wide, column.align), pieces[0][1] or row.ink))
        else:
            before = max(0, wide - length(pieces)) if column.align == "right" else 0
            line += pressed([(" " * before, ""), *pieces], wide)
        line.append((GAP, ""))
    return line[:-1]


def _pieces(cell: Cell) -> Line:
    first = cell[0] if cell else ("", "")
    return [cast(Piece, cell)] if isinstance(first, str) else list(cast(tuple[Piece, ...], cell))
