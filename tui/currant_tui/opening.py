"""What is shown until the database has answered for the first time: why it hasn't, and what helps."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from currant_tui.drawing.lines import Line, centred
from currant_tui.safe import plain
from currant_tui.widgets.painting import Painting

__all__ = ["RETRY_S", "Opening", "Stuck"]

RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Stuck:
    """Why there is nothing to see yet, and what to do, a line each."""

    why: str
    hints: tuple[str, ...] = ()


class Opening(Painting[Stuck]):
    """The reason, in the middle of the screen. Empty while the first answer is awaited."""

    def paint(self, data: Stuck, width: int, height: int) -> list[Line]:
        lines = [centred(line, width, "bad") for line in textwrap.wrap(plain(data.why, 600), max(width - 8, 20))]
        lines += [[], *(centred(hint, width, "muted") for hint in data.hints)]
        return [[]] * max(0, (height - len(lines)) // 2) + lines[:height]


def stuck(error: Exception) -> Stuck:
    """What an error at the begin says to a person."""
    kind = type(error).__name__
    hints: tuple[str, ...] = ("It is tried again every two seconds. q ends the dashboard.",)
    if kind == "SchemaOutdated":
        hints = ("In a terminal, with a role that may change tables: currant migrate", *hints)
    elif kind == "SchemaTooNew":
        hints = ("This database is used by a newer Currant: upgrade this one.", *hints)
    elif kind == "DatabaseUnavailable":
        hints = ("CURRANT_DATABASE_URL, or --database URL, says where it is; currant doctor tells more.", *hints)
    return Stuck(str(error), hints)
