"""Looking at a recording: play, pause, speed, jumps, and a bar to scrub on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message

from currant_tui.drawing.formats import clock
from currant_tui.drawing.lines import Line, length
from currant_tui.widgets.painting import Painting

if TYPE_CHECKING:
    from textual.app import App

    _Base = App[int]
else:
    _Base = object

__all__ = ["Position", "ReplayBar", "Replaying"]

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a replay stands, in seconds."""

    position_s: float = 0.0
    duration_s: float = 0.0
    speed: float = 1.0
    paused: bool = False


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


class Replaying(_Base):
    """The part of the app that drives a replay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "jump(-5)", "Back 5 s", id="replay.back"),
        Binding("right,l", "jump(5)", "On 5 s", id="replay.on"),
        Binding("shift+left,H", "jump(-60)", "Back a minute", show=False, id="replay.back_minute"),
        Binding("shift+right,L", "jump(60)", "On a minute", show=False, id="replay.on_minute"),
        Binding("less_than_sign,comma", "speed(-1)", "Slower", key_display="<", id="replay.slower"),
        Binding("greater_than_sign,full_stop", "speed(1)", "Faster", key_display=">", id="replay.faster"),
        Binding("0", "start_over", "From the start", show=False, id="replay.start"),
    ]

    @property
    def is_replay(self) -> bool:
        """A recording is looked at."""
        return hasattr(self._source, "seek")

    @property
    def _source(self) -> Any:
        return self.lab.source  # type: ignore[attr-defined]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("jump", "speed", "start_over"):
            return self.is_replay
        return super().check_action(action, parameters)

    def show_position(self) -> None:
        """Bring the bar up to where the replay stands."""
        if self.is_replay:
            replay = self._source
            self.screen_stack[0].query_one(ReplayBar).data = Position(
                round(replay.position_s, 1), replay.duration_s, replay.speed, replay.paused
            )

    def action_play(self) -> None:
        """Play, or stop; at the end, from the start again."""
        replay = self._source
        if replay.paused and replay.position_s >= replay.duration_s:
            self._seek(0.0)
        replay.paused = not replay.paused
        self.apply()  # type: ignore[attr-defined]

    def action_jump(self, seconds: int) -> None:
        """On, or back, by seconds of the recording."""
        self._seek(self._source.position_s + seconds)

    def action_start_over(self) -> None:
        """Back to the first moment."""
        self._seek(0.0)

    def action_speed(self, steps: int) -> None:
        """Play faster, or slower."""
        nearest = min(range(len(SPEEDS)), key=lambda place: abs(SPEEDS[place] - self._source.speed))
        self._source.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, nearest + steps))]
        self.apply()  # type: ignore[attr-defined]

    def _seek(self, seconds: float) -> None:
        replay = self._source
        replay.seek(min(max(0.0, seconds), replay.duration_s))
        self.apply()  # type: ignore[attr-defined]

    @on(ReplayBar.Scrubbed)
    def _scrubbed(self, event: ReplayBar.Scrubbed) -> None:
        self._seek(event.share * self._source.duration_s)
