"""The batches: how far each is, and when it will be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from currant_lab.status import Status
from currant_lab.watch.criteria import Filter
from currant_tui.acting import Acts, Meant
from currant_tui.asked import Asked
from currant_tui.drawing.columns import Column, Row
from currant_tui.drawing.formats import age, count, share
from currant_tui.drawing.lines import Ink, Piece
from currant_tui.finding import look_for
from currant_tui.safe import plain
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.control import Act
    from currant_lab.watch.listing import Listing
    from currant_lab.watch.rows import BatchView

__all__ = ["Batches", "batch_row"]

_BAR = 20

COLUMNS = (
    Column("name", "batch", 12, stretches=True, most=40),
    Column("job", "job", 12, stretches=True, most=40, rank=2),
    Column("size", "size", 6, "right"),
    Column("bar", "progress", _BAR),
    Column("share", "done", 5, "right"),
    Column("failed", "failed", 6, "right"),
    Column("cancelled", "cancel", 6, "right", rank=4),
    Column("running", "running", 7, "right", rank=3),
    Column("waiting", "waiting", 7, "right", rank=1),
    Column("eta", "left", 6, "right"),
    Column("age", "age", 6, "right", rank=2),
)
_PARTS: tuple[tuple[str, str, Ink], ...] = (
    ("succeeded", "█", "good"), ("failed", "▓", "bad"), ("cancelled", "▒", "muted"), ("running", "▸", "warn"),
)  # fmt: skip
_EMPTY = ("There are no batches yet.", "job.map(items) makes one; with batch='name' it is found again by its name.")


def batch_row(view: BatchView, now: float) -> Row:
    """A batch's line of the table."""
    left = view.counts["running"] + view.counts["waiting"]
    failed = view.counts["failed"]
    return Row(
        str(view.id),
        (
            (plain(view.name, 200) if view.name is not None else f"number {view.id}", "strong"),
            (plain(view.job, 200), ""),
            (count(view.size), ""),
            _bar(view),
            (("" if view.exact else "≥") + share(view.done_share), "good" if not left and not failed else ""),
            (count(failed), "bad" if failed else "muted"),
            (count(view.counts["cancelled"]), "muted"),
            (count(view.counts["running"]), "warn" if view.counts["running"] else "muted"),
            (count(view.counts["waiting"], view.exact), ""),
            ("done" if not left else age(view.eta_s), "muted" if not left else ""),
            (age(now - view.created_at), "muted"),
        ),
    )


def _bar(view: BatchView) -> tuple[Piece, ...]:
    """Succeeded, failed, cancelled and running side by side; what is there at all is seen."""
    pieces: list[Piece] = []
    before = done = 0
    later = sum(view.counts[name] > 0 for name, _, _ in _PARTS)
    for name, sign, ink in _PARTS:
        number = view.counts[name]
        done += number
        later -= number > 0
        end = min(_BAR - later, max(before + (number > 0), round(_BAR * done / max(view.size, 1))))
        pieces.append((sign * (end - before), ink))
        before = end
    return (*pieces, ("·" * (_BAR - before), "muted"))


class Batches(Acts, Asked):
    """The fifty newest batches."""

    ABOUT = (
        "Each line is a batch, as `job.map` makes them: █ succeeded, ▓ failed, ▒ cancelled, ▸ runs, · waits. `left` is "
        "how long it will take if it goes on as so far. Enter lists its executions, `c` cancels what is left of it, "
        "`r` runs again what failed or was cancelled. Of what waits in a batch, 2,000 are counted: ≥ says at least."
    )
    EVERY_S = 5.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "again", "Look again", show=False, id="batches.again"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.batches: dict[str, BatchView] = {}
        self.table = Table(COLUMNS, id="batches-table")

    def compose(self) -> ComposeResult:
        yield self.table

    async def ask(self, listing: Listing) -> None:
        self.batches = {str(view.id): view for view in await listing.batches()}

    def paint(self, now: float) -> None:
        rows = tuple(batch_row(view, now) for view in self.batches.values())
        self.table.content = Content(rows, empty=self.empty(*_EMPTY))

    @property
    def _batch(self) -> BatchView | None:
        return self.batches.get(self.table.cursor or "")

    def meant(self, act: Act) -> Meant | None:
        view = self._batch
        if view is None:
            return None
        name = f"batch {view.name}" if view.name is not None else f"batch number {view.id}"
        if act == "retry":
            statuses = (Status.FAILED, Status.CANCELLED)
            return Meant(f"what failed or was cancelled in {name}", filter=Filter(statuses, batch=f"#{view.id}"))
        return Meant(name, filter=Filter(batch=f"#{view.id}"))

    def acted(self) -> None:
        self.ask_now()

    def action_again(self) -> None:
        """Ask again now."""
        self.ask_now()

    def on_table_opened(self) -> None:
        view = self._batch
        if view is not None:
            is_plain = view.name is not None and not view.name.isdecimal() and not view.name.startswith("#")
            name = view.name if is_plain and view.name is not None else f"#{view.id}"
            look_for(self.app, Filter(batch=name).line())
