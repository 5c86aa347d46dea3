"""A graph to go about in: arrows lead from box to box, and it scrolls both ways."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from currant_tui.drawing.graph import Drawing, neighbour
from currant_tui.drawing.lines import Line
from currant_tui.widgets.painting import Inks, inks_of, strip_of

__all__ = ["GraphPicture"]


class GraphPicture(ScrollView, can_focus=True):
    """Boxes and lines. The cursor stays with its node when the graph changes.

    Attributes:
        drawing: what is shown.
        cursor: the key of the node under the cursor, or None.
        empty: what to say when there is nothing.
    """

    DEFAULT_CSS = """
    GraphPicture { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "go('up')", "Up", show=False, id="graph.up", tooltip="to what it came after"),
        Binding("down,j", "go('down')", "Down", show=False, id="graph.down", tooltip="to what came after it"),
        Binding("left,h", "go('left')", "Left", show=False, id="graph.left"),
        Binding("right,l", "go('right')", "Right", show=False, id="graph.right"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="graph.pageup"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="graph.pagedown"),
        Binding("home,g", "edge(0)", "First", show=False, id="graph.first"),
        Binding("end,G", "edge(-1)", "Last", show=False, id="graph.last"),
        Binding("enter", "open", "Open", show=False, id="graph.open"),
    ]

    drawing: reactive[Drawing | None] = reactive(None, always_update=True)
    cursor: reactive[int | None] = reactive(None)
    empty: reactive[tuple[str, ...]] = reactive(())

    class Moved(Message):
        """The cursor is on another node."""

    class Opened(Message):
        """A node was opened: Enter, or a click on the one under the cursor."""

        def __init__(self, key: int) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._inks: Inks | None = None

    # What is shown

    def watch_drawing(self, drawing: Drawing | None) -> None:
        if drawing is None or not drawing.boxes:
            self.virtual_size = Size(0, 0)
            self.cursor = None
            return
        self.virtual_size = Size(drawing.width, drawing.height)
        if self.cursor not in drawing.boxes:
            own = None if self.cursor is None else drawing.of_step(self.cursor)
            self.cursor = own.node.key if own is not None else next(iter(drawing.boxes))
        self.refresh()

    def watch_cursor(self, before: int | None, after: int | None) -> None:
        if before != after:
            self.show_cursor()
            self.post_message(self.Moved())

    def on_resize(self) -> None:
        self.show_cursor()

    def show_cursor(self) -> None:
        """Scroll to where the box under the cursor is seen."""
        box = None if self.drawing is None or self.cursor is None else self.drawing.boxes.get(self.cursor)
        if box is not None and self.is_mounted:
            self.scroll_to_region(Region(box.x, box.y, box.width, box.height), animate=False, force=True)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._inks = None

    @property
    def _margin(self) -> int:
        """Cells left of a graph that is narrower than its place."""
        wide = 0 if self.drawing is None else self.drawing.width
        return max(0, (self.scrollable_content_region.width - wide) // 2)

    def render_line(self, y: int) -> Strip:
        if self._inks is None:
            self._inks = inks_of(self)
        width, drawing = self.scrollable_content_region.width, self.drawing
        if drawing is None or not drawing.boxes:
            line: Line = [(f" {self.empty[y - 1]}", "" if y == 1 else "muted")] if 0 < y <= len(self.empty) else []
            return strip_of(line, width, self._inks)
        row, x = y + self.scroll_offset.y, self.scroll_offset.x
        if row >= drawing.height:
            return Strip.blank(width, self.rich_style)
        margin = self._margin
        whole = strip_of([(" " * margin, ""), *drawing.line(row, self.cursor)], max(drawing.width, width), self._inks)
        return whole.crop(x, x + width)

    # Keys and mouse

    def action_go(self, towards: str) -> None:
        """Go to another node: `up`, `down`, `left` or `right`."""
        if self.drawing is not None and self.cursor is not None:
            self.cursor = neighbour(self.drawing, self.cursor, towards)

    def action_page(self, pages: int) -> None:
        """Go by what is seen at once."""
        drawing = self.drawing
        if drawing is None or self.cursor is None:
            return
        box = drawing.boxes[self.cursor]
        wanted = box.y + pages * max(self.scrollable_content_region.height - box.height, box.height)
        self.cursor = min(
            drawing.boxes.values(), key=lambda one: (abs(one.y - wanted), abs(one.x - box.x), one.node.key)
        ).node.key

    def action_edge(self, end: int) -> None:
        """Go to the first node, or the last (-1)."""
        if self.drawing is not None and self.drawing.boxes:
            self.cursor = sorted(self.drawing.boxes.values(), key=lambda box: (box.layer, box.x))[end].node.key

    def action_open(self) -> None:
        """Open the node under the cursor."""
        if self.cursor is not None:
            self.post_message(self.Opened(self.cursor))

    def on_click(self, event: events.Click) -> None:
        if self.drawing is None:
            return
        box = self.drawing.at(event.x + self.scroll_offset.x - self._margin, event.y + self.scroll_offset.y)
        if box is None:
            return
        if box.node.key == self.cursor:
            self.post_message(self.Opened(box.node.key))
        self.cursor = box.node.key
