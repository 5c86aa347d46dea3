"""The line at the top: which database, how fresh, in what mode. And the lines that name trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from currant_tui.drawing import formats
from currant_tui.drawing.lines import Ink, Line, length, pressed
from currant_tui.safe import plain

__all__ = ["Heading", "Mode", "heading", "trouble_line", "views_line"]

Mode = Literal["LIVE", "PAUSED", "AWAY", "CONNECTING"]

_SIGNS: dict[Mode, tuple[str, Ink]] = {
    "LIVE": ("●", "good"),
    "PAUSED": ("‖", "warn"),
    "AWAY": ("✗", "bad"),
    "CONNECTING": ("…", "muted"),
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What the header says. `age_s` is how old the counts are, in seconds; None before the first."""

    database: str = ""
    server: str = ""
    schema: str = ""
    mode: Mode = "CONNECTING"
    read_only: bool = False
    age_s: float | None = None


def heading(data: Heading, width: int) -> Line:
    """The header; what matters least goes first when it is narrow: the schema's name, the version, the database."""
    sign, ink = _SIGNS[data.mode]
    right: Line = []
    if data.age_s is not None:
        stale = data.age_s >= 5
        right.append((f"data {formats.age(data.age_s)} old ", "warn" if stale else "muted"))
    if data.read_only:
        right += [(" READ-ONLY ", "warn")]
    right += [(f" {sign} {data.mode} ", ink)]
    left: Line = [(" currant", "accent"), ("  ", "")]
    free = width - length(left) - length(right)
    for text, kind in _facts(data, free):
        left.append((text, kind))
    return [*pressed(left, width - length(right)), *right]


def _facts(data: Heading, free: int) -> Line:
    facts: Line = [(plain(data.database), "strong")]
    if data.server:
        facts.append((f"  PostgreSQL {plain(data.server)}", "muted"))
    if data.schema and data.schema != "currant":
        facts.append((f"  schema {plain(data.schema)}", "muted"))
    while len(facts) > 1 and length(facts) > free:
        facts.pop()
    return facts


def views_line(entries: tuple[tuple[str, str], ...], current: str, width: int) -> Line:
    """The names of the views with their keys; where they don't all fit, only the current one keeps its name."""
    whole = sum(len(key) + len(name) + 4 for key, name in entries)
    line: Line = [(" ", "")]
    for key, name in entries:
        if name == current:
            line.append((f" {key} {name} ", "mode"))
        elif whole < width:
            line += [(f" {key} ", "accent"), (f"{name} ", "muted")]
        else:
            line += [(f" {key}", "accent"), (f" {name[:4]}" if whole - 3 * len(entries) < width else "", "muted")]
        line.append((" ", ""))
    return line


def trouble_line(severity: str, text: str, hint: str, width: int) -> Line:
    """One trouble: a sign, what is wrong, and what to do where there is room."""
    sign, ink = ("✗", "bad") if severity == "error" else ("▲", "warn")
    line: Line = [(f" {sign} ", ink), (plain(text), ink)]  # type: ignore[list-item]
    if hint:
        line.append((f"  {plain(hint)}", "muted"))
    return pressed(line, width)
