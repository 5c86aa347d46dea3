"""One execution with all that is known of it, on a screen of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast
from uuid import UUID

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen

from currant_lab.status import FINAL
from currant_lab.watch.listing import Listing
from currant_tui.acting import Acts, Meant
from currant_tui.drawing.detail import PANES, Pane, is_cancelling, lines_of, text_of
from currant_tui.drawing.executions import status_piece
from currant_tui.outside import show_outside
from currant_tui.safe import plain
from currant_tui.widgets.bars import ViewBar, Views
from currant_tui.widgets.keys import Keys
from currant_tui.widgets.reader import Reader
from currant_tui.widgets.title import Title, TitleBar

if TYPE_CHECKING:
    from currant_lab.control import Act
    from currant_lab.watch.detail import Detail
    from currant_tui.app import CurrantApp

__all__ = ["DetailScreen"]

EVERY_S = 2.0
"""How often what has not ended is asked for: one statement."""

_MOST_OUTSIDE = 16 * 2**20
_ENDINGS = {"Arguments": ".json", "Result": ".json", "Source": ".py"}


class DetailScreen(Acts, Screen[None]):
    """An execution: its story, arguments, result, traceback, logs and source.

    Attributes:
        detail: what is known; None until the database has answered.
        pane: the part that is read.
    """

    DEFAULT_CSS = """
    DetailScreen Reader { padding: 1 0 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,backspace", "dismiss", "Back", key_display="Esc", id="detail.close"),
        Binding("tab,l,right", "turn(1)", "Next part", show=False, id="detail.next"),
        Binding("shift+tab,h,left", "turn(-1)", "Part before", show=False, id="detail.previous"),
        *(Binding(str(n), f"part({n - 1})", name, show=False) for n, name in enumerate(PANES, 1)),
        Binding("7,8,9", "nothing", show=False),  # the views' keys: none may turn beneath this screen
        Binding("y", "copy", "Copy", id="detail.copy", tooltip="this part, to the clipboard"),
        Binding("Y", "copy_id", "Copy the id", show=False, id="detail.copy_id"),
        Binding("v", "outside(False)", "Pager", id="detail.pager", tooltip="this part in $PAGER"),
        Binding("e", "outside(True)", "Editor", id="detail.editor", tooltip="this part in $EDITOR"),
        Binding("ctrl+r,f5", "again", "Look again", show=False, id="detail.again"),
    ]

    pane: reactive[Pane] = reactive("Story", init=False)

    def __init__(self, id: bytes) -> None:
        super().__init__()
        self.execution = id
        self.detail: Detail | None = None
        self._heading = TitleBar(Title((("…", "muted"),)))
        self._bar = ViewBar(self._views())
        self._reader = Reader(id="text")

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._bar
        yield self._reader
        yield Keys()

    def on_mount(self) -> None:
        self._reader.focus()
        self.ask()
        self.set_interval(EVERY_S, self._ask_if_it_moves)

    def meant(self, act: Act) -> Meant | None:
        text = f"the execution {UUID(bytes=self.execution)}"
        return Meant(text if self.detail is None else f"{text} of {self.detail.info.job}", (self.execution,))

    def acted(self) -> None:
        self.ask()

    def _views(self) -> Views:
        return Views(tuple((str(number), name) for number, name in enumerate(PANES, 1)), self.pane)

    def _ask_if_it_moves(self) -> None:
        if self.is_current and (self.detail is None or self.detail.info.status not in FINAL):
            self.ask()

    @work(group="ask", exclusive=True)
    async def ask(self) -> None:
        """Ask the database, and show what it says."""
        try:
            found = await self._listing().detail(self.execution)
        except Exception as error:  # noqa: BLE001 - whatever is wrong is told, and the screen stays
            self._heading.data = Title((("✗ ", "bad"), (plain(error), "bad")))
            return
        self.detail = found
        info = found.info
        status = status_piece(info.status, cancelling=is_cancelling(info))
        name = f"  {plain(info.job, 200)}"
        self._heading.data = Title((status, (name, "strong")), ((str(info.uuid), "muted"),))
        self._show()

    def _show(self) -> None:
        if self.detail is not None:
            self._reader.lines = lines_of(self.detail, self.pane)

    def _listing(self) -> Listing:
        return Listing(cast("CurrantApp", self.app).lab.source.database)

    def watch_pane(self) -> None:
        self._bar.data = self._views()
        self._show()
        self._reader.scroll_home(animate=False)

    # Keys and mouse

    def action_turn(self, steps: int) -> None:
        """The next part, or the one before."""
        self.pane = PANES[(PANES.index(self.pane) + steps) % len(PANES)]

    def action_part(self, number: int) -> None:
        """A part by its number."""
        self.pane = PANES[number]

    def action_nothing(self) -> None:
        """Does nothing."""

    def action_again(self) -> None:
        """Ask again now."""
        self.ask()

    def on_view_bar_chosen(self, event: ViewBar.Chosen) -> None:
        event.stop()
        self.action_part(int(event.name) - 1 if event.name.isdecimal() else PANES.index(cast(Pane, event.name)))

    def action_copy(self) -> None:
        """Copy the part that is read."""
        if self.detail is not None:
            self.app.copy_to_clipboard(text_of(self.detail, self.pane))
            self.notify(f"{self.pane}: copied", markup=False)

    def action_copy_id(self) -> None:
        """Copy the execution's id."""
        if self.detail is not None:
            self.app.copy_to_clipboard(str(self.detail.info.uuid))
            self.notify("its id: copied", markup=False)

    @work(group="outside", exclusive=True)
    async def action_outside(self, editor: bool) -> None:
        """Open the whole of this part in the pager or the editor."""
        try:
            whole = await self._listing().detail(self.execution, _MOST_OUTSIDE)
            name = f"{self.pane.lower()}{_ENDINGS.get(self.pane, '.txt')}"
            await show_outside(cast("CurrantApp", self.app), text_of(whole, self.pane), name, editor=editor)
        except Exception as error:  # noqa: BLE001 - whatever is wrong is told, and the screen stays
            self.notify(plain(error), severity="error", markup=False)
