"""Executions as rows of a table, and the signs of their statuses."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from currant_tui.drawing.columns import Cell, Column, Row
from currant_tui.drawing.formats import age as span
from currant_tui.drawing.formats import micros
from currant_tui.drawing.lines import Ink, Piece
from currant_tui.safe import plain

if TYPE_CHECKING:
    from currant_lab.watch.rows import ExecutionInfo

__all__ = ["COLUMNS", "SIGNS", "bar", "execution_row", "status_piece", "took"]

SIGNS: dict[str, tuple[str, Ink]] = {
    "scheduled": ("◔", "four"),
    "waiting": ("◌", "muted"),
    "pending": ("○", "one"),
    "running": ("●", "warn"),
    "succeeded": ("✓", "good"),
    "failed": ("✗", "bad"),
    "cancelled": ("–", "muted"),
}

COLUMNS = (
    Column("status", "status", 12),
    Column("job", "job", 14, stretches=True, most=40),
    Column("queue", "queue", 9, rank=2),
    Column("priority", "prio", 5, "right", rank=6),
    Column("attempt", "try", 4, "right", rank=3),
    Column("age", "age", 6, "right"),
    Column("took", "took", 6, "right", rank=1),
    Column("pool", "pool", 5, "right", rank=5),
    Column("what", "what it says", 16, stretches=True),
    Column("id", "id", 13, rank=4),
)


def status_piece(status: str, *, cancelling: bool = False) -> Piece:
    """A status as a sign and a word: colour is never the only sign of it."""
    sign, ink = SIGNS[status]
    return f"{sign} {'cancelling' if cancelling else status}", ink


def execution_row(info: ExecutionInfo, now: float) -> Row:
    """An execution's line of the table; `now` by the database's clock."""
    pool = "" if info.claimed_by is None else str(info.claimed_by)
    return Row(
        info.id.hex(),
        (
            status_piece(info.status, cancelling=info.cancelling and info.status == "running"),
            (plain(info.job, 200), "strong"),
            (plain(info.queue, 200), ""),
            (str(info.priority) if info.priority else "", ""),
            (str(info.attempt), "warn" if info.attempt > 1 else ""),
            (span(now - _seconds(info.created_at, now)), ""),
            (took(info, now), ""),
            (pool, "muted"),
            _says(info, now),
            (str(info.uuid)[:13], "muted"),
        ),
        "muted" if info.status == "cancelled" else "",
    )


def took(info: ExecutionInfo, now: float) -> str:
    """How long it ran, or has run so far; empty before it starts."""
    if info.started_at is None:
        return ""
    end = now if info.finished_at is None else _seconds(info.finished_at, now)
    return micros(max(0.0, end - _seconds(info.started_at, now)) * 1e6)


def bar(share: float, width: int, ink: Ink = "good") -> tuple[Piece, Piece]:
    """How much is done, as a bar of `width` cells in eighths."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    done = "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
    return (done, ink), ("·" * (width - len(done)), "muted")


def _says(info: ExecutionInfo, now: float) -> Cell:
    note = plain(info.progress_note or "", 500)
    if info.error is not None:
        return (f"{plain(info.error.type, 100)}: {plain(info.error.message, 500)}".rstrip(": "), "bad")
    if info.status == "running" and info.progress is not None:
        return (*bar(info.progress, 8, "warn"), (f" {info.progress:.0%} {note}", ""))
    if info.status == "scheduled" and info.due_at is not None:
        due = _seconds(info.due_at, now) - now
        again = f", try {info.attempt + 1}" if info.attempt else ""
        return (f"due in {span(due)}{again}" if due > 0 else f"due{again}", "muted")
    return (note, "muted")


def _seconds(at: datetime, now: float) -> float:
    """Seconds since 1970; a moment that no calendar here knows is now."""
    try:
        return at.timestamp()
    except (OverflowError, ValueError):
        return now
