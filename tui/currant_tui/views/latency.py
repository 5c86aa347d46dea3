"""Latency: how long executions of a job wait and run, as distributions and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

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
from currant_tui.widgets.pictures import DistributionPicture, HeatPicture
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.views import JobView, Quantiles

__all__ = ["Latency"]

ALL = "\0all"
"""The key of the row of all jobs: no job can be called so."""
SPANS = (300, 900, 3600)
PICTURES_S = 0.5
"""Distributions move slowly: they are drawn twice a second."""

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
_EMPTY = ("No job has ended since the dashboard was opened.", "Each line will be a job: how long it waits, and runs.")


class Latency(View):
    """Distributions per job."""

    ABOUT = (
        "`wait` is from submit (or the due time) to the start of the handler, `run` from its start to its end. The "
        "histograms are of the job under the cursor, over the last five minutes, on a log scale; percentiles over "
        "several pools come from merged histograms, so they are true. The map shows how the distribution moved: time "
        "to the right, latency upwards, dense means many. `m` turns it from waiting to running, `t` to another span."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "turn_which", "Wait or run", id="latency.which", tooltip="the map of waiting, or of running"),
        Binding("t", "turn_span", "Span", id="latency.span", tooltip="5, 15 or 60 minutes"),
    ]
    SCOPED_CSS = False  # `.-low` and `.-wide` stand on the screen
    DEFAULT_CSS = """
    Latency #jobs { height: auto; max-height: 40%; }
    Latency #spread { height: 1fr; min-height: 6; max-height: 16; margin-top: 1; }
    .-low Latency #jobs { max-height: 6; }
    .-low Latency #spread { margin-top: 0; height: 7; }
    Latency #run { margin-left: 1; }
    Latency HeatPicture { height: 1fr; margin-top: 1; }
    .-low Latency HeatPicture { margin-top: 0; }
    """
    span = 0
    which = 0
    _pictures_at = 0.0

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS, id="jobs")
        with Horizontal(id="spread"):
            yield DistributionPicture(id="wait")
            yield DistributionPicture(id="run")
        yield HeatPicture()

    def show(self, board: Board) -> None:
        jobs = sorted(board.jobs(), key=lambda job: (-job.run.count, job.name))
        totals = board.totals()
        rows = [_row(ALL, "all jobs", totals.out_per_s, totals.failed_share, totals.wait, totals.run)] if jobs else []
        rows += [_row(job.name, plain(job.name, 200), job.out_per_s, job.failed_share, job.wait, job.run)
                 for job in jobs]  # fmt: skip
        table = self.query_one(Table)
        table.styles.height = len(rows) + 1 if rows else 4
        table.content = Content(tuple(rows), empty=_EMPTY)
        if not 0 <= board.now - self._pictures_at < PICTURES_S:
            self._pictures_at = board.now
            self._draw(board, jobs, None if table.cursor in (None, ALL) else table.cursor)

    def _draw(self, board: Board, jobs: list[JobView], chosen: str | None) -> None:
        named = "all jobs" if chosen is None else plain(chosen, 60)
        shown = [job for job in jobs if chosen in (None, job.name)]
        inks: tuple[tuple[str, Ink], ...] = (("wait", "one"), ("run", "two"))
        for which, ink in inks:
            histogram = Histogram()
            for job in shown:
                histogram.add((job.wait_hist if which == "wait" else job.run_hist).counts())
            quantiles = zip(("p50", "p95", "p99"), histogram.quantiles((0.50, 0.95, 0.99)), strict=True)
            marks = tuple(quantiles) if len(histogram) else ()
            title = f"{which.capitalize()} · {named}"
            picture = self.query_one(f"#{which}", DistributionPicture)
            picture.data = Distribution(title, tuple(histogram.counts()), marks, ink)
        span, which = SPANS[self.span], inks[self.which][0]
        heat = board.heat(which, span, chosen)
        cells = tuple(map(tuple, heat.cells))
        title = f"{which.capitalize()} over time · {named}"
        self.query_one(HeatPicture).data = HeatMap(title, heat.rows, cells, span, f"{span // 60} min")

    def action_turn_span(self) -> None:
        """Look at 5, 15 or 60 minutes."""
        self.span = (self.span + 1) % len(SPANS)
        self._again()

    def action_turn_which(self) -> None:
        """The map of waiting, or of running."""
        self.which = 1 - self.which
        self._again()

    @on(Table.Moved)
    def _again(self) -> None:
        self._pictures_at = 0.0
        self.show(self.lab.board)


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
