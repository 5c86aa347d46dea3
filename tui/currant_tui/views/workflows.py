"""The runs of workflows: how far each is, and what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from currant_lab.watch.runs import Runs
from currant_tui.acting import Meant
from currant_tui.asked import Asked
from currant_tui.drawing.runs import RUNS, run_row, short
from currant_tui.run_acting import RunActs, RunMeant
from currant_tui.views.run import RunScreen, event_of
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.control import Act
    from currant_lab.watch.listing import Listing
    from currant_lab.watch.runs import RunInfo

__all__ = ["Workflows"]

_EMPTY = (
    "No workflow has run yet.",
    "@currant.workflow makes one of an async function: await my_job.run(1) in it is a step on record,",
    "await currant.event('approved') waits for a signal, which s sends from here. Begin it with submit().",
)


class Workflows(RunActs, Asked):
    """The fifty newest runs of workflows."""

    ABOUT = (
        "Each line is a run of a workflow: how many of the steps it has begun have ended, and what it waits for now. "
        "Enter opens it: 1 its steps as a tree, 2 on a timeline, 3 as a graph, where many that are alike stand in one "
        "box; Enter there opens a step, or such a box. `s` sends a signal, `c` cancels a run, `r` lets one that failed "
        "go on from its record; from a step, `f` forks another run, and `R` lets the run itself do it anew."
    )
    EVERY_S = 4.0
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r,f5", "again", "Look again", show=False, id="workflows.again"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.runs: dict[str, RunInfo] = {}
        self.table = Table(RUNS, id="workflows-table")

    def compose(self) -> ComposeResult:
        yield self.table

    async def ask(self, listing: Listing) -> None:
        self.runs = {run.info.id.hex(): run for run in await Runs(self.lab.source.database).newest()}

    def paint(self, now: float) -> None:
        rows = tuple(run_row(run, now) for run in self.runs.values())
        self.table.content = Content(rows, empty=self.empty(*_EMPTY))

    def meant(self, act: Act) -> Meant | None:
        run = self.runs.get(self.table.cursor or "")
        if run is None:
            return None
        return Meant(f"the run {UUID(bytes=run.info.id)} of {short(run.info.job)}", (run.info.id,))

    def run_meant(self) -> RunMeant | None:
        run = self.runs.get(self.table.cursor or "")
        return None if run is None else RunMeant(run.info.id, short(run.info.job), event_of(run.waits_for))

    def acted(self) -> None:
        self.ask_now()

    def action_again(self) -> None:
        """Ask again now."""
        self.ask_now()

    def on_table_opened(self, event: Table.Opened) -> None:
        self.app.push_screen(RunScreen(bytes.fromhex(event.key)))
