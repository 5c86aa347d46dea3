"""Long texts as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, get_character_cell_size

from currant_tui.drawing.lines import Line

__all__ = ["wrapped"]


def wrapped(lines: Sequence[Line], width: int) -> list[Line]:
    """The lines cut into pieces of at most `width` cells. Nothing is lost, so what is copied by eye is right."""
    return [part for line in lines for part in _parts(line, max(width, 2))]


def _parts(line: Line, width: int) -> Iterator[Line]:
    part: Line = []
    left = width
    for text, ink in line:
        rest = text
        while rest:
            taken = _taken(rest, left)
            if taken:
                part.append((rest[:taken], ink))
                left -= cell_len(rest[:taken])
                rest = rest[taken:]
            if rest:
                yield part
                part, left = [], width
    yield part


def _taken(text: str, cells: int) -> int:
    """How many characters fit."""
    if text[:cells].isascii():
        return min(len(text), cells)
    used = 0
    for place, letter in enumerate(text):
        used += get_character_cell_size(letter)
        if used > cells:
            return place
    return len(text)
