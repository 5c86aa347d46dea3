"""One picture without a terminal: for a log, or for a program."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from currant_tui.drawing.formats import age, count, micros, rate, share
from currant_tui.safe import plain

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.views import QueueView
    from currant_tui.view import Source

__all__ = ["as_json", "as_text", "follow"]

_TITLES = (
    f"{'queue':<20}", f"{'waiting':>8}", f"{'sched':>7}", f"{'running':>7}", f"{'out/s':>7}", f"{'failed':>7}",
    f"{'oldest':>7}", f"{'wait p99':>9}",
)  # fmt: skip


async def follow(source: Source, seconds: float) -> None:
    """Let the state go on for a while, so that there are rates."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for _ in source.changes():
                pass


def as_json(board: Board) -> str:
    """The board as one JSON object: database, queues, totals, pools, troubles. Times in seconds and microseconds."""
    return json.dumps(
        {
            "database": board.header.database,
            "server_version": board.header.server_version,
            "schema": board.header.schema,
            "at": board.now,
            "totals": asdict(board.totals()),
            "queues": [asdict(queue) for queue in board.queues()],
            "pools": [asdict(pool) for pool in board.pools()],
            "troubles": [asdict(trouble) for trouble in board.troubles()],
        },
        default=str,
    )


def as_text(board: Board) -> str:
    """The board as lines of text."""
    header = board.header
    lines = [f"{plain(header.database)}  PostgreSQL {plain(header.server_version)}  schema {plain(header.schema)}"]
    lines += [f"{one.severity}: {plain(one.text)}. {plain(one.hint)}".rstrip(". ") for one in board.troubles()]
    lines.append(" ".join(_TITLES))
    lines += [_queue(view) for view in board.queues()] or ["  nothing waits, nothing runs"]
    for pool in board.pools():
        where = f"{plain(pool.host)}:{pool.pid}"
        lines.append(f"pool {pool.id} {plain(pool.name)} ({pool.kind}, {where}) {pool.state}, {pool.workers} workers")
    return "\n".join(lines)


def _queue(view: QueueView) -> str:
    cells: list[Any] = [
        f"{plain(view.name, 60) + (' (paused)' if view.paused else ''):<20}",
        f"{count(view.waiting, view.exact):>8}",
        f"{count(view.scheduled, view.exact):>7}",
        f"{count(view.running):>7}",
        f"{rate(view.out_per_s):>7}",
        f"{share(view.failed_share):>7}",
        f"{age(view.oldest_s):>7}",
        f"{micros(view.wait.p99_us):>9}",
    ]
    return " ".join(cells)
