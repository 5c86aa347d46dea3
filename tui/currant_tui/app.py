"""The app: puts the bars, the views and the source of the state together, and applies changes in one place."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from currant_lab.errors import CurrantError
from currant_tui.acting import Acting
from currant_tui.deeds import DeedsScreen
from currant_tui.drawing.heading import Heading
from currant_tui.help import HelpScreen, keys_of
from currant_tui.keymap import Preferences
from currant_tui.narrow import LEAST, Narrow
from currant_tui.opening import RETRY_S, Opening, stuck
from currant_tui.replaying import ReplayBar, Replaying
from currant_tui.state import essential, heading_of, troubles_of
from currant_tui.theme import INK_DEFAULTS, THEMES
from currant_tui.view import Lab, View
from currant_tui.views import VIEWS, Entry, entry
from currant_tui.widgets.bars import Header, Troubles, ViewBar, Views
from currant_tui.widgets.keys import Keys

__all__ = ["CurrantApp"]


class CurrantApp(Replaying):
    """The dashboard.

    Attributes:
        lab: the source of the state.
        acting: what may be done, and was.
        frozen: the picture is held; the state goes on.
    """

    TITLE = "currant"
    CSS = """
    Screen { background: $background; }
    ModalScreen { background: $background 60%; }
    #body { height: 1fr; }
    .-low Troubles { max-height: 1; }
    .-small Narrow { display: block; }
    .-small #body, .-small Keys { display: none; }
    .-small.-stuck #body { display: block; }
    .-small.-stuck Narrow { display: none; }
    """
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", id="app.help"),
        Binding("z", "hold", "Hold", id="app.hold", tooltip="hold the picture, or let it go on"),
        Binding("colon", "command_palette", "Commands", key_display=":", show=False, id="app.commands"),
        Binding("ctrl+right,right_square_bracket", "step_view(1)", "Next view", show=False, id="app.next"),
        Binding("ctrl+left,left_square_bracket", "step_view(-1)", "Previous view", show=False, id="app.previous"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, id="app.suspend"),
        Binding("S", "screenshot", "Save the screen as SVG", show=False, id="app.screenshot"),
        Binding("T", "turn_theme", "Dark or light", show=False, id="app.theme"),
        Binding(
            "P", "turn_queue", "Pause queue", show=False, id="app.pause", tooltip="pause or resume the row's queue"
        ),
        Binding("a", "deeds", "Actions", show=False, id="app.deeds", tooltip="what was done from here"),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("ctrl+c,ctrl+q", "quit", show=False),
        *(Binding(one.key, f"look('{one.id}')", one.name, show=False, id=f"view.{one.id}") for one in VIEWS),
    ]

    def __init__(
        self, lab: Lab, *, view: str = "overview", preferences: Preferences | None = None, served_by: int | None = None
    ) -> None:
        """
        Args:
            lab: see `Lab`; its source is opened here, and closed at the end.
            view: the view to begin with.
            preferences: see `read_preferences`.
            served_by: the process that serves it to a browser, and with which it ends.
        """
        super().__init__()
        self.lab = lab
        self.frozen = False
        self.failure: Exception | None = None
        self.painted = 0
        self.acting = Acting(self)
        self._preferences = preferences or Preferences()
        self._entry = entry(view) or VIEWS[0]
        self._suspended = False
        self._served_by = served_by

    # Composition

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(INK_DEFAULTS)

    def compose(self) -> ComposeResult:
        yield Header(Heading())
        yield ViewBar(Views(tuple((one.key, one.name) for one in VIEWS), self._entry.name))
        yield Troubles(())
        with ContentSwitcher(id="body", initial="nothing"):
            yield Opening(id="nothing")
        yield Narrow()
        if self.replay is not None:
            yield ReplayBar()
        yield Keys()

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        wished = self._preferences.theme or "currant-dark"
        self.theme = wished if wished in self.available_themes else "currant-dark"
        self.set_keymap(self._preferences.keys)
        self.app_suspend_signal.subscribe(self, lambda _: self._go_away())
        self.app_resume_signal.subscribe(self, lambda _: self._come_back())
        if self._served_by is not None:
            self.set_interval(1.0, self._end_with_server)
        self.follow()

    def _end_with_server(self) -> None:
        if os.getppid() != self._served_by:
            self.exit()

    # State

    @work(exclusive=True, group="follow")
    async def follow(self) -> None:
        """Open the source and apply its changes: the one place that does, at most ten times a second."""
        source = self.lab.source
        try:
            while not await self._opened():  # noqa: ASYNC110 - nobody tells when a database is there
                await asyncio.sleep(RETRY_S)
        except Exception as error:  # noqa: BLE001 - told after the terminal is the person's again
            self.failure = error
            self.exit(1)
            return
        if self.lab.recorder is not None:
            self.lab.recorder.start()
        await self._look(self._entry)
        async for _ in source.changes():
            if not self.frozen:
                self.apply()

    async def _opened(self) -> bool:
        """Open the source; if it can't be, say why on the screen."""
        try:
            await self.lab.source.open()
        except CurrantError as error:
            self.failure = error
            self.query_one(Opening).data = stuck(error)
            self.screen_stack[0].add_class("-stuck")
            await self.lab.source.close()
            return False
        await self.acting.examine()
        self.failure = None
        self.screen_stack[0].remove_class("-stuck")
        return True

    def apply(self) -> None:
        """Bring the screen up to the state."""
        if not self.screen_stack or not self.query(Header):
            return  # the end has begun
        self.show_position()
        board = self.lab.board
        self.query_one(Header).data = heading_of(self)
        troubles = self.query_one(Troubles)
        troubles.data = troubles_of(board, self.lab)
        if self.screen_stack[0].has_class("-small"):
            self.query_one(Narrow).data = essential(board, heading_of(self).mode)
        elif (view := self.view) is not None:
            view.show(board)
        self.painted += 1

    @property
    def view(self) -> View | None:
        """The view that is looked at."""
        current = self.screen_stack[0].query_one("#body", ContentSwitcher).visible_content
        return current if isinstance(current, View) else None

    async def on_unmount(self) -> None:
        await self.lab.source.close()
        if self.lab.recorder is not None:
            await self.lab.recorder.close()

    def _go_away(self) -> None:
        self.workers.cancel_group(self, "presence")
        self._suspended = True
        self.run_worker(self.lab.source.suspend(), group="presence")

    def _come_back(self) -> None:
        self.screen.refresh()  # the terminal has forgotten all of it, and Textual would paint only what changes
        if self._suspended:
            self._suspended = False
            self.run_worker(self.lab.source.resume(), group="presence")

    async def action_suspend_process(self) -> None:  # type: ignore[override]
        """Ctrl-Z: LISTEN is closed before the process stops, since a socket that nobody drains holds vacuum back."""
        await self.lab.source.suspend()
        self._suspended = True
        super().action_suspend_process()

    # Views

    async def _look(self, one: Entry) -> None:
        if not self.lab.board.header.snapshot_at:
            self._entry = one  # looked at once there is something to see
            return
        body = self.screen_stack[0].query_one("#body", ContentSwitcher)
        before = self.view
        if body.get_child_by_id(one.id, View) if one.id in {child.id for child in body.children} else None:
            body.current = one.id
        else:
            view = one.load()(id=one.id)
            await body.mount(view)
            body.current = one.id
        self._entry = one
        bar = self.query_one(ViewBar)
        bar.data = Views(bar.data.entries, one.name)
        if before is not None and before is not self.view:
            before.left()
        if self.view is not None:
            self.apply()
            self.view.entered()

    async def action_look(self, name: str) -> None:
        """Look at another view."""
        one = entry(name)
        if one is not None:
            await self._look(one)

    async def action_step_view(self, steps: int) -> None:
        """Look at the next view, or the one before."""
        await self._look(VIEWS[(VIEWS.index(self._entry) + steps) % len(VIEWS)])

    @on(ViewBar.Chosen)
    async def _chosen(self, event: ViewBar.Chosen) -> None:
        await self.action_look(event.name)

    # Keys

    def action_hold(self) -> None:
        """Hold the picture, or let it go on."""
        if self.replay is not None:
            self.action_play()
            return
        self.frozen = not self.frozen
        self.apply()

    def action_turn_queue(self) -> None:
        """Pause the queue under the cursor, or let it go on."""
        self.acting.turn_queue(self.view.queue_meant() if self.view is not None else None)

    def action_deeds(self) -> None:
        """What was done from here."""
        self.push_screen(DeedsScreen())

    def action_turn_theme(self) -> None:
        """From dark to light and back."""
        self.theme = "currant-light" if self.current_theme.dark else "currant-dark"

    def action_help(self) -> None:
        """What this page shows, and its keys."""
        about = self.view.ABOUT if self.view is not None else ""
        self.push_screen(HelpScreen(self._entry.name, about, keys_of(self.screen)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for one in VIEWS:
            yield SystemCommand(one.name, f"look at {one.name.lower()} ({one.key})", lambda one=one: self._go(one))
        yield SystemCommand("Hold", "hold the picture, or let it go on (z)", self.action_hold)
        yield SystemCommand("Dark or light", "turn the theme (T)", self.action_turn_theme)
        yield from super().get_system_commands(screen)

    def _go(self, one: Entry) -> None:
        self.run_worker(self._look(one), group="look", exclusive=True)

    def on_resize(self, event: events.Resize) -> None:
        columns, lines = event.size  # `self.size` is still the old one
        self.screen_stack[0].set_class(columns < LEAST[0] or lines < LEAST[1], "-small")
        self.screen_stack[0].set_class(lines < 30, "-low")
        self.screen_stack[0].set_class(columns >= 120, "-wide")
        if self.view is not None:
            self.call_after_refresh(self.apply)
