"""What was done from this dashboard, on a screen of its own."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from currant_tui.drawing.lines import Ink, Line
from currant_tui.safe import plain
from currant_tui.widgets.keys import Keys
from currant_tui.widgets.reader import Reader
from currant_tui.widgets.title import Title, TitleBar

if TYPE_CHECKING:
    from currant_tui.acting import Deed
    from currant_tui.app import CurrantApp

__all__ = ["DeedsScreen", "deed_lines"]

_SIGNS: dict[str, tuple[str, Ink]] = {"running": ("●", "warn"), "done": ("✓", "good"), "failed": ("✗", "bad")}


class DeedsScreen(Screen[None]):
    """The log of actions, newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,a,backspace", "dismiss", "Back", key_display="Esc", id="deeds.close"),
        Binding("q", "dismiss", "Back", show=False),
        Binding("1,2,3,4,5,6,7,8,9", "nothing", show=False),  # no view may turn beneath this screen
    ]

    def compose(self) -> ComposeResult:
        yield TitleBar(Title((("Actions from this dashboard, newest first", "strong"),)))
        yield Reader()
        yield Keys()

    def on_mount(self) -> None:
        self.query_one(Reader).focus()
        self._show()
        self.set_interval(0.25, self._show)

    def action_nothing(self) -> None:
        """Does nothing."""

    def _show(self) -> None:
        app = cast("CurrantApp", self.app)
        self.query_one(Reader).lines = deed_lines(tuple(app.acting.deeds), app.acting.refusal)


def deed_lines(deeds: tuple[Deed, ...], refusal: str | None) -> tuple[Line, ...]:
    """The log as lines."""
    lines: list[Line] = []
    for deed in reversed(deeds):
        sign, ink = _SIGNS[deed.state]
        lines.append(
            [
                (f"{datetime.fromtimestamp(deed.at):%H:%M:%S}  ", "muted"),
                (f"{sign} {deed.state:<8}", ink),
                (plain(deed.what, 1_000), ""),
                (f"   {plain(deed.outcome, 1_000)}", ink),
            ]
        )
    if not lines:
        lines = [[("Nothing was changed from here.", "")], []]
        if refusal is None:
            lines.append([("Executions: c cancel, r run again, n run now, p priority. P pauses a queue.", "muted")])
        else:
            lines.append([(f"Nothing may be: {plain(refusal)}.", "warn")])
    return tuple(lines)
