"""From the board to what the bars say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from currant_tui.drawing.heading import Heading, Mode
from currant_tui.narrow import Essential
from currant_tui.safe import plain

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_tui.app import CurrantApp
    from currant_tui.view import Lab

__all__ = ["essential", "heading_of", "troubles_of"]


def heading_of(app: CurrantApp) -> Heading:
    """What the header says now."""
    board = app.lab.board
    header = board.header
    mode: Mode = "LIVE"
    replay = app.replay
    if replay is not None:
        mode = "REPLAY"
    elif not header.snapshot_at:
        mode = "CONNECTING"
    elif not header.connected:
        mode = "AWAY"
    elif app.frozen:
        mode = "PAUSED"
    age = header.data_age_s(board.now) if header.snapshot_at else None
    return Heading(
        database=header.database,
        server=str(header.server_version or ""),
        schema=header.schema,
        mode=mode,
        read_only=app.lab.read_only,
        age_s=None if age is None else float(int(age)),
        recording=app.lab.recorder is not None and app.lab.recorder.trouble is None,
        stands=replay is not None and replay.paused,
    )


def troubles_of(board: Board, lab: Lab | None = None) -> tuple[tuple[str, str, str], ...]:
    """What is wrong as (severity, text, hint), errors first; of `lab` its recording."""
    found = [(one.severity, one.text, one.hint or "") for one in board.troubles()]
    recorder = lab.recorder if lab is not None else None
    if recorder is not None and recorder.trouble is not None:
        found.insert(0, ("error", recorder.trouble, f"what came before is in {recorder.path}"))
    damaged = getattr(lab.source, "damaged", 0) if lab is not None else 0
    if damaged:
        found.append(("warning", f"{damaged:,} bytes of this recording are damaged", "what is whole is shown"))
    return tuple(sorted(found, key=lambda one: one[0] != "error"))


def essential(board: Board, mode: str) -> Essential:
    """The totals for a terminal that is too small for more."""
    totals = board.totals()
    troubles = troubles_of(board)
    return Essential(
        mode, totals.waiting, totals.running, round(totals.out_per_s, 1), plain(troubles[0][1]) if troubles else ""
    )
