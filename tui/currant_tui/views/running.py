"""What runs in one pool now: the longest first."""

from __future__ import annotations

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical

from currant_lab.watch.listing import Listing
from currant_lab.watch.rows import ExecutionInfo
from currant_tui.drawing.columns import Row
from currant_tui.drawing.executions import COLUMNS, execution_row
from currant_tui.safe import plain
from currant_tui.view import Lab
from currant_tui.views.detail import DetailScreen
from currant_tui.widgets.table import Content, Table
from currant_tui.widgets.title import Title, TitleBar

__all__ = ["Running"]

EVERY_S = 4.0
"""How often it is asked for: two statements."""


class Running(Vertical):
    """The executions that one pool holds. Tell it which by `follow`, as often as you like."""

    DEFAULT_CSS = """
    Running { height: 2fr; }
    """

    def __init__(self, lab: Lab, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lab = lab
        self._pool: int | None = None
        self._rows: tuple[ExecutionInfo, ...] = ()
        self._has_asked = False
        self._failure = ""
        self._asked_at = 0.0
        self._busy = False
        self._title = TitleBar(Title())
        self._table = Table([column for column in COLUMNS if column.key != "pool"], id="running")

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._table

    def follow(self, pool: int | None, name: str = "") -> None:
        """Show what this pool runs; None shows nothing."""
        if pool != self._pool:
            self._pool, self._rows, self._has_asked, self._asked_at = pool, (), False, 0.0
        now = self._lab.board.now
        if pool is not None and not self._busy and now - self._asked_at >= EVERY_S:
            self._ask(pool)
        self._paint(name)

    def _paint(self, name: str) -> None:
        now = self._lab.board.now
        which = "" if self._pool is None else f" in pool {self._pool}, {plain(name, 100)}".rstrip(", ")
        self._title.data = Title((("runs now" + which, "strong"),), ((f"{len(self._rows)}", "muted"),))
        if self._lab.source.database is None:
            empty = "A recording holds no lists."
        elif self._failure:
            empty = f"✗ {self._failure}"
        else:
            empty = "Nothing runs in it." if self._has_asked else ""
        rows = tuple(_without_pool(info, now) for info in self._rows)
        self._table.content = Content(rows, "took", empty=(empty,))

    @work(group="running", exclusive=True)
    async def _ask(self, pool: int) -> None:
        if self._lab.source.database is None:
            return
        self._busy = True
        self._asked_at = self._lab.board.now
        try:
            found = await Listing(self._lab.source.database).running(pool)
        except Exception as error:  # noqa: BLE001 - whatever the database says is told, and the page stays
            self._failure = plain(error)
            return
        finally:
            self._busy = False
        if pool == self._pool:
            self._rows, self._has_asked, self._failure = found, True, ""

    def on_table_opened(self, event: Table.Opened) -> None:
        event.stop()
        self.app.push_screen(DetailScreen(bytes.fromhex(event.key)))

    def on_table_moved(self, event: Table.Moved) -> None:
        event.stop()


def _without_pool(info: ExecutionInfo, now: float) -> Row:
    row = execution_row(info, now)
    at = next(place for place, column in enumerate(COLUMNS) if column.key == "pool")
    return Row(row.key, row.cells[:at] + row.cells[at + 1 :], row.ink)
