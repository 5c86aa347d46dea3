"""Every execution: found by a filter line, sorted, paged through, followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive

from currant_lab.errors import CurrantError
from currant_lab.watch.criteria import FilterError
from currant_lab.watch.filters import parse
from currant_lab.watch.listing import Listing, Sort
from currant_tui.acting import Acts, Meant
from currant_tui.browsing import Browser, orders
from currant_tui.drawing.executions import COLUMNS, execution_row
from currant_tui.drawing.paging import SORTED_BY, empty, note, wrong_note
from currant_tui.view import View
from currant_tui.views.detail import DetailScreen
from currant_tui.widgets.filter_line import FilterLine, Note
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from currant_lab.control import Act
    from currant_lab.watch.board import Board
    from currant_lab.watch.rows import ExecutionInfo

__all__ = ["Executions"]

EVERY_S, FOLLOW_S, IDLE_S = 5.0, 3.5, 10.0
"""How often the page is asked for again: while something happens, in follow mode, and while nothing does. A look is two
statements, so with the board's there are at most two a second."""


class Executions(Acts, View):
    """The list of executions."""

    ABOUT = (
        "Each line is an execution. `/` says which: put keys side by side, and commas between values, as in "
        'status:failed,cancelled queue:mail job:fetch* age>5m attempt>1 error:*Timeout batch:crawl-1 pool:3 "text". '
        "→ completes the word, ↑ brings earlier lines back. `o` turns the order, `f` follows what is new, going beyond "
        "the last line loads the next page. Enter opens an execution. Space tags, `*` means all that match; `c`, `r`, "
        "`n` and `p` act upon what is tagged, else upon the row, and ask first. `a` lists what was done."
    )
    DEFAULT_CSS = """
    Executions { layout: vertical; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "edit", "Filter", key_display="/", id="executions.filter"),
        Binding("o", "turn_order", "Order", show=False, id="executions.order", tooltip="the next order"),
        Binding("f", "follow", "Follow", id="executions.follow", tooltip="stay with the newest"),
        Binding("space", "tag", "Tag", id="executions.tag", tooltip="tag the row, or take its tag away"),
        Binding("asterisk", "tag_all", "All that match", show=False, key_display="*", id="executions.tag_all"),
        Binding("greater_than_sign", "page(1)", "Next page", show=False, key_display=">", id="executions.next"),
        Binding("less_than_sign", "page(-1)", "Page before", show=False, key_display="<", id="executions.previous"),
        Binding("ctrl+r,f5", "again", "Look again", show=False, id="executions.again"),
        Binding("escape", "clear", "All executions", show=False, id="executions.clear"),
    ]

    following: reactive[bool] = reactive(False, init=False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.browser: Browser | None = None
        self.line = FilterLine(self._names, id="filter")
        self.note = Note(note(None))
        self.table = Table(COLUMNS, marks=True, id="executions")
        self._looked_at = 0.0
        self._print: tuple[object, ...] = ()
        self._painted: tuple[object, ...] = ()
        self._busy = False
        self._turn = 0
        self._has_looked = False
        self._all_meant = False
        self._missed: tuple[str, Sort] | None = None
        self._error = ""
        self._wrong: FilterError | None = None

    def compose(self) -> ComposeResult:
        yield self.line
        yield self.note
        yield self.table

    def on_mount(self) -> None:
        if self.lab.source.database is not None:
            self.browser = Browser(Listing(self.lab.source.database))

    def entered(self) -> None:
        self.screen.set_focus(self.table)
        if self.browser is not None and not self._has_looked:
            self.look("")

    def show(self, board: Board) -> None:
        self._paint()
        if self.browser is None or self._busy or not self._has_looked:
            return
        totals, snapshot = board.totals(), board.snapshot
        news = (totals.waiting, totals.scheduled, totals.running, board.state.events, snapshot and snapshot.inserted)
        pause = IDLE_S if news == self._print else FOLLOW_S if self.following else EVERY_S
        if board.now - self._looked_at >= pause:
            self._print = news
            self._start(self._refresh)

    # Looking

    def look(self, line: str, sort: Sort = "newest") -> None:
        """Show what a filter line means, from the first page."""
        self._wrong = None
        self.line.set(line)
        self._start(lambda: self._look(line, sort))

    def _start(self, job: Callable[[], Awaitable[None]]) -> None:
        """Begin something; what was going on is given up."""
        self._turn += 1
        self._busy = True
        self._run(job, self._turn)

    @work(group="page", exclusive=True)
    async def _run(self, job: Callable[[], Awaitable[None]], turn: int) -> None:
        """What goes wrong is told below the filter, and the list stays."""
        try:
            await job()
            self._error = ""
        except Exception as error:  # noqa: BLE001 - whatever the database says is told, and the list stays
            self._error = str(error)
        finally:
            if turn == self._turn:  # otherwise another job has begun meanwhile
                self._busy = False
                self._looked_at = self.lab.board.now
                self._paint(force=True)

    async def _look(self, line: str, sort: Sort) -> None:
        browser = self._browser()
        wanted = parse(line)
        self._has_looked = True
        self._missed = line, sort
        if wanted != browser.filter:
            self._untag()
        await browser.look(wanted, sort, told=lambda: self._paint(force=True))
        self._missed = None
        self._paint(force=True)
        self.table.action_edge(0)
        self._weigh()

    @work(group="weigh", exclusive=True)
    async def _weigh(self) -> None:
        try:
            await self._browser().weigh()
        except Exception:  # noqa: BLE001
            return  # the page's own question tells what is wrong, and its next look weighs again
        self._paint(force=True)

    async def _refresh(self) -> None:
        browser = self._browser()
        if self._missed is not None:  # the database failed it; the list is not yet what the line says
            await self._look(*self._missed)
            return
        await browser.refresh(still=bool(self.table.marked))
        if browser.count is None:
            self._weigh()
        if self.following:
            self._paint(force=True)
            self.table.action_edge(0)

    async def _turn_page(self, towards: int) -> None:
        browser = self._browser()
        if towards > 0:
            turned = await browser.forward(told=lambda: self._paint(force=True))
        else:
            turned = await browser.back()
        if turned:
            self.following = False
            self._paint(force=True)
            self.table.action_edge(0 if towards > 0 else -1)

    def _browser(self) -> Browser:
        if self.browser is None:
            raise CurrantError("a recording holds no list of executions")
        return self.browser

    # What is shown

    def _paint(self, *, force: bool = False) -> None:
        browser, now = self.browser, self.lab.board.now
        tagged = (len(self.table.marked), self._all_meant)
        seen = (int(now), self._wrong, self.following, tagged, self._error, self._busy)
        if not force and seen == self._painted:
            return
        self._painted = seen
        rows = () if browser is None else tuple(execution_row(info, now) for info in browser.rows)
        by, descending = SORTED_BY["newest" if browser is None else browser.sort]
        looking = self._busy or not self._has_looked
        self.table.content = Content(rows, by, descending, empty=empty(browser, self.line.applied, looking=looking))
        if self._wrong is not None:
            self.note.data = wrong_note(self._wrong)
        else:
            meant = -1 if self._all_meant else len(self.table.marked)
            self.note.data = note(browser, self._error, meant, following=self.following, busy=self._busy)

    def _names(self, key: str) -> Iterable[str]:
        board = self.lab.board
        if key == "queue":
            return [queue.name for queue in board.queues()]
        if key == "job":
            return [job.name for job in board.jobs()]
        return [str(pool.id) for pool in board.pools()] if key == "pool" else ()

    # Acting

    def meant(self, act: Act) -> Meant | None:
        browser, marked = self.browser, self.table.marked
        if self._all_meant and browser is not None:
            line = browser.filter.line()
            return Meant(f"all that match {line}" if line else "all executions there are", filter=browser.filter)
        if marked:
            noun = "execution that is" if len(marked) == 1 else "executions that are"
            return Meant(f"the {len(marked):,} {noun} tagged", tuple(bytes.fromhex(key) for key in sorted(marked)))
        info = self._under_cursor()
        return None if info is None else Meant(f"the execution {info.uuid} of {info.job}", (info.id,))

    def acted(self) -> None:
        self._untag()
        self._start(self._refresh)

    def queue_meant(self) -> str | None:
        info = self._under_cursor()
        return None if info is None else info.queue

    def _under_cursor(self) -> ExecutionInfo | None:
        rows = () if self.browser is None else self.browser.rows
        return next((info for info in rows if info.id.hex() == self.table.cursor), None)

    def _untag(self) -> None:
        self.table.marked = frozenset()
        self._all_meant = False

    # Keys and mouse

    def action_edit(self) -> None:
        """Say which executions are meant."""
        self.screen.set_focus(self.line.input)

    def action_clear(self) -> None:
        """Show all executions."""
        if self.table.marked or self._all_meant:
            self._untag()
            self._paint(force=True)
        elif self.line.applied:
            self.look("")

    def action_turn_order(self) -> None:
        """The next order that exists for this filter."""
        if self.browser is not None:
            there = orders(self.browser.filter)
            at = there.index(self.browser.sort) if self.browser.sort in there else -1
            self.following = False
            self.look(self.line.applied, there[(at + 1) % len(there)])

    def action_follow(self) -> None:
        """Stay with the newest, or no more."""
        self.following = not self.following
        if self.following:
            self.look(self.line.applied)
        self._paint()

    def action_tag(self) -> None:
        """Tag the row under the cursor, or take its tag away."""
        self._all_meant = False
        self.table.toggle_mark()
        self._paint()

    def action_tag_all(self) -> None:
        """Mean all that match, on all pages, or no longer."""
        self.table.marked = frozenset()
        self._all_meant = not self._all_meant
        self._paint()

    def action_page(self, towards: int) -> None:
        """Another page."""
        self._start(lambda: self._turn_page(towards))

    def action_again(self) -> None:
        """Look again now."""
        self._start(self._refresh)

    def on_filter_line_applied(self, event: FilterLine.Applied) -> None:
        self.screen.set_focus(self.table)
        sort = "newest" if self.browser is None else self.browser.sort
        self.look(event.line, sort if sort in orders(parse(event.line)) else "newest")

    def on_filter_line_edited(self, event: FilterLine.Edited) -> None:
        self._wrong = event.error
        self._paint()

    def on_filter_line_left(self) -> None:
        self._wrong = None
        self.screen.set_focus(self.table)
        self._paint()

    def on_table_opened(self, event: Table.Opened) -> None:
        self.app.push_screen(DetailScreen(bytes.fromhex(event.key)))

    def on_table_edge(self, event: Table.Edge) -> None:
        browser = self.browser
        if browser is not None and not self._busy and (browser.has_next if event.towards > 0 else not browser.is_first):
            self.action_page(event.towards)

    def on_table_moved(self, event: Table.Moved) -> None:
        if self.following and not self._busy and event.table.place > 0:
            self.following = False
            self._paint()

    def on_table_title_clicked(self, event: Table.TitleClicked) -> None:
        if self.browser is None:
            return
        turned: Sort = "oldest" if self.browser.sort == "newest" else "newest"
        wanted: dict[str, Sort] = {"age": turned, "took": "longest", "what": "soonest", "priority": "priority"}
        sort = wanted.get(event.column)
        if sort is not None:
            self.look(self.line.applied, sort)
