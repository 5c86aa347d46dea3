"""A widget that shows a picture: one reactive holds the data, a pure function draws it, nothing is drawn twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from currant_tui.drawing.lines import INKS, Ink, Line, pressed
from currant_tui.theme import INK_DEFAULTS

__all__ = ["Inks", "Painting", "strip_of"]

T = TypeVar("T")
Inks = dict[Ink, Style]


def inks_of(widget: Widget) -> Inks:
    """The style of each ink where `widget` stands: the theme's colour on the widget's own background."""
    base = widget.rich_style
    variables = widget.app.theme_variables
    inks: Inks = {}
    for ink in INKS:
        name = variables.get(f"ink-{ink}", INK_DEFAULTS.get(f"ink-{ink}"))
        inks[ink] = base + Style(color=Color.parse(name).rich_color) if name else base
    inks["strong"] += Style(bold=True)
    inks["bad"] += Style(bold=True)
    inks["title"] = inks["strong"]
    inks["mode"] = base + Style(bold=True, reverse=True)
    inks["key"] = inks["accent"] + Style(bold=True)
    inks["cursor"] = base + Style(bgcolor=Color.parse(variables["panel"]).rich_color)
    return inks


def strip_of(line: Line, width: int, inks: Inks) -> Strip:
    """A line of a picture as Textual takes it, exactly `width` cells long."""
    return Strip([Segment(text, inks[ink]) for text, ink in pressed(line, width)], width)


class Painting(Widget, Generic[T]):
    """Shows what `paint` makes of `data`. Data equal to what is shown costs nothing.

    Attributes:
        data: what is shown; None shows nothing. Give it values that compare: tuples, frozen dataclasses.
    """

    DEFAULT_CSS = """
    Painting { height: 1fr; width: 1fr; }
    """

    data: reactive[Any] = reactive(None)

    def __init__(self, data: T | None = None, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._inks: Inks | None = None
        self._strips: list[Strip] = []
        self._drawn_for: Size | None = None
        self.set_reactive(Painting.data, data)

    def paint(self, data: T, width: int, height: int) -> Sequence[Line]:
        """The picture as at most `height` lines. Pure: called again whenever the data or the size changes."""
        raise NotImplementedError

    def watch_data(self) -> None:
        self._drawn_for = None

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._inks = None
        self._drawn_for = None

    @property
    def inks(self) -> Inks:
        """The style of each ink here and now."""
        if self._inks is None:
            self._inks = inks_of(self)
        return self._inks

    def render_line(self, y: int) -> Strip:
        size = self.size
        if self._drawn_for != size:
            lines = [] if self.data is None else self.paint(self.data, size.width, size.height)
            self._strips = [strip_of(line, size.width, self.inks) for line in lines]
            self._drawn_for = size
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(size.width, self.rich_style)
