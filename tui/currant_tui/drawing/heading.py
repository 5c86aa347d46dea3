"""The line at the top: which database, how fresh, in what mode. And the lines that name trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from currant_tui.drawing import formats
from currant_tui.drawing.lines import Ink, Line, length, pressed
from currant_tui.safe import plain

__all__ = ["Heading", "Mode", "heading", "trouble_line", "views_line"]

Mode = Literal["LIVE", "PAUSED", "AWAY", "CONNECTING", "REPLAY"]

_SIGNS: dict[Mode, tuple[str, Ink]] = {
    "LIVE": ("●", "good"),
    "PAUSED": ("‖", "warn"),
    "AWAY": ("✗", "bad"),
    "CONNECTING": ("…", "muted"),
    "REPLAY": ("▶", "four"),
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What the header says. `age_s` is how old the counts are, in seconds; None before the first. `stands`: a replay
    that is paused."""

    database: str = ""
    server: str = ""
    schema: str = ""
    mode: Mode = "CONNECTING"
    read_only: bool = False
    age_s: float | None = None
    recording: bool = False
    stands: bool = False


def heading(data: Heading, width: int) -> Line:
    """The header; what matters least goes first when it is narrow: the schema's name, the version, the database."""
    sign, ink = _SIGNS[data.mode]
    if data.stands:
        sign = "‖"
    right: Line = []
    if data.age_s is not None:
        stale = data.age_s >= 5
        right.append((f"data {formats.age(data.age_s)} old ", "warn" if stale else "muted"))
    if data.read_only:
        right += [(" READ-ONLY ", "warn")]
    if data.recording:
        right += [(" ● REC ", "bad")]
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
    """The names of the views with their keys; where they don't all fit, in short, or only the current one's."""
    for names, gap in (({}, " "), ({}, ""), (_SHORT, "")):
        line = _names(entries, current, names, gap)
        if length(line) <= width:
            return line
    numbers: Line = [
        (f" {key} {name} ", "mode") if name == current else (f" {key} ", "accent") for key, name in entries
    ]
    return [("", ""), *numbers]


_SHORT = {"Executions": "Execs", "Failures": "Fails", "Database": "DB", "Workflows": "Flows"}


def _names(entries: tuple[tuple[str, str], ...], current: str, short: dict[str, str], gap: str) -> Line:
    line: Line = [(gap, "")]
    for key, name in entries:
        shown = short.get(name, name)
        if name == current:
            line += [("" if gap or len(line) == 1 else " ", ""), (f" {key} {shown} ", "mode")]
        else:
            line += [(f" {key} ", "accent"), (f"{shown}{gap}", "muted")]
        line.append((gap, ""))
    return line


def trouble_line(severity: str, text: str, hint: str, width: int) -> Line:
    """One trouble: a sign, what is wrong, and what to do where there is room."""
    sign, ink = ("✗", "bad") if severity == "error" else ("▲", "warn")
    line: Line = [(f" {sign} ", ink), (plain(text), ink)]  # type: ignore[list-item]
    if hint:
        line.append((f"  {plain(hint)}", "muted"))
    return pressed(line, width)
