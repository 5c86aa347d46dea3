"""What every picture is made of: lines of pieces, each a text and the name of an ink."""

from __future__ import annotations

from typing import Literal

from rich.cells import cell_len, set_cell_size

__all__ = ["INKS", "Ink", "Line", "Piece", "centred", "fit", "length", "plain_line", "pressed"]

Ink = Literal[
    "", "muted", "strong", "accent", "good", "warn", "bad", "one", "two", "three", "four", "five",
    "heat1", "heat2", "heat3", "heat4", "heat5", "heat6", "title", "mode", "cursor", "key",
]  # fmt: skip
"""The name of a colour; the theme says which one it is. No ink is ever the only sign of anything."""

INKS: tuple[Ink, ...] = Ink.__args__  # type: ignore[attr-defined]

Piece = tuple[str, Ink]
Line = list[Piece]


def length(line: Line) -> int:
    """Cells that a line takes."""
    return sum(cell_len(text) for text, _ in line)


def fit(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """`text` in exactly `width` cells; what is too long ends in an ellipsis."""
    if width <= 0:
        return ""
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "…"
    return text + " " * (width - cells) if align == "left" else " " * (width - cells) + text


def pressed(line: Line, width: int) -> Line:
    """A line cut, or filled, to exactly `width` cells."""
    kept: Line = []
    left = width
    for text, ink in line:
        cells = cell_len(text)
        if cells > left:
            if left:
                kept.append((fit(text, left), ink))
            return kept
        kept.append((text, ink))
        left -= cells
    if left > 0:
        kept.append((" " * left, ""))
    return kept


def centred(text: str, width: int, ink: Ink = "") -> Line:
    """A line with `text` in its middle."""
    shown = fit(text, min(cell_len(text), width))
    before = (width - cell_len(shown)) // 2
    return [(" " * before, ""), (shown, ink)]


def plain_line(line: Line) -> str:
    """The characters of a line."""
    return "".join(text for text, _ in line)
