"""A long text to read: wrapped, scrolled, drawn only where it is seen."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from currant_tui.drawing.lines import Line
from currant_tui.drawing.wrapping import wrapped
from currant_tui.widgets.painting import Inks, inks_of, strip_of

__all__ = ["Reader"]


class Reader(ScrollView, can_focus=True):
    """Shows lines of any length.

    Attributes:
        lines: what is shown.
    """

    DEFAULT_CSS = """
    Reader { height: 1fr; width: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False, id="reader.up"),
        Binding("down,j", "scroll_down", "Down", show=False, id="reader.down"),
        Binding("pageup,ctrl+b", "page_up", "Page up", show=False, id="reader.pageup"),
        Binding("pagedown,ctrl+f,space", "page_down", "Page down", show=False, id="reader.pagedown"),
        Binding("home,g", "scroll_home", "To the beginning", show=False, id="reader.first"),
        Binding("end,G", "scroll_end", "To the end", show=False, id="reader.last"),
    ]

    lines: reactive[tuple[Line, ...]] = reactive((), layout=False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._inks: Inks | None = None
        self._wrapped: list[Line] = []
        self._wide = 0

    def watch_lines(self) -> None:
        self._wrap()

    def on_resize(self) -> None:
        if self._width != self._wide:
            self._wrap()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._inks = None

    @property
    def _width(self) -> int:
        return max(1, self.scrollable_content_region.width - 2)

    def _wrap(self) -> None:
        self._wide = self._width
        self._wrapped = wrapped(self.lines, self._wide)
        self.virtual_size = Size(self._wide, len(self._wrapped))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if self._inks is None:
            self._inks = inks_of(self)
        place = y + self.scroll_offset.y
        line = self._wrapped[place] if place < len(self._wrapped) else []
        return strip_of([(" ", ""), *line], self._wide + 2, self._inks)
