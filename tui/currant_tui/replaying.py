"""Looking at a recording: play, pause, speed, jumps, and a bar to scrub on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input, TextArea

from currant_lab.watch.replay import Replay
from currant_tui.drawing.lines import Line, length
from currant_tui.widgets.painting import Painting

if TYPE_CHECKING:
    from currant_tui.view import Lab

__all__ = ["Position", "ReplayBar", "Replaying"]

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a replay stands, in seconds."""

    position_s: float = 0.0
    duration_s: float = 0.0
    speed: float = 1.0
    paused: bool = False


def clock(seconds: float) -> str:
    """A place in a recording: 0:07, 59:03, 2:05:00."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def position_line(data: Position, width: int) -> tuple[Line, int, int]:
    """The bar, and where its track begins and how many cells it has."""
    left: Line = [(" ‖ " if data.paused else " ▶ ", "four"), (clock(data.position_s) + " ", "strong")]
    right: Line = [(f" {clock(data.duration_s)}", "muted"), (f"  {data.speed:g}x ", "strong")]
    cells = max(1, width - length(left) - length(right))
    share = data.position_s / data.duration_s if data.duration_s else 0.0
    done = min(cells - 1, round(share * (cells - 1)))
    track: Line = [("━" * done, "four"), ("●", "strong"), ("─" * (cells - done - 1), "muted")]
    return [*left, *track, *right], length(left), cells


class ReplayBar(Painting[Position]):
    """The track of a replay. A click, or a pull, jumps there."""

    DEFAULT_CSS = """
    ReplayBar { height: 1; background: $panel; }
    """

    class Scrubbed(Message):
        """A place on the track was asked for, as a share of the whole."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    def paint(self, data: Position, width: int, height: int) -> list[Line]:
        return [position_line(data, width)[0]]

    def _scrub(self, x: int) -> None:
        _, begin, cells = position_line(self.data or Position(), self.size.width)
        self.post_message(self.Scrubbed(min(1.0, max(0.0, (x - begin) / max(1, cells - 1)))))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.capture_mouse()
        self._scrub(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.app.mouse_captured is self:
            self._scrub(event.x)

    def on_mouse_up(self) -> None:
        self.release_mouse()


class Replaying(App[int]):
    """The part of the app that drives a replay.

    Its keys go before those of a table, which would scroll by them; not before those of a line that is written.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "Play", priority=True, id="replay.play", tooltip="play, or stop"),
        Binding("left", "jump(-5)", "Back", priority=True, id="replay.back", tooltip="back by 5 seconds"),
        Binding("right", "jump(5)", "On", priority=True, id="replay.on", tooltip="on by 5 seconds"),
        Binding(
            "shift+left,H", "jump(-60)", "Back by a minute", priority=True, show=False, id="replay.back_minute"
        ),
        Binding("shift+right,L", "jump(60)", "On by a minute", priority=True, show=False, id="replay.on_minute"),
        Binding("less_than_sign,comma", "speed(-1)", "Slower", key_display="<", priority=True, show=False,
                id="replay.slower"),
        Binding("greater_than_sign,full_stop", "speed(1)", "Faster", key_display=">", priority=True, show=False,
                id="replay.faster"),
        Binding("0", "jump_to(0)", "To the begin", priority=True, show=False, id="replay.begin"),
        Binding("dollar_sign", "jump_to(1)", "To the end", priority=True, show=False, id="replay.end"),
    ]  # fmt: skip

    lab: Lab

    @property
    def replay(self) -> Replay | None:
        """The recording that is looked at, if it is one."""
        source = self.lab.source
        return source if isinstance(source, Replay) else None

    def apply(self) -> None:
        """Bring the screen up to the state."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("play", "jump", "jump_to", "speed"):
            writes = isinstance(self.focused, Input | TextArea)
            return self.replay is not None and len(self.screen_stack) == 1 and not writes
        return super().check_action(action, parameters)

    def show_position(self) -> None:
        """Bring the bar up to where the replay stands."""
        if (replay := self.replay) is not None:
            self.screen_stack[0].query_one(ReplayBar).data = Position(
                round(replay.position_s, 1), replay.duration_s, replay.speed, replay.paused
            )

    def action_play(self) -> None:
        """Play, or stop; at the end, from the begin again."""
        if (replay := self.replay) is not None:
            if replay.paused and replay.position_s >= replay.duration_s:
                replay.seek(0.0)
            replay.paused = not replay.paused
            self.apply()

    def action_jump(self, seconds: int) -> None:
        """On, or back, by seconds of the recording."""
        if (replay := self.replay) is not None:
            self._seek(replay.position_s + seconds)

    def action_jump_to(self, share: int) -> None:
        """To the first moment (0), or the last (1)."""
        if (replay := self.replay) is not None:
            self._seek(share * replay.duration_s)

    def action_speed(self, steps: int) -> None:
        """Play faster, or slower."""
        if (replay := self.replay) is not None:
            nearest = min(range(len(SPEEDS)), key=lambda place: abs(SPEEDS[place] - replay.speed))
            replay.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, nearest + steps))]
            self.apply()

    def _seek(self, seconds: float) -> None:
        if (replay := self.replay) is not None:
            replay.seek(seconds)
            self.apply()

    @on(ReplayBar.Scrubbed)
    def _scrubbed(self, event: ReplayBar.Scrubbed) -> None:
        if (replay := self.replay) is not None:
            self._seek(event.share * replay.duration_s)
