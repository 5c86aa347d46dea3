"""The bars at the top of the screen: header, views, trouble."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message

from currant_tui.drawing.heading import Heading, heading, trouble_line, views_line
from currant_tui.drawing.lines import Line, length
from currant_tui.widgets.painting import Painting

__all__ = ["Header", "Troubles", "ViewBar", "Views"]

SHOWN_TROUBLES = 3


class Header(Painting[Heading]):
    """Which database, how fresh, in what mode."""

    DEFAULT_CSS = """
    Header { height: 1; background: $panel; }
    """

    def paint(self, data: Heading, width: int, height: int) -> list[Line]:
        return [heading(data, width)]


@dataclass(frozen=True, slots=True)
class Views:
    """The views as (key, name), and the name of the one that is looked at."""

    entries: tuple[tuple[str, str], ...]
    current: str


class ViewBar(Painting[Views]):
    """The names of the views; a click goes there."""

    DEFAULT_CSS = """
    ViewBar { height: 1; background: $panel; }
    """

    class Chosen(Message):
        """A view's name was clicked."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def paint(self, data: Views, width: int, height: int) -> list[Line]:
        return [views_line(data.entries, data.current, width)]

    def on_click(self, event: events.Click) -> None:
        if self.data is None:
            return
        line = views_line(self.data.entries, self.data.current, self.size.width)
        before = length(line[:1])
        keys = dict(self.data.entries)
        for text, _ in line[1:]:
            key = text.split()[0] if text.strip() else ""
            if key in keys:
                chosen = keys[key]
            before += len(text)
            if event.x < before and text.strip():
                self.post_message(self.Chosen(chosen))
                return


class Troubles(Painting[tuple[tuple[str, str, str], ...]]):
    """What is wrong, worst first, as (severity, text, hint); takes no room when nothing is."""

    DEFAULT_CSS = """
    Troubles { height: auto; max-height: 3; }
    """

    def watch_data(self) -> None:
        super().watch_data()
        self.styles.height = min(len(self.data or ()), SHOWN_TROUBLES)

    def paint(self, data: tuple[tuple[str, str, str], ...], width: int, height: int) -> list[Line]:
        lines = [trouble_line(*one, width) for one in data[:height]]
        if len(data) > height and lines:
            more = f" +{len(data) - height} more "
            lines[-1] = [*trouble_line(*data[height - 1], width - len(more)), (more, "muted")]
        return lines
