"""The ribbon of claims as a widget: arrows and the mouse go along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from currant_tui.drawing.lines import Line
from currant_tui.drawing.ribbon import SCALE, Ribbon, ribbon
from currant_tui.widgets.painting import Painting

__all__ = ["RibbonPicture"]


class RibbonPicture(Painting[Ribbon], can_focus=True):
    """The latest claims; the one that is pointed at is told in words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "Older", id="claims.older", tooltip="the claim before"),
        Binding("right,l", "step(1)", "Newer", id="claims.newer", tooltip="the claim after"),
        Binding("end,G,escape", "newest", "Newest", show=False, id="claims.newest", tooltip="follow the newest claim"),
    ]

    class Pointed(Message):
        """Another batch is meant: its index, -1 for whichever is the newest."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def paint(self, data: Ribbon, width: int, height: int) -> Sequence[Line]:
        return ribbon(data, width, height)

    def action_step(self, steps: int) -> None:
        """Go along the ribbon."""
        if self.data is None or not self.data.batches:
            return
        count = len(self.data.batches)
        first = max(0, count - (self.size.width - SCALE))
        place = (self.data.chosen if self.data.marked else count - 1) + steps
        self.post_message(self.Pointed(-1 if place >= count - 1 else max(first, place)))

    def action_newest(self) -> None:
        """Follow the newest one."""
        self.post_message(self.Pointed(-1))

    def on_click(self, event: events.Click) -> None:
        if self.data is None or not self.data.batches:
            return
        place = len(self.data.batches) - (self.size.width - event.x)
        if event.x >= SCALE and place >= 0:
            self.post_message(self.Pointed(place))
