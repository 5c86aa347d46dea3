"""One step of a run on a screen of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast
from uuid import UUID

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from currant_lab.status import FINAL
from currant_lab.watch.runs import Runs
from currant_tui.acting import Meant
from currant_tui.drawing.lines import plain_line
from currant_tui.drawing.runs import short, status_of, step_name
from currant_tui.drawing.step import step_lines
from currant_tui.run_acting import RunActs, RunMeant
from currant_tui.safe import plain
from currant_tui.widgets.keys import Keys
from currant_tui.widgets.reader import Reader
from currant_tui.widgets.title import Title, TitleBar

if TYPE_CHECKING:
    from currant_lab.control import Act
    from currant_lab.watch.runs import StepDetail
    from currant_tui.app import CurrantApp

__all__ = ["StepScreen"]

EVERY_S = 4.0
"""How often a step that has not ended is asked for: two statements."""


class StepScreen(RunActs, Screen[bool]):
    """A step: when it was, its attempts, its arguments, what came of it. It ends with True to have its execution seen.

    Attributes:
        detail: what is known; None until the database has answered.
    """

    DEFAULT_CSS = """
    StepScreen Reader { padding: 1 0 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,backspace", "dismiss(False)", "Back", key_display="Esc", id="step.close"),
        Binding(
            "enter,i", "execution", "Execution", id="step.execution", tooltip="the execution that it is, or its list"
        ),
        Binding("y", "copy", "Copy", id="step.copy", tooltip="all of this, to the clipboard"),
        Binding("1,2,3,4,5,6,7,8,9", "nothing", show=False),  # no view may turn beneath this screen
        Binding("ctrl+r,f5", "again", "Look again", show=False, id="step.again"),
    ]

    def __init__(self, run: bytes, job: str, number: int) -> None:
        """
        Args:
            run: the run's id.
            job: the name of the workflow.
            number: the step's.
        """
        super().__init__()
        self.run_id, self.job, self.number = run, job, number
        self.detail: StepDetail | None = None
        self._title = TitleBar(Title((("…", "muted"),)))
        self._reader = Reader(id="text")

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._reader
        yield Keys()

    def on_mount(self) -> None:
        self._reader.focus()
        self.ask()
        self.set_interval(EVERY_S, self._ask_if_it_moves)

    def _ask_if_it_moves(self) -> None:
        if self.is_current and (self.detail is None or self.detail.step.status not in FINAL):
            self.ask()

    @work(group="ask", exclusive=True)
    async def ask(self) -> None:
        """Ask the database, and show what it says."""
        app = cast("CurrantApp", self.app)
        try:
            self.detail = await Runs(app.lab.source.database).step(self.run_id, self.number)
        except Exception as error:  # noqa: BLE001 - whatever is wrong is told, and the screen stays
            self._title.data = Title((("✗ ", "bad"), (plain(error), "bad")))
            return
        step = self.detail.step
        name = (f"  {step.number} ", "accent"), (step_name(step), "strong"), (f"  of {short(self.job)}", "muted")
        self._title.data = Title((status_of(step.status), *name), ((str(UUID(bytes=self.run_id))[:13], "muted"),))  # type: ignore[arg-type]
        self._reader.lines = step_lines(self.detail, short(self.job), app.lab.board.now)

    # Acting

    def meant(self, act: Act) -> Meant | None:
        return Meant(f"the run {UUID(bytes=self.run_id)} of {short(self.job)}", (self.run_id,))

    def run_meant(self) -> RunMeant | None:
        name, event = "", ""
        if self.detail is not None:
            step = self.detail.step
            name, event = short(step.name), step.name if step.kind == "event" else ""
        return RunMeant(self.run_id, short(self.job), event, self.number, name)

    def acted(self) -> None:
        self.ask()

    # Keys

    def action_nothing(self) -> None:
        """Does nothing."""

    def action_again(self) -> None:
        """Ask again now."""
        self.ask()

    def action_execution(self) -> None:
        """See the execution that it is, or the list of those of a map."""
        step = None if self.detail is None else self.detail.step
        if step is not None and step.child is None:
            self.notify(f"A step of the kind {step.kind} has no execution of its own.", markup=False)
        else:
            self.dismiss(True)

    def action_copy(self) -> None:
        """Copy all that is told here."""
        self.app.copy_to_clipboard("\n".join(map(plain_line, self._reader.lines)))
        self.notify("the step: copied", markup=False)
