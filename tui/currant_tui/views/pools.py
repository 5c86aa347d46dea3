"""The pools: who works, on what, and who is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from currant_tui.drawing.columns import Column, Row
from currant_tui.drawing.formats import age, count, rate
from currant_tui.drawing.lines import Ink
from currant_tui.finding import look_for
from currant_tui.safe import plain
from currant_tui.view import View
from currant_tui.views.running import Running
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.views import PoolView

__all__ = ["Pools", "pool_row"]

COLUMNS = (
    Column("id", "id", 5, "right"),
    Column("state", "state", 9),
    Column("name", "name", 14, stretches=True, most=40),
    Column("kind", "kind", 7, rank=3),
    Column("where", "host:pid", 18, rank=2, stretches=True, most=40),
    Column("running", "running", 9, "right"),
    Column("buffered", "buffered", 8, "right", rank=3),
    Column("unsettled", "unsettled", 9, "right", rank=5),
    Column("out", "done/s", 7, "right"),
    Column("claims", "claims/s", 8, "right", rank=2),
    Column("statements", "stmt/exec", 9, "right", rank=4),
    Column("seen", "seen", 6, "right", rank=1),
    Column("queues", "queues", 10, rank=4, stretches=True),
)
_INKS: dict[str, Ink] = {"alive": "good", "quiet": "warn", "lost": "bad", "stopped": "muted"}
_EMPTY = ("No pool is there, and none ended lately.", "%currant start in a notebook, or currant worker -m my_jobs")


def pool_row(view: PoolView) -> Row:
    """A pool's line of the table."""
    ink = _INKS[view.state]
    ended = view.ended_age_s is not None
    statements = view.statements_per_execution
    return Row(
        str(view.id),
        (
            (str(view.id), ""),
            (view.state.upper() if view.state == "lost" else view.state, ink),
            (plain(view.name, 200), "strong"),
            (view.kind, "muted"),
            (f"{plain(view.host, 200)}:{view.pid}", ""),
            (f"{view.running}/{view.workers}", ""),
            (count(view.buffered), ""),
            (count(view.unsettled), ""),
            (rate(view.executions_per_s), ""),
            (rate(view.claims_per_s), ""),
            ("–" if statements is None else f"{statements:.3f}", ""),
            (age(view.ended_age_s if ended else view.seen_age_s), ink if ended else ""),
            (plain(", ".join(view.queues), 400), ""),
        ),
        "muted" if ended else "",
    )


class Pools(View):
    """The pools that are there, and those that ended within ten minutes."""

    ABOUT = (
        "Each line is a pool: a notebook's kernel, a script or a worker. `running` counts handlers; "
        "`buffered` is claimed and waits for a worker; `stmt/exec` are SQL statements per execution. A LOST "
        "pool gave no sign of life: what it held has been given back. Below stands what the pool under the cursor runs "
        "now; Enter lists it."
    )

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="pools")
        yield Running(self.lab)

    def show(self, board: Board) -> None:
        self.query_one("#pools", Table).content = Content(tuple(map(pool_row, board.pools())), empty=_EMPTY)
        self._follow()

    def _follow(self) -> None:
        cursor = self.query_one("#pools", Table).cursor
        names = {str(pool.id): pool.name for pool in self.lab.board.pools()}
        running = self.query_one(Running)
        running.display = cursor is not None
        running.follow(None if cursor is None else int(cursor), names.get(cursor or "", ""))

    def on_table_moved(self) -> None:
        self._follow()

    def on_table_opened(self, event: Table.Opened) -> None:
        look_for(self.app, f"pool:{event.key} status:running", "longest")
