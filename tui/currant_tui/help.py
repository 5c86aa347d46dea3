"""`?`: what the page shows and how to read it, and every key that does something here."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

__all__ = ["HelpScreen", "Key", "keys_of"]

Key = tuple[str, str, str]
"""The key as it is shown, what it does, its name for the keymap."""


_ORDER = ("", "replay", "app", "table")
"""What a page has of its own comes first, and moving about last."""


def keys_of(screen: Screen[Any]) -> list[Key]:
    """The keys that do something on a screen now; several that do the same are one entry."""
    found: dict[tuple[str, str], list[str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        does, name = binding.tooltip or binding.description, binding.id or ""
        if does and name and not name.startswith("view."):
            shown = screen.app.get_key_display(binding)
            found.setdefault((name, does), []).append(shown)
    keys = [(" ".join(dict.fromkeys(shown)), does, name) for (name, does), shown in found.items()]
    return sorted(keys, key=lambda key: _ORDER.index(kind) if (kind := key[2].partition(".")[0]) in _ORDER else 0)


class HelpScreen(ModalScreen[None]):
    """The help of one page. Any of its keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", id="help.close"),
    ]

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 76; max-width: 96%; height: auto; max-height: 92%; background: $surface;
        border: round $primary; padding: 0 2;
    }
    HelpScreen Static { width: 1fr; height: auto; }
    """

    def __init__(self, name: str, about: str, keys: list[Key]) -> None:
        super().__init__()
        self._name, self._about, self._keys = name, about, keys

    def compose(self) -> ComposeResult:
        table = Table.grid(padding=(0, 2))
        table.add_row(Text("1 2 …", style="bold"), Text("the pages, by their numbers; [ and ] go from one to the next"))
        for key, does, name in self._keys:
            table.add_row(Text(key, style="bold"), Text(does), Text(name, style="dim"))
        with VerticalScroll() as box:
            box.border_title = self._name
            box.border_subtitle = "Esc closes"
            yield Static(Group(Text(self._about), Text(""), table), markup=False)
