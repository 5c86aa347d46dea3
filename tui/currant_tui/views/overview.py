"""Overview: every queue in a line, and large pictures of depth, throughput and latency."""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["ALL", "Overview", "queue_row"]

ALL = "\0all"
"""The key of the row of totals: no queue can be called so."""
SPANS = (300, 900, 3600)
CHARTS_S = 0.5
"""Curves move slowly: they are drawn twice a second."""
_SPARK = 16

COLUMNS = (
    Column("name", "queue", 12, stretches=True, most=32),
    Column("waiting", "waiting", 8, "right"),
    Column("scheduled", "sched", 7, "right", rank=4),
    Column("running", "running", 7, "right"),
    Column("in", "in/s", 6, "right", rank=1),
    Column("out", "out/s", 6, "right"),
    Column("failed", "failed", 6, "right", rank=1),
    Column("oldest", "oldest", 6, "right", rank=2),
    Column("spark", "out, 5 min", _SPARK, rank=3),
    Column("wait50", "wait p50", 8, "right", rank=4),
    Column("wait95", "p95", 6, "right", rank=8),
    Column("wait99", "p99", 6, "right", rank=5),
    Column("run50", "run p50", 7, "right", rank=6),
    Column("run95", "p95", 6, "right", rank=8),
    Column("run99", "p99", 6, "right", rank=7),
    Column("pools", "pools", 6, "right", rank=7),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart: its id, its title, the unit of its scale, and its curves as (name, measure, ink, filled)."""

    id: str
    title: str
    unit: str
    curves: tuple[tuple[str, Measure, Ink, bool], ...]


PICTURES = (
    Picture("depth", "Depth", "count", (("waiting", "waiting", "three", True), ("running", "running", "four", False))),
    Picture(
        "throughput",
        "Throughput per second",
        "rate",
        (("out", "out", "two", True), ("in", "in", "one", False), ("failed", "failed", "bad", False)),
    ),
    Picture(
        "latency",
        "Latency",
        "micros",
        (
            ("wait p50", "wait_p50", "one", False),
            ("wait p99", "wait_p99", "five", False),
            ("run p50", "run_p50", "two", False),
            ("run p99", "run_p99", "three", False),
        ),
    ),
)
_EMPTY = (
    "Nothing waits or runs, and nothing has finished since the dashboard was opened.",
    "In a notebook: %load_ext currant_lab, %currant start, then job.submit(...)",
    "In a terminal: currant worker -m my_jobs",
)


class Overview(View):
    """All queues at a glance."""

    ABOUT = (
        "One line for every queue, the first for all of them: what waits, is scheduled and runs; executions in and "
        "out per second; the share that failed, and how long they waited (from submit to start) and ran, over five "
        "minutes. Percentiles are true over all pools. The charts follow the line under the cursor; `m` turns to the "
        "next chart where there is room for one, `t` to another span. ~ marks an estimate, ‖ a paused queue, ! a "
        "queue with work and no pool."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "turn_picture", "Next chart", id="overview.chart", tooltip="depth, throughput, latency"),
        Binding("t", "turn_span", "Span", id="overview.span", tooltip="5, 15 or 60 minutes"),
    ]
    SCOPED_CSS = False  # `.-low` and `.-wide` stand on the screen
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
    _charts_at = 0.0

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="queues")
        with Horizontal(id="charts"):
            for place, one in enumerate(PICTURES):
                yield ChartPicture(id=one.id, classes="-chosen" if place == self.picture else None)

    def show(self, board: Board) -> None:
        queues = board.queues()
        rows = [queue_row(board, board.totals(), ALL)] if queues else []
        rows += [queue_row(board, queue, queue.name) for queue in queues]
        table = self.query_one(Table)
        table.styles.height = len(rows) + 1 if rows else 5
        table.content = Content(tuple(rows), empty=_EMPTY)
        if not 0 <= board.now - self._charts_at < CHARTS_S:
            self._charts_at = board.now
            self._draw(board)

    def _draw(self, board: Board) -> None:
        queue, span = self.queue_meant(), SPANS[self.span]
        of = "all queues" if queue is None else plain(queue, 40)
        for place, one in enumerate(PICTURES):
            if self.app.size.width >= 120 or place == self.picture:
                traces = tuple(
                    Trace(name, ink, tuple(board.series(measure, span, queue).values), filled)
                    for name, measure, ink, filled in one.curves
                )
                picture = self.query_one(f"#{one.id}", ChartPicture)
                picture.data = Chart(f"{one.title}, {of}", traces, span, one.unit, f"{span // 60} min")

    def queue_meant(self) -> str | None:
        cursor = self.query_one(Table).cursor
        return None if cursor == ALL else cursor

    def action_turn_span(self) -> None:
        """Look at 5, 15 or 60 minutes."""
        self.span = (self.span + 1) % len(SPANS)
        self._again()

    def action_turn_picture(self) -> None:
        """Look at the next chart, where there is room for one only."""
        self.picture = (self.picture + 1) % len(PICTURES)
        for place, one in enumerate(self.query(ChartPicture)):
            one.set_class(place == self.picture, "-chosen")
        self._again()

    @on(Table.Moved)
    def _again(self) -> None:
        self._charts_at = 0.0
        self.show(self.lab.board)


def queue_row(board: Board, queue: QueueView, key: str) -> Row:
    """The line of a queue, or of all of them."""
    whole = key == ALL
    ink: Ink = "strong" if whole else ""
    stuck = queue.waiting > 0 and queue.listening_pools == 0 and not whole
    paused = queue.paused and not whole
    mark = "‖ " if paused else "! " if stuck else ""
    name = "all queues" if whole else mark + plain(queue.name, 200)
    failed: Ink = "bad" if queue.failed_share >= 0.05 else "warn" if queue.failed_share > 0 else "muted"
    line = spark(board.series("out", 300, None if whole else queue.name).values, _SPARK)
    before: tuple[Cell, ...] = (
        (name, ink or ("warn" if paused else "bad" if stuck else "strong")),
        (formats.count(queue.waiting, queue.exact), "bad" if stuck else ink),
        (formats.count(queue.scheduled, queue.exact), ink if queue.scheduled else "muted"),
        (formats.count(queue.running), ink),
        (formats.rate(queue.in_per_s), ink),
        (formats.rate(queue.out_per_s), "good" if queue.out_per_s > 0 else "muted"),
        (formats.share(queue.failed_share), failed),
        (formats.age(queue.oldest_s), ink),
        (line, "two"),
    )
    latencies = (queue.wait.p50_us, queue.wait.p95_us, queue.wait.p99_us,
                 queue.run.p50_us, queue.run.p95_us, queue.run.p99_us)  # fmt: skip
    figures: tuple[Cell, ...] = tuple((formats.micros(value), ink) for value in latencies)
    pools = "none!" if stuck else formats.count(queue.listening_pools)
    return Row(key, (*before, *figures, (pools, "bad" if stuck else ink)))
