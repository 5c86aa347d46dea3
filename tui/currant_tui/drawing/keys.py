"""The line of keys at the foot of a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from currant_tui.drawing.lines import Line, length

__all__ = ["Key", "fitting_keys", "key_at", "key_line"]

_STAYS = "help"
"""The action of the key that is shown however narrow it is: it leads to all the others."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that does something here.

    Attributes:
        key: its name for the program.
        shown: its name on the screen.
        does: in a word or two.
        action: what it does, for the program.
        enabled: false where it only tells why it does nothing.
        hint: what it does, in a few words more.
    """

    key: str
    shown: str
    does: str
    action: str
    enabled: bool = True
    hint: str = ""


def key_line(keys: Sequence[Key], width: int, pointed: Key | None = None) -> Line:
    """The keys side by side; the one under the mouse is marked."""
    line: Line = []
    for one in fitting_keys(keys, width):
        if one == pointed and one.enabled:
            line.append((f"{one.shown} {one.does}", "mode"))
        elif one.enabled:
            line += [(one.shown, "key"), (f" {one.does}", "")]
        else:
            line.append((f"{one.shown} {one.does}", "muted"))
        line.append((" ", ""))
    return line[:-1]


def fitting_keys(keys: Sequence[Key], width: int) -> list[Key]:
    """The keys that fit into `width` cells: of too many the last go first, but never the one that leads to all."""
    kept = list(keys)
    while sum(map(_width, kept)) > width + 1:  # the last one needs no space after it
        last = next((one for one in reversed(kept) if one.action != _STAYS), None)
        if last is None:
            break
        kept.remove(last)
    return kept


def key_at(keys: Sequence[Key], width: int, x: int) -> Key | None:
    """The key that stands in that cell."""
    for one in fitting_keys(keys, width):
        if x < _width(one) - 1:
            return one if x >= 0 else None
        x -= _width(one)
    return None


def _width(one: Key) -> int:
    return length([(one.shown, ""), (" ", ""), (one.does, ""), (" ", "")])
