"""A table of a few hundred rows with fixed columns: a cursor, marks, clicks; columns yield when it is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from currant_tui.drawing.columns import Column, Row, fitting, header_line, row_line
from currant_tui.drawing.lines import Line
from currant_tui.widgets.painting import Inks, inks_of, strip_of

__all__ = ["Content", "Table"]

_MARK, _NO_MARK = "✓ ", "  "


@dataclass(frozen=True, slots=True)
class Content:
    """What a table shows: the rows in order, how they are sorted, and what to say when there are none.

    `titles` are (column, title) for those that are called otherwise now: an axis, say.
    """

    rows: tuple[Row, ...] = ()
    sorted_by: str = ""
    descending: bool = True
    empty: tuple[str, ...] = ()
    titles: tuple[tuple[str, str], ...] = ()


class Table(ScrollView, can_focus=True):
    """Rows under titles. The cursor stays with its row, not its place, when the rows change.

    Attributes:
        content: what is shown; set it to change it.
        cursor: the key of the row under the cursor, or None.
        marked: keys of the rows that are tagged.
    """

    DEFAULT_CSS = """
    Table { height: 1fr; width: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="table.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="table.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="table.pageup"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="table.pagedown"),
        Binding("home,g", "edge(0)", "First", show=False, id="table.first"),
        Binding("end,G", "edge(-1)", "Last", show=False, id="table.last"),
        Binding("enter", "open", "Open", show=False, id="table.open"),
    ]

    content: reactive[Content] = reactive(Content())
    cursor: reactive[str | None] = reactive(None)
    marked: reactive[frozenset[str]] = reactive(frozenset())

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: Table, key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table:
            return self.table

    class Opened(Message):
        """A row was opened: Enter, or a click on the row under the cursor."""

        def __init__(self, table: Table, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> Table:
            return self.table

    class Edge(Message):
        """The cursor would go beyond the first row (-1) or the last (1): whoever owns the rows may have more."""

        def __init__(self, table: Table, towards: int) -> None:
            super().__init__()
            self.table = table
            self.towards = towards

        @property
        def control(self) -> Table:
            return self.table

    class TitleClicked(Message):
        """A column's title was clicked: whoever owns the rows may sort them by it."""

        def __init__(self, table: Table, column: str) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> Table:
            return self.table

    def __init__(self, columns: Sequence[Column], *, marks: bool = False, id: str | None = None) -> None:
        """
        Args:
            columns: see `Column`.
            marks: keep room for the marks of tagged rows.
            id: the widget's id.
        """
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._marks = marks
        self._inks: Inks | None = None
        self._places: dict[str, int] = {}
        self._strips: dict[tuple[Row, bool, bool], Strip] = {}
        self._drawn_for = 0

    # What is shown

    @property
    def place(self) -> int:
        """The index of the row under the cursor, or -1."""
        return self._places.get(self.cursor or "", -1)

    def row(self, key: str) -> Row | None:
        """The row of that key, if it is shown."""
        place = self._places.get(key)
        return None if place is None else self.content.rows[place]

    def watch_content(self, before: Content, after: Content) -> None:
        was = self._places.get(self.cursor or "", 0)
        seen_at = was - self.scroll_offset.y
        self._places = {row.key: place for place, row in enumerate(after.rows)}
        kept = {row.key: row for row in after.rows}
        self._strips = {known: strip for known, strip in self._strips.items() if kept.get(known[0].key) == known[0]}
        self.virtual_size = Size(self._width, len(after.rows) + 1)
        if self.cursor not in self._places:
            self.cursor = after.rows[min(was, len(after.rows) - 1)].key if after.rows else None
        elif self.place != was:  # rows came or went above it: it stays on its line of the screen
            self.scroll_to(y=max(0, self.place - seen_at), animate=False, force=True, immediate=True)

    def watch_cursor(self, before: str | None, after: str | None) -> None:
        if before != after:
            self._show_cursor()
            self.post_message(self.Moved(self, after))

    def on_resize(self) -> None:
        self._strips.clear()
        self.virtual_size = Size(self._width, len(self.content.rows) + 1)
        self._show_cursor()

    def on_focus(self) -> None:
        self._strips.clear()

    def on_blur(self) -> None:
        self._strips.clear()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._inks = None
        self._strips.clear()

    @property
    def inks(self) -> Inks:
        """The style of each ink here and now."""
        if self._inks is None:
            self._inks = inks_of(self)
        return self._inks

    def _cursor_inks(self) -> Inks:
        shade = Style(bgcolor=self.inks["cursor"].bgcolor, bold=self.has_focus or None)
        return {ink: style + shade for ink, style in self.inks.items()}

    def _show_cursor(self) -> None:
        place = self.place
        if place >= 0 and self.is_mounted:
            # One line more above it: the titles cover the first line of what is seen.
            self.scroll_to_region(Region(0, place, 1, 2), animate=False, force=True)

    # Lines

    def width_of(self, column: str) -> int:
        """Cells that a column takes now; 0 when it is not shown."""
        return next((wide for _, one, wide in self._fitted() if one.key == column), 0)

    def _fitted(self) -> list[tuple[int, Column, int]]:
        return fitting(self.columns, self._width - (len(_NO_MARK) if self._marks else 1) - 1)

    @property
    def _width(self) -> int:
        """Cells beside the scrollbar."""
        return self.scrollable_content_region.width

    def render_line(self, y: int) -> Strip:
        width = self._width
        if width != self._drawn_for:
            self._drawn_for = width
            self._strips.clear()
        margin = _NO_MARK if self._marks else " "
        if y == 0:
            titles = header_line(
                self._fitted(), self.content.sorted_by, self.content.descending, dict(self.content.titles)
            )
            return strip_of([(margin, ""), *titles], width, self.inks)
        place = y - 1 + self.scroll_offset.y
        rows = self.content.rows
        if place < len(rows):
            return self._row_strip(rows[place], width)
        if not rows and 0 <= y - 2 < len(self.content.empty):
            line: Line = [(margin + self.content.empty[y - 2], "" if y == 2 else "muted")]
            return strip_of(line, width, self.inks)
        return Strip.blank(width, self.rich_style)

    def _row_strip(self, row: Row, width: int) -> Strip:
        is_cursor, is_marked = row.key == self.cursor, row.key in self.marked
        strip = self._strips.get((row, is_cursor, is_marked))
        if strip is None:
            margin = (_MARK if is_marked else _NO_MARK) if self._marks else " "
            if is_cursor:
                margin = "▌" + margin[1:] if not is_marked else "▌✓"
            line: Line = [(margin, "accent"), *row_line(self._fitted(), row)]
            strip = strip_of(line, width, self._cursor_inks() if is_cursor else self.inks)
            self._strips[row, is_cursor, is_marked] = strip
        return strip

    # Keys and mouse

    def _go(self, place: int) -> None:
        rows = self.content.rows
        if rows:
            before = self.place
            self.cursor = rows[max(0, min(place, len(rows) - 1))].key
            if self.place == before and place != before:
                self.post_message(self.Edge(self, 1 if place > before else -1))

    def action_move(self, steps: int) -> None:
        """Move the cursor by rows."""
        self._go(self.place + steps)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is seen at once."""
        self._go(self.place + pages * max(1, self.size.height - 2))

    def action_edge(self, end: int) -> None:
        """Move the cursor to the first row, or the last (-1)."""
        self._go(0 if end == 0 else len(self.content.rows) - 1)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.cursor is not None:
            self.post_message(self.Opened(self, self.cursor))

    def toggle_mark(self) -> None:
        """Tag the row under the cursor, or take its tag away; the cursor goes on to the next."""
        if self.cursor is not None:
            self.marked = self.marked ^ {self.cursor}
            self.action_move(1)

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            offset = event.x - (len(_NO_MARK) if self._marks else 1)
            for _, column, wide in self._fitted():
                if 0 <= offset <= wide:
                    self.post_message(self.TitleClicked(self, column.key))
                    return
                offset -= wide + 1
            return
        place = event.y - 1 + self.scroll_offset.y
        if place < len(self.content.rows):
            key = self.content.rows[place].key
            if self._marks and event.x < len(_NO_MARK):
                self.marked = self.marked ^ {key}
            elif key == self.cursor:
                self.post_message(self.Opened(self, key))
            self.cursor = key
