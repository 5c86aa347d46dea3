"""The pages of a run's screen: its steps as a tree, on a timeline, and as a graph."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal, cast

from textual import work
from textual.app import ComposeResult
from textual.reactive import reactive
from textual.screen import Screen

from currant_lab.status import FINAL
from currant_lab.watch.runs import RunReading
from currant_tui.drawing.executions import status_piece
from currant_tui.drawing.graph import draw
from currant_tui.drawing.lines import Line
from currant_tui.drawing.run_seen import PAGE, RunSeen, first_looked_at, see
from currant_tui.drawing.runs import STEPS, Branch, group_facts, short, step_facts, step_row
from currant_tui.drawing.timeline import TIMELINE, axis, timeline_rows
from currant_tui.run_acting import RunActs
from currant_tui.safe import plain
from currant_tui.widgets.bars import ViewBar, Views
from currant_tui.widgets.graph import GraphPicture
from currant_tui.widgets.keys import Keys
from currant_tui.widgets.reader import Reader
from currant_tui.widgets.table import Content, Table
from currant_tui.widgets.title import Title, TitleBar

if TYPE_CHECKING:
    from currant_lab.pictures.graph_nodes import Node
    from currant_lab.watch.runs import RunTree
    from currant_tui.app import CurrantApp

__all__ = ["PAGES", "Page", "RunPages", "numbers_of"]

Page = Literal["Tree", "Timeline", "Graph"]
PAGES: tuple[Page, ...] = ("Tree", "Timeline", "Graph")

EVERY_S = 4.0
"""How often a run that has not ended is asked for, if a look takes two statements: one that takes more has to wait
longer, so that with the board's own there are at most two a second."""

_SHARE = 10
"""Looking takes at most the tenth part of the time."""

_AT_ONCE = 300
"""So many steps are made ready at once; more, in a thread."""


