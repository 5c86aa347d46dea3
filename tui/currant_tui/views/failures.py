"""What failed, grouped by job and exception: the largest group first, with a sample of its traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from currant_tui.acting import Acts, Meant
from currant_tui.asked import Asked
from currant_tui.drawing.columns import Column, Row
from currant_tui.drawing.detail import traceback_lines
from currant_tui.drawing.formats import age, count
from currant_tui.finding import look_for
from currant_tui.safe import paragraph, plain
from currant_tui.widgets.reader import Reader
from currant_tui.widgets.table import Content, Table
from currant_tui.widgets.title import Title, TitleBar

if TYPE_CHECKING:
    from currant_lab.control import Act
    from currant_lab.watch.listing import Listing
    from currant_lab.watch.rows import FailureGroup

__all__ = ["Failures", "group_row"]

COLUMNS = (
    Column("count", "count", 7, "right"),
    Column("job", "job", 14, stretches=True, most=40),
    Column("type", "exception", 14, stretches=True, most=40),
    Column("last", "last", 6, "right"),
    Column("first", "first", 6, "right", rank=1),
    Column("message", "latest message", 16, stretches=True),
)
_EMPTY = ("Nothing has failed, or what failed was run again or pruned.", "Failures appear here grouped by exception.")


def group_row(group: FailureGroup, now: float) -> Row:
    """A group's line of the table."""
    return Row(
        key_of(group),
        (
            (count(group.count, group.exact), "bad"),
            (plain(group.job, 200), "strong"),
            (plain(group.type or "unknown", 200), ""),
            (age(now - group.last_at), ""),
            (age(now - group.first_at), "muted"),
            (plain(group.message, 500), "muted"),
        ),
    )


def key_of(group: FailureGroup) -> str:
    """What tells a group from the others."""
    return f"{group.job}\0{group.type}"


class Failures(Acts, Asked):
    """The groups, and below them the latest traceback of the one under the cursor."""

    ABOUT = (
        "Each line is a job and a type of exception: how often it failed so among the latest 5,000 failures, when "
        "first and last. Below stands the traceback of its latest failure. Enter lists the executions, `r` runs them "
        "all again, `c` cancels those of the same kind that wait for another attempt."
    )
    DEFAULT_CSS = """
    Failures { layout: vertical; }
    Failures Table { height: 2fr; min-height: 4; }
    Failures Reader { height: 3fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", id="failures.copy", tooltip="the traceback, to the clipboard"),
        Binding("tab", "app.focus_next", "Table or traceback", show=False, id="failures.turn"),
        Binding("ctrl+r,f5", "again", "Look again", show=False, id="failures.again"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.groups: dict[str, FailureGroup] = {}
        self.table = Table(COLUMNS, id="failures-table")
        self._title = TitleBar(Title())
        self._reader = Reader()

    def compose(self) -> ComposeResult:
        yield self.table
        yield self._title
        yield self._reader

    async def ask(self, listing: Listing) -> None:
        self.groups = {key_of(group): group for group in await listing.failures()}

    def paint(self, now: float) -> None:
        rows = tuple(group_row(group, now) for group in self.groups.values())
        self.table.content = Content(rows, "count", empty=self.empty(*_EMPTY))
        self._read()

    def _read(self) -> None:
        group = self._group
        if group is None:
            self._title.data, self._reader.lines = Title(), ()
            return
        said = plain(f"{group.type}: {group.message}", 500)
        self._title.data = Title((("latest  ", "muted"), (said, "bad")))
        self._reader.lines = traceback_lines(paragraph(group.traceback).plain)

    @property
    def _group(self) -> FailureGroup | None:
        return self.groups.get(self.table.cursor or "")

    def meant(self, act: Act) -> Meant | None:
        group = self._group
        if group is None or not group.type:
            return None
        kind = f"{group.job} with {group.type}"
        if act == "retry":
            return Meant(f"the failures of {kind}", filter=group.filter())
        waiting = replace(group.filter(), statuses=())
        return Meant(f"those of {group.job} whose last attempt failed with {group.type}", filter=waiting)

    def acted(self) -> None:
        self.ask_now()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what makes sense for failures."""
        if action == "act" and parameters and parameters[0] == "reprioritise":
            return False
        return super().check_action(action, parameters)

    def action_again(self) -> None:
        """Ask again now."""
        self.ask_now()

    def action_copy(self) -> None:
        """Copy the traceback."""
        group = self._group
        if group is not None:
            self.app.copy_to_clipboard(paragraph(group.traceback).plain)
            self.notify("the traceback: copied", markup=False)

    def on_table_moved(self) -> None:
        self._read()
        self._reader.scroll_home(animate=False)

    def on_table_opened(self) -> None:
        group = self._group
        if group is not None:
            look_for(self.app, group.filter().line())
