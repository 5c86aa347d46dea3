"""Latency: how long executions of a job wait and run, as distributions and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from currant_lab.latency import Histogram
from currant_tui.drawing import formats
from currant_tui.drawing.columns import Column, Row
from currant_tui.drawing.heat import HeatMap
from currant_tui.drawing.histogram import Distribution
from currant_tui.drawing.lines import Ink
from currant_tui.safe import plain
from currant_tui.view import View
from currant_tui.views.overview import ALL, SPANS
from currant_tui.widgets.pictures import DistributionPicture, HeatPicture
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.views import JobView, Quantiles

__all__ = ["Latency"]

COLUMNS = (
    Column("job", "job", 16, stretches=True, most=48),
    Column("out", "out/s", 6, "right"),
    Column("failed", "failed", 6, "right", rank=1),
    Column("wait50", "wait p50", 8, "right"),
    Column("wait95", "p95", 6, "right", rank=2),
    Column("wait99", "p99", 6, "right"),
    Column("run50", "run p50", 8, "right"),
    Column("run95", "p95", 6, "right", rank=2),
    Column("run99", "p99", 6, "right"),
)


class Latency(View):
    """Distributions per job."""

    ABOUT = (
        "`wait` is from submit (or the due time) to the start of the handler, `run` from its start to its end. The "
        "histograms are of the job under the cursor, over the last five minutes, on a log scale; percentiles over "
        "several pools come from merged histograms, so they are true. The map shows how the distribution moved: time "
        "to the right, latency upwards, dense means many."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "turn_span", "5/15/60 min", id="latency.span"),
        Binding("m", "turn_which", "Wait or run", id="latency.which"),
    ]
    DEFAULT_CSS = """
    Latency #jobs { height: auto; max-height: 40%; }
    Latency #spread { height: 1fr; min-height: 6; margin-top: 1; }
    .-low Latency #spread { margin-top: 0; height: 7; }
    Latency #run { margin-left: 1; }
    Latency HeatPicture { height: 1fr; }
    """
    span = 0
    which: Literal["wait", "run"] = "wait"

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="jobs")
        with Horizontal(id="spread"):
            yield DistributionPicture(id="wait")
            yield DistributionPicture(id="run")
        yield HeatPicture()

    def show(self, board: Board) -> None:
        jobs = sorted(board.jobs(), key=lambda job: (-job.out_per_s, job.name))
        totals = board.totals()
        rows = [_row(ALL, "all jobs", totals.out_per_s, totals.failed_share, totals.wait, totals.run)] if jobs else []
        rows += [_job_row(job) for job in jobs]
        table = self.query_one(Table)
        table.styles.height = max(2, len(rows)) + 1 if rows else 4
        table.content = Content(tuple(rows), empty=("No job has ended in the last five minutes.",))
        chosen = None if table.cursor in (None, ALL) else table.cursor
        named = f" · {plain(chosen, 40)}" if chosen is not None else " · all jobs"
        for which, title, ink in (("wait", "Wait", "one"), ("run", "Run", "two")):
            histogram, quantiles = _merged(jobs, which, chosen)
            self.query_one(f"#{which}", DistributionPicture).data = Distribution(
                title + named, tuple(histogram.counts()), quantiles, ink  # type: ignore[arg-type]
            )
        span = SPANS[self.span]
        heat = board.heat(self.which, span, chosen)
        self.query_one(HeatPicture).data = HeatMap(
            f"{self.which.capitalize()} over time{named}", heat.rows, tuple(map(tuple, heat.cells)), span, _minutes(span)
        )

    def action_turn_span(self) -> None:
        """Look at 5, 15 or 60 minutes."""
        self.span = (self.span + 1) % len(SPANS)
        self.show(self.lab.board)

    def action_turn_which(self) -> None:
        """The map of waiting, or of running."""
        self.which = "run" if self.which == "wait" else "wait"
        self.show(self.lab.board)

    @on(Table.Moved)
    def _moved(self) -> None:
        self.show(self.lab.board)


def _minutes(span: int) -> str:
    return f"{span // 60} min"


def _merged(jobs: list[JobView], which: str, chosen: str | None) -> tuple[Histogram, tuple[tuple[str, float], ...]]:
    histogram = Histogram()
    for job in jobs:
        if chosen is None or job.name == chosen:
            histogram += job.wait_hist if which == "wait" else job.run_hist
    if not len(histogram):
        return histogram, ()
    return histogram, tuple((f"p{part}", histogram.quantile(part / 100)) for part in (50, 95, 99))


def _job_row(job: JobView) -> Row:
    return _row(job.name, plain(job.name), job.out_per_s, job.failed_share, job.wait, job.run)


def _row(key: str, shown: str, out: float, failed: float, wait: Quantiles, run: Quantiles) -> Row:
    ink: Ink = "strong" if key == ALL else ""
    figures = (wait.p50_us, wait.p95_us, wait.p99_us, run.p50_us, run.p95_us, run.p99_us)
    failing: Ink = "bad" if failed >= 0.05 else "warn" if failed else "muted"
    return Row(
        key,
        (
            (shown, ink),
            (formats.rate(out), ink),
            (formats.share(failed), failing),
            *((formats.micros(one), ink) for one in figures),
        ),
    )
