"""One question before something is changed: how many executions, and which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from currant_tui.safe import paragraph, text

__all__ = ["Ask", "Question"]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question.

    Attributes:
        title: what is asked.
        body: what it means: a line or some.
        does: the word on the button that does it.
        entry: what is to be typed; empty where y will do.
        wrong: what is wrong with what was typed, or None.
        given: what stands there already, to be typed over.
    """

    title: str
    body: str
    does: str
    entry: str = ""
    wrong: Callable[[str], str | None] = lambda _: None
    given: str = ""


class Question(ModalScreen[str | None]):
    """Asks, and returns what was typed (or "y"); None when it is left."""

    DEFAULT_CSS = """
    Question { align: center middle; }
    Question > Vertical {
        width: 70; max-width: 96%; height: auto; max-height: 90%; background: $surface;
        border: round $warning; padding: 1 2;
    }
    Question Static { width: 1fr; height: auto; }
    Question #title { text-style: bold; margin-bottom: 1; }
    Question #wrong { color: $error; }
    Question Input { margin: 1 0 0 0; }
    Question Horizontal { height: 1; margin-top: 1; align-horizontal: right; }
    Question Button { margin-left: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "No", show=False, id="question.no"),
        Binding("n", "leave", "No", show=False),
        Binding("y", "answer", "Yes", show=False, id="question.yes"),
    ]

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self.ask = ask

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(text(self.ask.title), id="title")
            yield Static(paragraph(self.ask.body, 2_000))
            if self.ask.entry:
                yield Input(self.ask.given, placeholder=self.ask.entry, compact=True, id="entry")
                yield Static("", id="wrong", markup=False)
            with Horizontal():
                yield Button(f"{self.ask.does}" if self.ask.entry else f"{self.ask.does} (y)", compact=True, id="yes",
                             variant="warning")  # fmt: skip
                yield Button("Leave it (Esc)", compact=True, id="no")

    def on_mount(self) -> None:
        self.query_one("#entry" if self.ask.entry else "#no").focus()

    def action_leave(self) -> None:
        """No."""
        self.dismiss(None)

    @on(Input.Submitted)
    @on(Button.Pressed, "#yes")
    def action_answer(self) -> None:
        """Yes, if what is typed is right."""
        if not self.ask.entry:
            self.dismiss("y")
            return
        typed = self.query_one(Input).value.strip()
        wrong = self.ask.wrong(typed)
        if wrong is None:
            self.dismiss(typed)
        else:
            self.query_one("#wrong", Static).update(text(wrong))

    @on(Button.Pressed, "#no")
    def _left(self) -> None:
        self.dismiss(None)
