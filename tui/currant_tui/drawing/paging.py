"""What is said about a list of executions: how much of it is seen, in which order, and why it is empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from currant_lab.watch.criteria import EXAMPLES, FilterError
from currant_lab.watch.listing import MAX_ROWS, Sort
from currant_tui.drawing.formats import count
from currant_tui.drawing.lines import Line, Piece
from currant_tui.safe import plain

if TYPE_CHECKING:
    from currant_tui.browsing import Browser

__all__ = ["SORTED_BY", "Noted", "empty", "note", "wrong_note"]

SORTED_BY: dict[Sort, tuple[str, bool]] = {
    "newest": ("age", False),
    "oldest": ("age", True),
    "longest": ("took", True),
    "soonest": ("what", False),
    "priority": ("priority", True),
}
"""The column that an order goes by, and whether its largest comes first."""

_ORDERS: dict[Sort, str] = {
    "newest": "newest first",
    "oldest": "oldest first",
    "longest": "longest running first",
    "soonest": "due soonest first",
    "priority": "in the order of claiming",
}
_NONE_YET = (
    "There are no executions yet.",
    "In a notebook: %load_ext currant_lab, %currant start, then job.submit(...)",
    "In a terminal: currant demo",
)


@dataclass(frozen=True, slots=True)
class Noted:
    """What is said below the filter line: about the list, or with `at` about the character there."""

    left: tuple[Piece, ...] = ()
    right: str = ""
    at: int | None = None


def empty(browser: Browser | None, line: str, *, looking: bool) -> tuple[str, ...]:
    """What stands in a list without rows."""
    if browser is None:
        return ("A recording holds events and snapshots, no executions.", "Watch a database to list them.")
    if looking:
        return ("Looking …",)
    if not line.strip():
        return _NONE_YET
    examples = [f"{example:<26}{means}" for example, means in EXAMPLES]
    return ("No execution is meant by this filter.", "Escape shows all again. Others to try:", "", *examples)


def wrong_note(error: FilterError) -> Noted:
    """What is wrong with a filter line, at its place."""
    return Noted(((plain(error.what), "bad"),), at=error.start)


def note(
    browser: Browser | None, error: str = "", tagged: int = 0, *, following: bool = False, busy: bool = False
) -> Noted:
    """What there is to say of a list; `tagged` is how many are, -1 for all that match."""
    if error:
        return Noted(((" ✗ ", "bad"), (plain(error), "bad")))
    if browser is None:
        return Noted()
    left: Line = [(f" {_where(browser, busy=busy)}", "strong"), (f" · {_ORDERS[browser.sort]}", "muted")]
    if following:
        left.append((" · following", "good"))
    if tagged < 0:
        left.append((" · all that match are tagged", "accent"))
    elif tagged:
        left.append((f" · {tagged:,} tagged, the list holds still", "accent"))
    if browser.partial and not busy:
        left.append((f" · {count(browser.scanned)} looked through", "muted"))
    return Noted(tuple(left), "> goes on " if browser.has_next else "")


def _where(browser: Browser, *, busy: bool) -> str:
    if busy and browser.scanned >= MAX_ROWS * 10:
        return f"{len(browser.rows)} found, looking … {count(browser.scanned)} looked through"
    if not browser.rows:
        return "none"
    last = browser.before + len(browser.rows)
    shown = f"{browser.before + 1:,} to {last:,}"
    if browser.count is None:
        return shown
    most = max(browser.count.number, last)
    return f"{shown} of {most:,}" if browser.count.exact else f"{shown} of more than {most:,}"
