"""All queues at a glance, and what they all did over the last minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive

from currant_tui.drawing.charts import spark
from currant_tui.drawing.columns import Column, Row
from currant_tui.drawing.formats import age, count, micros, rate, share
from currant_tui.drawing.lines import Ink
from currant_tui.safe import plain
from currant_tui.view import View
from currant_tui.widgets.chart import Chart, Curve
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.views import Measure, QueueView

__all__ = ["Overview", "queue_row"]

_SPARK = 16

COLUMNS = (
    Column("name", "queue", 12, stretches=True, most=30),
    Column("waiting", "waiting", 8, "right"),
    Column("scheduled", "sched", 7, "right", rank=4),
    Column("running", "running", 7, "right"),
    Column("in", "in/s", 6, "right", rank=1),
    Column("out", "out/s", 6, "right"),
    Column("failed", "failed", 6, "right", rank=1),
    Column("oldest", "oldest", 6, "right", rank=2),
    Column("wait50", "wait p50", 8, "right", rank=2),
    Column("wait95", "p95", 6, "right", rank=6),
    Column("wait99", "p99", 6, "right", rank=3),
    Column("run50", "run p50", 7, "right", rank=3),
    Column("run95", "p95", 6, "right", rank=6),
    Column("run99", "p99", 6, "right", rank=5),
    Column("pools", "pools", 6, "right", rank=3),
    Column("spark", "out, 5 min", _SPARK, rank=4),
)
_MEASURES: tuple[tuple[Measure, str, Ink], ...] = (
    ("out", "done per second", "two"),
    ("in", "submitted per second", "one"),
    ("waiting", "waiting", "three"),
    ("running", "running", "four"),
    ("wait_p50", "wait p50", "one"),
    ("wait_p99", "wait p99", "five"),
    ("run_p50", "run p50", "one"),
    ("run_p99", "run p99", "five"),
    ("failed", "failed per second", "bad"),
)
_SPANS = (300, 900, 3600)
_EMPTY = (
    "Nothing waits or runs, and nothing has finished since the dashboard was opened.",
    "In a notebook: %load_ext currant_lab, %currant start, then job.submit(...)",
    "In a terminal: currant worker -m my_jobs",
)


def queue_row(view: QueueView, line: str) -> Row:
    """A queue's line of the table; `line` is its sparkline."""
    name = plain(view.name, 200) + (" (paused)" if view.paused else "")
    deaf = view.listening_pools == 0 and view.waiting > 0
    return Row(
        view.name,
        (
            (name, "warn" if view.paused else "strong"),
            (count(view.waiting, view.exact), ""),
            (count(view.scheduled, view.exact), "muted" if not view.scheduled else ""),
            (count(view.running), ""),
            (rate(view.in_per_s), ""),
            (rate(view.out_per_s), "good" if view.out_per_s > 0 else "muted"),
            (share(view.failed_share), "bad" if view.failed_share > 0 else "muted"),
            (age(view.oldest_s), ""),
            (micros(view.wait.p50_us), ""),
            (micros(view.wait.p95_us), ""),
            (micros(view.wait.p99_us), ""),
            (micros(view.run.p50_us), ""),
            (micros(view.run.p95_us), ""),
            (micros(view.run.p99_us), ""),
            ("none!" if deaf else str(view.listening_pools), "bad" if deaf else ""),
            (line, "two"),
        ),
    )


class Overview(View):
    """The queues, and one large curve over all of them, or over the queue under the cursor."""

    ABOUT = (
        "Each line is a queue: what waits, is scheduled and runs; executions in and out per second; the share that "
        "failed, and how long they waited and ran, over five minutes. `m` turns the curve to another measure, `t` to "
        "another span, Enter to the queue under the cursor and back to all."
    )
    DEFAULT_CSS = """
    Overview { layout: vertical; }
    Overview Table { height: 1fr; min-height: 4; }
    Overview Chart { height: 40%; min-height: 5; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "turn_measure", "Measure", id="overview.measure", tooltip="the curve's next measure"),
        Binding("t", "turn_span", "Span", id="overview.span", tooltip="5, 15 or 60 minutes"),
    ]

    measure: reactive[int] = reactive(0, init=False)
    span: reactive[int] = reactive(0, init=False)
    queue: reactive[str | None] = reactive(None, init=False)

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="queues")
        yield Chart()

    def show(self, board: Board) -> None:
        lines = {view.name: spark(board.series("out", 300, view.name).values, _SPARK) for view in board.queues()}
        rows = tuple(queue_row(view, lines[view.name]) for view in board.queues())
        self.query_one(Table).content = Content(rows, empty=_EMPTY)
        self.query_one(Chart).data = self._curve(board)

    def _curve(self, board: Board) -> Curve:
        measure, title, ink = _MEASURES[self.measure]
        span = _SPANS[self.span]
        values = tuple(board.series(measure, span, self.queue).values)
        top = max((value for value in values if value is not None), default=0.0)
        text = micros if measure.endswith(("p50", "p99")) else count if measure in ("waiting", "running") else rate
        known = [value for value in values[-3:-1] if value is not None]
        of = "all queues" if self.queue is None else plain(self.queue, 60)
        return Curve(
            f"{title}, {of}", values, top, text(top), text(known[-1] if known else None), f"{span // 60} minutes", ink
        )

    def action_turn_measure(self) -> None:
        """The curve's next measure."""
        self.measure = (self.measure + 1) % len(_MEASURES)

    def action_turn_span(self) -> None:
        """5, 15 or 60 minutes."""
        self.span = (self.span + 1) % len(_SPANS)

    def on_table_opened(self, event: Table.Opened) -> None:
        self.queue = None if self.queue == event.key else event.key

    def _again(self) -> None:
        self.query_one(Chart).data = self._curve(self.lab.board)

    def watch_measure(self) -> None:
        self._again()

    def watch_span(self) -> None:
        self._again()

    def watch_queue(self) -> None:
        self._again()
