"""The last line of a screen: the keys that do something here; a click is as good as the key."""

from __future__ import annotations

from textual import events
from textual.reactive import reactive
from textual.screen import Screen

from currant_tui.drawing.keys import Key, key_at, key_line
from currant_tui.drawing.lines import Line
from currant_tui.widgets.painting import Painting

__all__ = ["Keys"]


class Keys(Painting[tuple[Key, ...]]):
    """One line, drawn as a whole.

    Textual's footer makes a widget of every key, anew for each page: a dozen to a page, some 17 kB each, which its
    caches keep for thousands of pages.
    """

    DEFAULT_CSS = """
    Keys { dock: bottom; height: 1; background: $panel; }
    """
    ALLOW_SELECT = False

    pointed: reactive[Key | None] = reactive(None)

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen[object]) -> None:
        if screen is not self.screen or not self.app.app_focus:
            return
        found: dict[str, Key] = {}
        for _, binding, enabled, tooltip in screen.active_bindings.values():
            if binding.show and binding.action not in found:
                shown = self.app.get_key_display(binding)
                found[binding.action] = Key(binding.key, shown, binding.description, binding.action, enabled, tooltip)
        self.data = tuple(found.values())

    def paint(self, data: tuple[Key, ...], width: int, height: int) -> list[Line]:
        return [key_line(data, width, self.pointed)]

    # Mouse

    def watch_pointed(self, pointed: Key | None) -> None:
        self.watch_data()
        self.tooltip = pointed.hint or None if pointed is not None else None

    def _at(self, event: events.MouseEvent) -> Key | None:
        return key_at(self.data or (), self.size.width, event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self.pointed = self._at(event)

    def on_leave(self) -> None:
        self.pointed = None

    def on_click(self, event: events.Click) -> None:
        if (key := self._at(event)) is not None:
            self.app.simulate_key(key.key)
