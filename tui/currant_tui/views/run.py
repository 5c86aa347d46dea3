"""One run of a workflow on a screen of its own: its steps in three ways, and what may be done to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from textual.binding import Binding, BindingType

from currant_lab.watch.criteria import Filter
from currant_tui.acting import Meant
from currant_tui.drawing.run_seen import first_looked_at
from currant_tui.drawing.runs import Branch, short
from currant_tui.finding import look_for
from currant_tui.run_acting import RunMeant
from currant_tui.views.detail import DetailScreen
from currant_tui.views.run_pages import PAGES, RunPages, numbers_of
from currant_tui.views.step import StepScreen

if TYPE_CHECKING:
    from currant_lab.control import Act
    from currant_lab.watch.runs import StepInfo

__all__ = ["RunScreen", "event_of"]


def event_of(names: tuple[str, ...]) -> str:
    """The event that a run waits for, if it does."""
    return next((name.removeprefix("event ") for name in names if name.startswith("event ")), "")


class RunScreen(RunPages):
    """A run, and what may be done to it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,backspace", "back", "Back", key_display="Esc", id="steps.close"),
        Binding("tab", "turn(1)", "Tree, timeline, graph", show=False, id="steps.turn"),
        Binding("shift+tab", "turn(-1)", "The other way round", show=False, id="steps.turn_back"),
        *(
            Binding(str(n), f"page('{name}')", name, show=False, id=f"steps.{name.lower()}")
            for n, name in enumerate(PAGES, 1)
        ),
        Binding("i", "execution", "Execution", id="steps.execution", tooltip="the run's own arguments, result, logs"),
        Binding("greater_than_sign", "leaf(1)", "Next steps", show=False, key_display=">", id="steps.next"),
        Binding("less_than_sign", "leaf(-1)", "Steps before", show=False, key_display="<", id="steps.previous"),
        Binding("4,5,6,7,8,9", "nothing", show=False),  # no view may turn beneath this screen
        Binding("ctrl+r,f5", "again", "Look again", show=False, id="steps.again"),
    ]

    # Acting

    def meant(self, act: Act) -> Meant | None:
        tree = self.run_tree
        if tree is None:
            return None
        return Meant(f"the run {UUID(bytes=tree.info.id)} of {short(tree.info.job)}", (tree.info.id,))

    def run_meant(self) -> RunMeant | None:
        branch, tree = self._branch, self.run_tree
        if tree is None:
            return None
        if branch is None:
            return RunMeant(tree.info.id, short(tree.info.job))
        run, step = branch.run, branch.step
        waiting = [one.name for one in run.steps if one.kind == "event" and one.status == "waiting"]
        event = step.name if step is not None and step.kind == "event" else next(iter(waiting), "")
        if step is None:
            return RunMeant(run.info.id, short(run.info.job), event)
        return RunMeant(run.info.id, short(run.info.job), event, step.number, short(step.name))

    def acted(self) -> None:
        self.ask()

    # Keys

    def action_nothing(self) -> None:
        """Does nothing."""

    def action_again(self) -> None:
        """Ask again now."""
        self.ask()

    def action_back(self) -> None:
        """Leave the group that was opened, or else the run."""
        if self.page == "Graph" and self._inside:
            numbers = self._inside.pop()
            self.show_step(min(numbers))
        else:
            self.dismiss()

    def action_execution(self) -> None:
        """Open the page of the run itself."""
        self.app.push_screen(DetailScreen(self.run_id))

    def on_graph_picture_opened(self) -> None:
        self._open()

    def on_table_opened(self) -> None:
        self._open()

    def _open(self) -> None:
        node, branch, seen = self._node, self._branch, self.seen
        if seen is None or branch is None:
            return
        if node is not None and node.parts:
            numbers = numbers_of(node)
            if self.page == "Graph" and len(seen.inside(numbers)) > 1:
                self._inside.append(numbers)
                self.show_step(first_looked_at(node))
            else:  # they are all alike: the tree tells them one by one
                number = first_looked_at(node)
                self.page = "Tree"
                self._show_page()
                self.show_step(number)
        elif branch.step is None:
            self.app.push_screen(RunScreen(branch.run.info.id))
        else:
            info, step = branch.run.info, branch.step
            self.app.push_screen(
                StepScreen(info.id, info.job, step.number), lambda wanted: self._go_on(branch, step) if wanted else None
            )

    def _go_on(self, branch: Branch, step: StepInfo) -> None:
        """To the execution that a step is: a run, the list of a map's, or any other."""
        runs = branch.run.runs.get(step.number, [])
        if step.batch is not None:
            app = self.app
            self.dismiss()
            look_for(app, Filter(batch=f"#{step.batch}").line())
        elif runs:
            self.app.push_screen(RunScreen(runs[0].info.id))
        elif step.child is not None:
            self.app.push_screen(DetailScreen(step.child))
