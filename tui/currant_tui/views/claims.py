"""Claims: how pools take work from the database. What no other dashboard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from currant_tui.drawing import formats
from currant_tui.drawing.chart import Chart, Trace
from currant_tui.drawing.columns import Cell, Column, Row
from currant_tui.drawing.histogram import Bars, Distribution
from currant_tui.drawing.lines import Ink
from currant_tui.drawing.ribbon import REASONS, SCALE, Batch, Ribbon, reason_ink
from currant_tui.safe import plain
from currant_tui.view import View
from currant_tui.widgets.pictures import BarsPicture, ChartPicture, ColumnsPicture, DistributionPicture, Fact, Facts
from currant_tui.widgets.ribbon import RibbonPicture
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.views import ClaimsView, RibbonBatch

__all__ = ["Claims", "facts", "told"]

COLUMNS = (
    Column("ago", "ago", 5, "right"),
    Column("size", "size", 6, "right"),
    Column("took", "took", 6, "right"),
    Column("reason", "woken by", 8),
    Column("queue", "queue", 8, stretches=True),
    Column("pool", "pool", 8, rank=1, stretches=True, most=24),
)
LATEST = 40
CHARTS_S = 0.5
"""Curves and distributions move slowly: they are drawn twice a second."""
_WIDE = 160


class Claims(View):
    """The ribbon of claims and what they cost."""

    ABOUT = (
        "A claim takes many executions in one statement. Each bar of the ribbon is one claim, as high as it brought "
        "executions (a log scale, a dot: none); below it what woke it: N a notification, C room in the pool, P the "
        "poll that is the net below notifications, S the start; how long it took; and its queue, where there are "
        "several. Arrows, or the mouse, tell of one of them. Large batches and few statements per execution are "
        "what makes a queue fast; many polls say that notifications don't arrive; many empty claims are wasted "
        "round trips."
    )
    SCOPED_CSS = False  # `.-low` and `.-wide` stand on the screen
    DEFAULT_CSS = """
    Claims RibbonPicture { height: 10; }
    .-low Claims RibbonPicture { height: 9; }
    Claims #below { height: 11; margin-top: 1; }
    .-low Claims #below { height: 1fr; margin-top: 0; }
    Claims #last { height: 1fr; margin-top: 1; }
    .-low Claims #last { display: none; }
    Claims #figures { width: 1fr; }
    Claims #right { width: 1fr; margin-left: 1; }
    Claims #sizes { height: 1fr; }
    Claims #wakes { height: 6; }
    .-low Claims #wakes { height: 5; }
    Claims #duration, Claims #spread { margin-left: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "turn_queue", "Queue", id="claims.queue", tooltip="one queue's claims, or all of them"),
    ]

    queue: str | None = None
    _chosen: RibbonBatch | None = None
    _charts_at = 0.0

    def compose(self) -> ComposeResult:
        yield RibbonPicture()
        with Horizontal(id="below"):
            yield Facts("Figures of the last five minutes", id="figures")
            with Vertical(id="right"):
                yield ColumnsPicture(id="sizes")
                yield BarsPicture(id="wakes")
        with Horizontal(id="last"):
            yield Table(COLUMNS, id="latest")
            yield ChartPicture(id="duration")
            yield DistributionPicture(id="spread")

    def show(self, board: Board) -> None:
        claims = board.claims(self.queue)
        pools = {pool.id: plain(pool.name, 60) for pool in board.pools()}
        self._show_ribbon(board, claims, pools)
        self.query_one("#figures", Facts).data = facts(claims)
        of = "" if self.queue is None else f" · {plain(self.queue, 30)}"
        self.query_one("#sizes", ColumnsPicture).data = Bars(
            f"Executions per claim{of}", _sizes(claims), "from … to the next"
        )
        wakes: tuple[tuple[str, int, Ink], ...] = tuple(
            (name, claims.wakes.get(name, 0), ink) for name, _, ink in REASONS
        )
        self.query_one("#wakes", BarsPicture).data = Bars(f"What woke the claims{of}", wakes)
        if self.app.size.height >= 30:
            self._show_last(board, claims, pools)

    def _seen(self, claims: ClaimsView) -> tuple[RibbonBatch, ...]:
        """As many of the latest as there are columns for them."""
        return claims.ribbon[-max(self.app.size.width - SCALE, 1) :]

    def _show_ribbon(self, board: Board, claims: ClaimsView, pools: dict[int, str]) -> None:
        shown = self._seen(claims)
        place = shown.index(self._chosen) if self._chosen in shown else -1
        if place < 0:
            self._chosen = None
        names = tuple(sorted({one.queue for one in shown}))
        detail = ""
        if shown:
            chosen = shown[place]
            letter = f" ({chr(ord('a') + min(names.index(chosen.queue), 25))})" if len(names) > 1 else ""
            detail = told(chosen, pools.get(chosen.pool, f"pool {chosen.pool}"), board.now, letter)
        self.query_one(RibbonPicture).data = Ribbon(
            tuple(Batch(one.size, one.us, one.reason, one.queue) for one in shown),
            place if place >= 0 else len(shown) - 1,
            place >= 0,
            detail,
            names,
        )

    def _show_last(self, board: Board, claims: ClaimsView, pools: dict[int, str]) -> None:
        rows: dict[str, Row] = {}
        for one in reversed(claims.ribbon[-LATEST:]):
            key = f"{one.pool} {one.queue} {one.at:.6f} {one.size}"
            cells: tuple[Cell, ...] = (
                (formats.age(board.now - one.at), "muted"),
                (formats.count(one.size), "strong"),
                (formats.micros(one.us), ""),
                (plain(one.reason, 20), reason_ink(one.reason)),
                (plain(one.queue, 60), ""),
                (pools.get(one.pool, f"pool {one.pool}"), "muted"),
            )
            rows[key] = Row(key, cells)
        self.query_one("#latest", Table).content = Content(tuple(rows.values()), empty=("No claim yet.",))
        if 0 <= board.now - self._charts_at < CHARTS_S:
            return
        self._charts_at = board.now
        traces = (
            Trace("p50", "one", tuple(board.series("claim_p50", 300, self.queue).values)),
            Trace("p99", "four", tuple(board.series("claim_p99", 300, self.queue).values)),
        )
        self.query_one("#duration", ChartPicture).data = Chart("How long a claim takes", traces, 300, "micros", "5 min")
        spread = self.query_one("#spread", DistributionPicture)
        spread.display = self.app.size.width >= _WIDE
        if spread.display:
            quantiles = (claims.claim.p50_us, claims.claim.p99_us)
            marks = tuple(
                (name, value) for name, value in zip(("p50", "p99"), quantiles, strict=True) if value is not None
            )
            counts = tuple(claims.claim_hist.counts())
            spread.data = Distribution("All claims of five minutes", counts, marks, "one", "no claim yet")

    def queue_meant(self) -> str | None:
        return self.queue

    def entered(self) -> None:
        self.query_one(RibbonPicture).focus()

    def action_turn_queue(self) -> None:
        """From all queues to one after the other, and back to all."""
        names: list[str | None] = [None, *(queue.name for queue in self.lab.board.queues())]
        at = names.index(self.queue) if self.queue in names else -1
        self.queue = names[(at + 1) % len(names)]
        self._again()

    @on(RibbonPicture.Pointed)
    def _pointed(self, event: RibbonPicture.Pointed) -> None:
        shown = self._seen(self.lab.board.claims(self.queue))
        drawn = self.query_one(RibbonPicture).data
        # Between the picture and the key some may have come: count from the end of what was seen.
        place = event.place + (len(shown) - len(drawn.batches)) if event.place >= 0 else -1
        self._chosen = shown[place] if 0 <= place < len(shown) else None
        self._again()

    def _again(self) -> None:
        self._charts_at = 0.0
        self.show(self.lab.board)


