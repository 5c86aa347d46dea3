"""Pages whose numbers are asked of the database now and then, and only while somebody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work

from currant_lab.watch.listing import Listing
from currant_tui.view import View

if TYPE_CHECKING:
    from currant_lab.watch.board import Board

__all__ = ["NO_LISTS", "Asked"]

NO_LISTS = ("A recording holds events and snapshots, no lists.", "Watch a database to see this page.")


class Asked(View):
    """Asks when it is first looked at, and again every `EVERY_S` seconds.

    Attributes:
        EVERY_S: how often.
        failure: what went wrong the last time; empty when nothing did.
        has_asked: the database has answered at least once.
    """

    EVERY_S: ClassVar[float] = 10.0

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.failure = ""
        self.has_asked = False
        self._asked_at = 0.0
        self._busy = False
        self._second = -1

    async def ask(self, listing: Listing) -> None:
        """Ask, and keep the answer."""
        raise NotImplementedError

    def paint(self, now: float) -> None:
        """Show what is kept."""
        raise NotImplementedError

    def empty(self, *teaching: str) -> tuple[str, ...]:
        """What stands where there are no rows."""
        if self.lab.source.database is None:
            return NO_LISTS
        if self.failure:
            return (f"✗ {self.failure}",)
        return teaching if self.has_asked else ("Looking …",)

    def show(self, board: Board) -> None:
        if int(board.now) != self._second:
            self._second = int(board.now)
            self.paint(board.now)
        if not self._busy and board.now - self._asked_at >= self.EVERY_S:
            self.ask_now()

    @work(group="asked", exclusive=True)
    async def ask_now(self) -> None:
        """Ask the database, and show its answer."""
        if self.lab.source.database is None:
            return
        self._busy = True
        try:
            await self.ask(Listing(self.lab.source.database))
        except Exception as error:  # noqa: BLE001 - whatever the database says is told, and the page stays
            self.failure = str(error)
        else:
            self.failure, self.has_asked = "", True
        finally:
            self._busy = False
            self._asked_at = self.lab.board.now
        self.paint(self.lab.board.now)
