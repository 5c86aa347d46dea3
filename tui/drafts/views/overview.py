"""Overview: every queue in a line, and a large picture of depth, throughput and latency."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from currant_tui.drawing import formats
from currant_tui.drawing.chart import Chart, Trace, spark
from currant_tui.drawing.columns import Cell, Column, Row
from currant_tui.drawing.lines import Ink
from currant_tui.safe import plain
from currant_tui.view import View
from currant_tui.widgets.pictures import ChartPicture
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.views import Measure, QueueView

__all__ = ["SPANS", "Overview", "queue_row"]

SPANS = (300, 900, 3600)
ALL = "\0all"
"""The key of the row of totals: no queue can be called so."""

COLUMNS = (
    Column("name", "queue", 12, stretches=True, most=32),
    Column("state", "", 2),
    Column("waiting", "waiting", 8, "right"),
    Column("spark", "5 min", 10, rank=4, stretches=True, most=24),
    Column("scheduled", "later", 7, "right", rank=6),
    Column("running", "running", 7, "right"),
    Column("in", "in/s", 6, "right", rank=2),
    Column("out", "out/s", 6, "right"),
    Column("failed", "failed", 6, "right", rank=1),
    Column("oldest", "oldest", 6, "right", rank=3),
    Column("wait50", "wait p50", 8, "right", rank=7),
    Column("wait95", "p95", 6, "right", rank=9),
    Column("wait99", "p99", 6, "right", rank=7),
    Column("run50", "run p50", 7, "right", rank=8),
    Column("run95", "p95", 6, "right", rank=9),
    Column("run99", "p99", 6, "right", rank=8),
    Column("pools", "pools", 5, "right", rank=5),
)

PICTURES: tuple[tuple[str, str, str, tuple[tuple[str, Measure, Ink, bool], ...]], ...] = (
    ("depth", "Depth", "count", (("waiting", "waiting", "one", True), ("running", "running", "three", False))),
    (
        "throughput",
        "Per second",
        "rate",
        (("in", "in", "one", False), ("done", "out", "two", False), ("failed", "failed", "five", False)),
    ),
    (
        "latency",
        "Latency",
        "micros",
        (("wait p50", "wait_p50", "one", False), ("wait p99", "wait_p99", "four", False))
        + (("run p50", "run_p50", "two", False), ("run p99", "run_p99", "three", False)),
    ),
)


class Overview(View):
    """All queues at a glance."""

    ABOUT = (
        "One line for every queue, the first for all of them. `waiting` could run now, `later` is due at another "
        "time, `running` is held by pools. The charts follow the line under the cursor. Latencies are true over all "
        "pools: `wait` is from submit to start, `run` from start to end, both of the last five minutes. "
        "~ marks an estimate; ‖ a paused queue; ! a queue with work and no pool."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "turn_span", "5/15/60 min", id="overview.span"),
        Binding("m", "turn_picture", "Next chart", id="overview.chart"),
    ]
    DEFAULT_CSS = """
    Overview #queues { height: auto; max-height: 50%; }
    Overview #charts { height: 1fr; margin-top: 1; }
    .-low Overview #charts { margin-top: 0; }
    Overview ChartPicture { display: none; }
    Overview ChartPicture.-chosen { display: block; }
    .-wide Overview ChartPicture { display: block; margin-right: 1; }
    """

    span = 0
    picture = 0

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="queues")
        with Horizontal(id="charts"):
            for place, (name, *_) in enumerate(PICTURES):
                yield ChartPicture(id=name, classes="-chosen" if place == 0 else None)

    def show(self, board: Board) -> None:
        queues = board.queues()
        rows = [queue_row(board, board.totals(), ALL, "all queues", "strong")] if queues else []
        rows += [queue_row(board, queue, queue.name, plain(queue.name)) for queue in queues]
        table = self.query_one(Table)
        table.styles.height = len(rows) + 1 if rows else 5
        table.content = Content(tuple(rows), empty=_teaching(board))
        chosen = table.cursor
        queue = None if chosen in (None, ALL) else chosen
        wide = self.app.size.width >= 120
        for place, (name, title, unit, traces) in enumerate(PICTURES):
            if wide or place == self.picture:
                self.query_one(f"#{name}", ChartPicture).data = self._chart(board, title, unit, traces, queue)

    def _chart(
        self, board: Board, title: str, unit: str, traces: tuple[tuple[str, Measure, Ink, bool], ...], queue: str | None
    ) -> Chart:
        span = SPANS[self.span]
        of = f" · {plain(queue, 40)}" if queue is not None else ""
        drawn = tuple(
            Trace(name, ink, tuple(board.series(measure, span, queue).values), filled)
            for name, measure, ink, filled in traces
        )
        return Chart(f"{title}{of}", drawn, span, unit, f"{span // 60} min")

    def action_turn_span(self) -> None:
        """Look at 5, 15 or 60 minutes."""
        self.span = (self.span + 1) % len(SPANS)
        self.show(self.lab.board)

    def action_turn_picture(self) -> None:
        """Look at the next chart, where there is room for one only."""
        self.picture = (self.picture + 1) % len(PICTURES)
        for place, one in enumerate(self.query(ChartPicture)):
            one.set_class(place == self.picture, "-chosen")
        self.show(self.lab.board)

    @on(Table.Moved)
    def _moved(self) -> None:
        self.show(self.lab.board)


def queue_row(board: Board, queue: QueueView, key: str, shown: str, ink: Ink = "") -> Row:
    """The line of a queue, or of all of them."""
    stuck = queue.waiting > 0 and queue.listening_pools == 0 and key != ALL
    state: Cell = ("‖", "warn") if queue.paused else ("!", "bad") if stuck else ("", "")
    failed: Ink = "bad" if queue.failed_share >= 0.05 else "warn" if queue.failed_share > 0 else "muted"
    series = board.series("waiting", 300, queue.name if key != ALL else None)
    quantiles: list[Cell] = [
        (formats.micros(value), ink or "")
        for kind in (queue.wait, queue.run)
        for value in (kind.p50_us, kind.p95_us, kind.p99_us)
    ]
    cells: tuple[Cell, ...] = (
        (shown, ink or ("warn" if queue.paused else "bad" if stuck else "")),
        state,
        (formats.count(queue.waiting, queue.exact), "bad" if stuck else ink),
        spark(series.values, 24, "one"),
        (formats.count(queue.scheduled), ink),
        (formats.count(queue.running), ink),
        (formats.rate(queue.in_per_s), ink),
        (formats.rate(queue.out_per_s), ink),
        (formats.share(queue.failed_share), failed),
        (formats.age(queue.oldest_s), ink),
        *quantiles,
        (formats.count(queue.listening_pools), ink),
    )
    return Row(key, cells)


def _teaching(board: Board) -> tuple[str, ...]:
    if not board.pools():
        return (
            "Nothing waits, and no pool runs.",
            "In a notebook:   %load_ext currant_lab   then   %currant start",
            "In a terminal:   currant worker -m my_jobs",
        )
    return ("No work yet: the pools wait for it.", "Submit some:     my_job.submit(...)   or   my_job.map([...])")
