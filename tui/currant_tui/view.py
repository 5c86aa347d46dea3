"""What a page of the dashboard is, and what it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from textual.containers import Container

from currant_lab.settings import Settings

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.recording import Recorder

__all__ = ["Lab", "Source", "View"]


class Source(Protocol):
    """Where the state comes from: `currant_lab.watch`'s `Live`, or its `Replay`.

    Attributes:
        board: the state, folded in place.
        database: for lists and acting; None in a replay.
    """

    board: Board
    database: Any

    async def open(self) -> None:
        """Connect. Later losses only show in the board's header."""

    def changes(self) -> AsyncIterator[None]:
        """Yields when the board has changed: at most ten times a second, at least once."""

    async def close(self) -> None:
        """Let everything go."""

    async def suspend(self) -> None:
        """Close LISTEN while nobody looks: a socket that nobody drains holds vacuum back."""

    async def resume(self) -> None:
        """LISTEN again, and reconcile."""


@dataclass(slots=True)
class Lab:
    """What the app gives to its views.

    Attributes:
        source: where the state comes from.
        settings: as they were given; a password may be in there, so nothing of it is shown.
        read_only: nothing may be changed from here: asked for, or the role lacks the rights.
        recorder: what keeps the state in a file, if anything does.
    """

    source: Source
    settings: Settings
    read_only: bool = False
    recorder: Recorder | None = None

    @property
    def board(self) -> Board:
        """The state as of now."""
        return self.source.board


class View(Container):
    """A page of the dashboard. It is made when it is first looked at, and told of changes only while it is.

    A view keeps no numbers: `show` hands the board's to its widgets, each of which has one reactive.

    Attributes:
        ABOUT: what the page shows and how to read it, for the help: a few sentences.
    """

    ABOUT: ClassVar[str] = ""

    DEFAULT_CSS = """
    View { height: 1fr; width: 1fr; }
    """

    @property
    def lab(self) -> Lab:
        """The source of the state, the settings, and whether anything may be changed."""
        return cast(Lab, self.app.lab)  # type: ignore[attr-defined]

    def show(self, board: Board) -> None:
        """Bring the widgets up to the board's state. Called when the view appears, and at most ten times a second
        while it is looked at."""
        raise NotImplementedError

    def entered(self) -> None:
        """The view is looked at now. Put the focus where the keys belong."""
        for widget in self.query("*"):
            if widget.focusable:
                widget.focus()
                return

    def queue_meant(self) -> str | None:
        """The queue that the cursor is on, to be paused or resumed; None where there is none."""
        return None

    def left(self) -> None:
        """Another view is looked at: stop what costs something."""