class RunPages(RunActs, Screen[None]):
    """A run, read again and again while it goes on, on the page that is looked at.

    Attributes:
        seen: what is known; None until the database has answered.
        page: how it is looked at.
    """

    DEFAULT_CSS = """
    RunPages #step-title { display: block; }
    RunPages Reader { height: 6; }
    RunPages.-low Reader { height: 4; }
    """
    page: reactive[Page] = reactive("Tree", init=False)

    def __init__(self, id: bytes) -> None:
        super().__init__()
        self.run_id = id
        self.seen: RunSeen | None = None
        self._reading: RunReading | None = None
        self._leaf = 0
        self._inside: list[frozenset[int]] = []

        self._took = 0.0
        self._asked_at = 0.0
        self._title = TitleBar(Title((("…", "muted"),)))
        self._bar = ViewBar(self._views())
        self._table = Table(STEPS, id="steps")
        self._timeline = Table(TIMELINE, id="timeline")
        self._graph = GraphPicture(id="graph")
        self._step_title = TitleBar(Title((("the step under the cursor", "muted"),)), id="step-title")
        self._facts = Reader(id="step")

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._bar
        yield self._table
        yield self._timeline
        yield self._graph
        yield self._step_title
        yield self._facts
        yield Keys()

    def on_mount(self) -> None:
        self._show_page()
        self.ask()
        self.set_interval(1.0, self._pass_time)

    def on_resize(self) -> None:
        self.set_class(self.size.height < 30, "-low")
        self.call_after_refresh(self._paint)

    # Looking

    def _pass_time(self) -> None:
        if not self.is_current or (self.seen is not None and self.seen.tree.info.status in FINAL):
            return
        self._paint()
        statements = 2 if self._reading is None else self._reading.statements
        if time.monotonic() - self._asked_at >= max(EVERY_S * statements / 2, self._took * _SHARE):
            self.ask()

    @work(group="ask", exclusive=True)
    async def ask(self) -> None:
        """Ask the database, and show what it says."""
        begun = self._asked_at = time.monotonic()
        try:
            if self._reading is None:
                self._reading = RunReading(cast("CurrantApp", self.app).lab.source.database, self.run_id)
            tree = await self._reading.look()
            self.seen = see(tree) if len(tree.steps) <= _AT_ONCE else await asyncio.to_thread(see, tree)
        except Exception as error:  # noqa: BLE001 - whatever is wrong is told, and the screen stays
            self._title.data = Title((("✗ ", "bad"), (plain(error), "bad")))
            return
        self._took = time.monotonic() - begun
        self._paint()

    @property
    def run_tree(self) -> RunTree | None:
        """What was read of it."""
        return None if self.seen is None else self.seen.tree

    def _paint(self) -> None:
        seen = self.seen
        if seen is None or not self.is_mounted:
            return
        info, now = seen.tree.info, self._now
        left: Line = [status_piece(info.status), (f"  {short(info.job)}", "strong")]
        if info.error is not None:
            left.append((f"  {plain(info.error.type, 200)}: {plain(info.error.message, 500)}", "bad"))
        self._title.data = Title(tuple(left), ((self._known(seen), "muted"),))
        begin = info.created_at.timestamp()
        end = now if info.finished_at is None else max(info.finished_at.timestamp(), begin)
        empty = ("It has begun no step.", _why_none(info.status))
        if self.page == "Tree":
            self._leaf = min(self._leaf, seen.pages - 1)
            width = self._table.width_of("when")
            rows = tuple(step_row(branch, begin, end, width) for branch in seen.page(self._leaf))
            self._table.content = Content(rows, empty=empty, titles=(("when", axis(end - begin, width)),))
        elif self.page == "Timeline":
            width = self._timeline.width_of("when")
            rows = timeline_rows(list(seen.rows.values()), begin, now, end, width)
            self._timeline.content = Content(rows, empty=empty, titles=(("when", axis(end - begin, width)),))
        else:
            nodes = seen.inside(self._inside[-1]) if self._inside else seen.folded
            self._graph.empty = empty
            self._graph.drawing = draw(nodes, now, low=self.size.height < 30)
        self._show_step()

    def _known(self, seen: RunSeen) -> str:
        count = len(seen.tree.steps)
        words = f"{'the first ' if seen.tree.is_cut else ''}{count:,} {'step' if count == 1 else 'steps'}"
        if self.page == "Tree" and seen.pages > 1:
            first = self._leaf * PAGE
            return f"{words}, lines {first + 1:,} to {min(first + PAGE, len(seen.lines)):,} of {len(seen.lines):,} < >"
        if self.page == "Graph" and self._inside:
            words = f"{len(self._inside[-1]):,} of {words}"
        return f"{words}   {str(seen.tree.info.uuid)[:13]}"

    @property
    def _now(self) -> float:
        return cast("CurrantApp", self.app).lab.board.now

    def _show_step(self) -> None:
        node, branch = self._node, self._branch
        lines: list[Line] = []
        if node is not None and node.parts:
            lines = group_facts(node, self._now)
        elif branch is not None:
            lines = step_facts(branch, self._now)
        self._facts.lines = tuple(lines)

    @property
    def _node(self) -> Node | None:
        """What the cursor of the timeline or the graph is on."""
        if self.page == "Graph":
            drawing, cursor = self._graph.drawing, self._graph.cursor
            box = None if drawing is None or cursor is None else drawing.boxes.get(cursor)
            return None if box is None else box.node
        if self.page == "Timeline" and self.seen is not None:
            return self.seen.rows.get(self._timeline.cursor or "")
        return None

    @property
    def _branch(self) -> Branch | None:
        """The step under the cursor; of a group, the one to be looked at first."""
        if self.seen is None:
            return None
        if self.page == "Tree":
            return self.seen.line(self._table.cursor)
        node = self._node
        return None if node is None else self.seen.branch(first_looked_at(node))

    def on_table_moved(self) -> None:
        self._show_step()

    def on_graph_picture_moved(self) -> None:
        self._show_step()

    # Pages

    def _views(self) -> Views:
        return Views(tuple((str(number), name) for number, name in enumerate(PAGES, 1)), self.page)

    def _show_page(self) -> None:
        shown = {"Tree": self._table, "Timeline": self._timeline, "Graph": self._graph}
        for name, widget in shown.items():
            widget.display = name == self.page
        self._bar.data = self._views()
        self.set_focus(shown[self.page])
        self.call_after_refresh(self._paint)  # it has its size only after it was shown once

    def show_step(self, number: int) -> None:
        """Put the cursor of the page that is looked at on one of the run's own steps."""
        seen = self.seen
        if seen is None:
            return
        if self.page == "Tree":
            self._leaf = seen.page_of(str(number))
            self._paint()
            self._table.cursor = str(number)
        elif self.page == "Timeline":
            self._paint()
            row = next((key for key, node in seen.rows.items() if number in numbers_of(node)), None)
            self._timeline.cursor = row or self._timeline.cursor
        else:
            if self._inside and number not in self._inside[-1]:
                self._inside.clear()
            self._paint()
            box = None if self._graph.drawing is None else self._graph.drawing.of_step(number)
            self._graph.cursor = self._graph.cursor if box is None else box.node.key
        self._show_step()

    def action_page(self, page: Page) -> None:
        """Look at the tree, the timeline or the graph; the cursor stays with its step."""
        if page == self.page:
            return
        branch = self._branch
        self.page = page
        self._show_page()
        number = 0 if branch is None or branch.step is None else int(branch.key.partition(".")[0].partition("#")[0])
        self.show_step(number)

    def action_turn(self, steps: int) -> None:
        """The next page, or the one before."""
        self.action_page(PAGES[(PAGES.index(self.page) + steps) % len(PAGES)])

    def on_view_bar_chosen(self, event: ViewBar.Chosen) -> None:
        event.stop()
        self.action_page(cast(Page, event.name))

    def action_leaf(self, towards: int) -> None:
        """The next lines of a tree that is long, or those before."""
        seen = self.seen
        if self.page != "Tree" or seen is None or not 0 <= self._leaf + towards < seen.pages:
            return
        self._leaf += towards
        self._paint()
        self._table.action_edge(0 if towards > 0 else -1)

    def on_table_edge(self, event: Table.Edge) -> None:
        if event.table is self._table:
            self.action_leaf(event.towards)


def numbers_of(node: Node) -> frozenset[int]:
    """The steps that a node stands for."""
    return frozenset(part.key for part in node.parts) or frozenset((node.key,))


def _why_none(status: str) -> str:
    return "It waits for a pool." if status in ("pending", "scheduled") else "Each await of a job's run() is one."
