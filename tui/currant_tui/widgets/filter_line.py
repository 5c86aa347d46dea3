"""One line to say which executions are meant: coloured as it is typed, completed, and corrected in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from currant_lab.status import Status
from currant_lab.watch.criteria import KEYS, FilterError, Pattern
from currant_lab.watch.filters import parse
from currant_tui.drawing.lines import Line, length
from currant_tui.drawing.paging import Noted
from currant_tui.widgets.painting import Painting, inks_of

__all__ = ["PROMPT", "FilterLine", "Note", "visible"]

PROMPT = " / "
_MOST_REMEMBERED = 50

Names = Callable[[str], Iterable[str]]
"""Names that a key's values may take, as of now."""


class _Completion(Suggester):
    """Completes the last word: a key, a status, or the name of a queue or job that is known."""

    def __init__(self, names: Names) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._names = names

    async def get_suggestion(self, value: str) -> str | None:
        """The whole line with its last word completed; None when nothing fits."""
        word = value.rsplit(" ", 1)[-1]
        key, colon, begun = word.partition(":")
        if not word:
            return None
        if not colon:
            return _completed(value, word, (f"{name}:" for name in KEYS if name not in ("age", "attempt")))
        begun = begun.rsplit(",", 1)[-1]
        if not begun:
            return None
        known = list(Status) if key == "status" else [Pattern(name).line() for name in self._names(key)]
        return _completed(value, begun, known)


def _completed(value: str, begun: str, known: Iterable[str]) -> str | None:
    return next((value + name[len(begun) :] for name in known if name.startswith(begun) and name != begun), None)


class _FilterInput(Input):
    """The field itself. What stands in it may come from the database: it is never written raw to the terminal."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back to the list", show=False, id="filter.leave"),
        Binding("up", "earlier(1)", "Earlier lines", show=False, id="filter.earlier"),
        Binding("down", "earlier(-1)", "Later lines", show=False, id="filter.later"),
    ]

    class Left(Message):
        """Escape: the list is wanted again."""

    def __init__(self, names: Names, *, id: str) -> None:
        super().__init__(
            placeholder='status:failed queue:mail job:fetch* age>5m "text"',
            suggester=_Completion(names), compact=True, select_on_focus=False, id=id,
        )  # fmt: skip
        self.remembered: list[str] = [""]
        self._at = 0

    @property
    def _value(self) -> Text:
        shown = Text("".join(map(visible, self.value)), no_wrap=True, overflow="ignore", end="")
        try:
            parse(self.value)
        except FilterError as error:
            wrong = inks_of(self)["bad"] + Style(underline=True)
            shown.stylize(wrong, error.start, max(error.end, error.start + 1))
        return shown

    def remember(self, line: str) -> None:
        """Keep a line for the up key."""
        if line in self.remembered:
            self.remembered.remove(line)
        self.remembered = [line, *self.remembered][:_MOST_REMEMBERED]
        self._at = 0

    def action_earlier(self, steps: int) -> None:
        """An earlier line (1), or a later one (-1)."""
        self._at = max(0, min(self._at + steps, len(self.remembered) - 1))
        self.value = self.remembered[self._at]
        self.cursor_position = len(self.value)

    def action_leave(self) -> None:
        """Back to the list."""
        self.post_message(self.Left())


def visible(letter: str) -> str:
    """The same letter, or one of the same length for it that a terminal doesn't obey."""
    if letter.isprintable():
        return letter
    code = ord(letter)
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


class FilterLine(Horizontal):
    """The line with its prompt.

    Attributes:
        applied: the line that the list shows.
    """

    DEFAULT_CSS = """
    FilterLine { height: 1; background: $surface; }
    FilterLine Static { width: 3; color: $accent; }
    FilterLine _FilterInput { width: 1fr; background: $surface; border: none; padding: 0; height: 1; }
    FilterLine _FilterInput:focus { background: $panel; }
    """

    class Applied(Message):
        """Enter: this line is wanted."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    class Edited(Message):
        """The line changed, and is not applied yet. `error`: what is wrong with it, if anything."""

        def __init__(self, line: str, error: FilterError | None) -> None:
            super().__init__()
            self.line = line
            self.error = error

    class Left(Message):
        """The list is wanted again, with what it shows."""

    def __init__(self, names: Names, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = names
        self.applied = ""

    def compose(self) -> ComposeResult:
        yield Static(PROMPT, markup=False)
        yield _FilterInput(self._names, id="filter-input")

    @property
    def input(self) -> _FilterInput:
        """The field."""
        return self.query_one(_FilterInput)

    def set(self, line: str) -> None:
        """Show a line that is applied."""
        self.applied = line
        self.input.value = line
        self.input.cursor_position = len(line)
        self.input.remember(line)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value == self.applied:
            self.post_message(self.Edited(event.value, None))
            return
        try:
            parse(event.value)
        except FilterError as error:
            self.post_message(self.Edited(event.value, error))
        else:
            self.post_message(self.Edited(event.value, None))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            parse(event.value)
        except FilterError as error:
            self.post_message(self.Edited(event.value, error))
            return
        self.set(event.value)
        self.post_message(self.Applied(event.value))

    def on__filter_input_left(self, event: _FilterInput.Left) -> None:
        event.stop()
        self.set(self.applied)
        self.post_message(self.Left())


class Note(Painting[Noted]):
    """One line about the list, or about what is wrong with the filter, below the place where it is wrong."""

    DEFAULT_CSS = """
    Note { height: 1; background: $surface; }
    """

    def paint(self, data: Noted, width: int, height: int) -> list[Line]:
        left: Line = list(data.left)
        if data.at is None:
            free = width - length(left) - len(data.right) - 1
            return [[*left, (" " * max(free, 1), ""), (data.right, "muted")]]
        place = min(len(PROMPT) + data.at, width - 1)
        long = length(left)
        if place + 2 + long <= width or place < width // 2:
            return [[(" " * place + "▲ ", "bad"), *left]]
        return [[(" " * max(0, place - long - 1), ""), *left, (" ▲", "bad")]]
