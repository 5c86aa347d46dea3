"""The first line of a screen that lies over the others."""

from __future__ import annotations

from dataclasses import dataclass

from currant_tui.drawing.lines import Line, Piece, length, pressed
from currant_tui.widgets.painting import Painting

__all__ = ["Title", "TitleBar"]

_LEAST = 30


@dataclass(frozen=True, slots=True)
class Title:
    """What stands left, and what stands right of it where there is room."""

    left: tuple[Piece, ...] = ()
    right: tuple[Piece, ...] = ()


class TitleBar(Painting[Title]):
    """One line."""

    DEFAULT_CSS = """
    TitleBar { height: 1; background: $panel; }
    """

    def paint(self, data: Title, width: int, height: int) -> list[Line]:
        right: Line = [*data.right, (" ", "")] if data.right else []
        free = width - length(right)
        if free < _LEAST:
            return [pressed([(" ", ""), *data.left], width)]
        return [[*pressed([(" ", ""), *data.left], free), *right]]