def told(one: RibbonBatch, pool: str, now: float, letter: str = "") -> str:
    """A batch in words."""
    many = "none" if not one.size else f"{one.size:,}"
    return (
        f"{many} from {plain(one.queue, 60)}{letter} in {formats.micros(one.us)}, woken by {plain(one.reason, 20)}, "
        f"for {pool}, {formats.age(now - one.at)} ago"
    )


def facts(claims: ClaimsView) -> tuple[Fact, ...]:
    """The figures of the claims with what they tell."""
    if not claims.claims:
        return (("claims", "0", "muted", "none in the last five minutes"),)
    total = sum(claims.wakes.values()) or 1
    polls, notified = claims.wakes.get("poll", 0) / total, claims.wakes.get("notify", 0) / total
    deaf = total >= 20 and polls > 0.5
    per_execution = claims.statements_per_execution
    statements = "–" if per_execution is None else f"{per_execution:.{4 if per_execution < 0.1 else 2}f}"
    return (
        ("claims", formats.count(claims.claims), "strong", ""),
        ("empty", formats.share(claims.empty_share), "warn" if claims.empty_share > 0.5 else "strong", "brought none"),
        ("claim p50", formats.micros(claims.claim.p50_us), "strong", "one statement"),
        ("claim p99", formats.micros(claims.claim.p99_us), "strong", ""),
        ("by notify", formats.share(notified), "strong", "of wake-ups"),
        ("by poll", formats.share(polls), "warn" if deaf else "strong", "notifications don't arrive?" if deaf else ""),
        ("statements", statements, "strong", "per execution"),
        ("prefetch", formats.count(claims.prefetch), "strong", "aimed at"),
        ("buffered", formats.count(claims.buffered), "strong", "held ready"),
    )


def _sizes(claims: ClaimsView) -> tuple[tuple[str, int, Ink], ...]:
    """A column for each doubling, those between that never came included."""
    counts = dict(claims.sizes)
    uppers = [0, *(1 << power for power in range(max(counts, default=0).bit_length()))]
    return tuple(
        ("0" if upper == 0 else formats.count(upper // 2 + 1).replace(".0", ""), counts.get(upper, 0),
         "muted" if upper == 0 else "two")
        for upper in uppers
    )  # fmt: skip
