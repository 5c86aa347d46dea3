"""How the database stands: sizes, dead rows, who holds vacuum back, connections, partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from currant_tui.asked import Asked
from currant_tui.drawing.columns import Column, Row
from currant_tui.drawing.executions import bar
from currant_tui.drawing.formats import age, count, share, size
from currant_tui.drawing.lines import Ink, Line
from currant_tui.safe import plain
from currant_tui.widgets.painting import Painting
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.watch.facts import DatabaseView, TableView
    from currant_lab.watch.listing import Listing

__all__ = ["Database", "Facts", "table_row"]

LONG_S = 60.0
"""A transaction open for longer than this holds vacuum back for no good reason."""
MANY_DEAD = 0.2
FULL = 0.5

COLUMNS = (
    Column("name", "table", 20, stretches=True, most=50),
    Column("kind", "kind", 9, rank=3),
    Column("rows", "rows", 8, "right"),
    Column("dead", "dead", 8, "right"),
    Column("share", "dead of all", 11, "right", rank=2),
    Column("bytes", "size", 9, "right"),
    Column("vacuumed", "vacuumed", 9, "right", rank=1),
)


def table_row(view: TableView) -> Row:
    """A table's line."""
    dead = view.dead / (view.rows + view.dead) if view.rows + view.dead else 0.0
    ink: Ink = "warn" if dead > MANY_DEAD and view.dead > 10_000 else ""
    return Row(
        view.name,
        (
            (plain(view.name, 200), "strong"),
            ("partition" if view.is_partition else "table", "muted"),
            (count(view.rows), ""),
            (count(view.dead), ink),
            (share(dead), ink),
            (size(view.bytes), ""),
            ("never" if view.vacuumed_s is None else f"{age(view.vacuumed_s)} ago", "muted"),
        ),
    )


class Facts(Painting["DatabaseView"]):
    """The database's own numbers."""

    DEFAULT_CSS = """
    Facts { height: 7; }
    """

    def paint(self, data: DatabaseView, width: int, height: int) -> list[Line]:
        used = data.connections / data.max_connections if data.max_connections else 0.0
        parts = sum(table.is_partition for table in data.tables)
        kinds = f"{len(data.tables) - parts} tables, {parts} partitions of history"
        lines: list[Line] = [
            [],
            _fact("size", [(size(data.bytes), "strong"), (f"   {kinds}", "muted")]),
            _fact(
                "connections",
                [*bar(used, 20, "bad" if used > 0.9 else "good"),
                 (f"  {data.connections} of {data.max_connections}", "bad" if used > 0.9 else "")],
            ),
            _fact(
                "notifications",
                [*bar(data.notifications, 20, "bad" if data.notifications > FULL else "good"),
                 (f"  {share(data.notifications)} of the server's queue is used", "")],
            ),
        ]  # fmt: skip
        return [*lines, *_oldest(data), []][:height]


def _oldest(data: DatabaseView) -> list[Line]:
    oldest = data.oldest
    if oldest is None:
        return [_fact("oldest xmin", [("nobody holds vacuum back", "good")])]
    is_long = (oldest.age_s or 0.0) > LONG_S
    who = f"pid {oldest.pid}, {plain(oldest.application or 'no name', 60)}, {plain(oldest.username or '?', 60)}"
    told = f"{plain(oldest.state or '?', 40)}, open for {age(oldest.age_s)}, {oldest.xmin_age:,} transactions old"
    lines = [_fact("oldest xmin", [("▲ " if is_long else "", "warn"), (who, "strong"), (f"   {told}", "")])]
    if is_long:
        hint = f"SELECT pg_terminate_backend({oldest.pid}) ends it: no vacuum removes what it may still see"
        lines.append(_fact("", [(hint, "warn")]))
    return lines


def _fact(label: str, line: Line) -> Line:
    return [(f" {label:<15}", "muted"), *line]


class Database(Asked):
    """The database that Currant lives in."""

    ABOUT = (
        "The whole database's size, its connections, the server's notification queue, and who holds the oldest "
        "snapshot: no vacuum removes rows that it may still see, so queues slow down while a transaction stays open. "
        "Below are Currant's tables, the largest first: rows are the server's estimates, sizes are with indexes. "
        "History is cut into a partition a week; `currant prune` drops old ones."
    )
    DEFAULT_CSS = """
    Database { layout: vertical; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "again", "Look again", show=False, id="database.again"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.facts = Facts()
        self.table = Table(COLUMNS, id="tables")

    def compose(self) -> ComposeResult:
        yield self.facts
        yield self.table

    async def ask(self, listing: Listing) -> None:
        self.facts.data = await listing.database()

    def paint(self, now: float) -> None:
        data: DatabaseView | None = self.facts.data
        rows = () if data is None else tuple(map(table_row, data.tables))
        self.table.content = Content(rows, "bytes", empty=self.empty("There are no tables: run `currant migrate`."))

    def action_again(self) -> None:
        """Ask again now."""
        self.ask_now()
