"""Claims: how pools take work from the database. What no other dashboard shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from currant_tui.drawing import formats
from currant_tui.drawing.chart import Chart, Trace
from currant_tui.drawing.columns import Column, Row
from currant_tui.drawing.histogram import Bars
from currant_tui.drawing.lines import Ink
from currant_tui.drawing.ribbon import REASONS, Ribbon, reason_ink
from currant_tui.safe import plain
from currant_tui.view import View
from currant_tui.widgets.pictures import BarsPicture, ChartPicture, Facts, RibbonPicture
from currant_tui.widgets.table import Content, Table

if TYPE_CHECKING:
    from currant_lab.watch.board import Board
    from currant_lab.watch.views import ClaimsView

__all__ = ["Claims", "facts"]

COLUMNS = (
    Column("ago", "ago", 5, "right"),
    Column("size", "size", 6, "right"),
    Column("took", "took", 6, "right"),
    Column("reason", "woken by", 8),
    Column("queue", "queue", 8, stretches=True),
    Column("pool", "pool", 8, rank=1, stretches=True, most=24),
)

LATEST = 40


class Claims(View):
    """The ribbon of claims and what they cost."""

    ABOUT = (
        "A claim takes many executions in one statement. Each bar of the ribbon is one claim, as high as it brought "
        "executions (a log scale); the letter below says what woke it: N a notification, C room in the pool, P the "
        "poll that is the net below notifications, S the start. Large batches and few statements per execution are "
        "what makes a queue fast; many polls say that notifications don't arrive; many empty claims are wasted "
        "round trips."
    )
    DEFAULT_CSS = """
    Claims RibbonPicture { height: 8; }
    .-low Claims RibbonPicture { height: 6; }
    Claims #below, Claims #last { height: 1fr; margin-top: 1; }
    .-low Claims #below { margin-top: 0; }
    .-low Claims #last { display: none; }
    Claims #figures { width: 1fr; }
    Claims #right { width: 1fr; margin-left: 1; }
    Claims BarsPicture { height: 1fr; }
    .-low Claims #wakes { height: 5; }
    Claims ChartPicture { margin-left: 1; }
    """

    def compose(self) -> ComposeResult:
        yield RibbonPicture()
        with Horizontal(id="below"):
            yield Facts("Figures of the last five minutes", id="figures")
            with Vertical(id="right"):
                yield BarsPicture(id="sizes")
                yield BarsPicture(id="wakes")
        with Horizontal(id="last"):
            yield Table(COLUMNS, id="latest")
            yield ChartPicture(id="duration")

    def show(self, board: Board) -> None:
        claims = board.claims()
        shown = claims.ribbon[-200:]
        legend = "  ".join(f"{letter} {name}" for name, letter, _ in REASONS)
        self.query_one(RibbonPicture).data = Ribbon(tuple((one.size, one.reason) for one in shown), legend)
        self.query_one("#figures", Facts).data = facts(claims)
        self.query_one("#sizes", BarsPicture).data = Bars("Executions per claim", _sizes(claims))
        self.query_one("#wakes", BarsPicture).data = Bars(
            "What woke the claims", tuple((name, claims.wakes.get(name, 0), ink) for name, _, ink in REASONS)
        )
        if self.screen.has_class("-low"):
            return
        names = {pool.id: pool.name for pool in board.pools()}
        rows = []
        for one in reversed(shown[-LATEST:]):
            key = f"{one.pool} {one.queue} {one.at:.6f} {one.size}"
            ink = reason_ink(one.reason)
            pool = plain(names.get(one.pool, f"pool {one.pool}"))
            cells = (
                (formats.age(board.now - one.at), "muted"),
                (formats.count(one.size), "strong"),
                (formats.micros(one.us), ""),
                (one.reason, ink),
                (plain(one.queue), ""),
                (pool, "muted"),
            )
            rows.append(Row(key, cells))  # type: ignore[arg-type]
        unique = tuple({row.key: row for row in rows}.values())
        self.query_one("#latest", Table).content = Content(unique, empty=("No claim yet.",))
        traces = tuple(
            Trace(name, ink, tuple(board.series(measure, 300).values))
            for name, measure, ink in (("p50", "claim_p50", "one"), ("p99", "claim_p99", "four"))  # type: ignore[arg-type]
        )
        self.query_one("#duration", ChartPicture).data = Chart("How long a claim takes", traces, 300, "micros", "5 min")


def facts(claims: ClaimsView) -> tuple[tuple[str, str, Ink, str], ...]:
    """The figures of the claims with what they tell."""
    total = sum(claims.wakes.values())
    polls = claims.wakes.get("poll", 0)
    claimed = sum(size * count for size, count in claims.sizes)
    per_execution = claims.statements_per_execution
    return (
        ("claims", formats.count(claims.claims), "strong", ""),
        ("empty", formats.share(claims.empty_share), "warn" if claims.empty_share > 0.5 else "strong", "brought none"),
        ("claim p50", formats.micros(claims.claim.p50_us), "strong", "one statement"),
        ("claim p99", formats.micros(claims.claim.p99_us), "strong", ""),
        (
            "statements",
            "–" if per_execution is None else f"{per_execution:.4f}" if per_execution < 0.1 else f"{per_execution:.2f}",
            "strong",
            "per execution",
        ),
        ("prefetch", formats.count(claims.prefetch), "strong", "aimed at"),
        ("buffered", formats.count(claims.buffered), "strong", "held ready"),
        (
            "by poll",
            formats.share(polls / total) if total else "–",
            "warn" if total >= 20 and polls > total / 2 else "strong",
            "notifications don't arrive?" if total >= 20 and polls > total / 2 else "of wake-ups",
        ),
    ) if claimed or total or claims.claims else (("claims", "0", "muted", "none in the last five minutes"),)


def _sizes(claims: ClaimsView) -> tuple[tuple[str, int, Ink], ...]:
    rows: list[tuple[str, int, Ink]] = []
    for upper, count in claims.sizes:
        low = upper // 2 + 1
        name = "0" if upper == 0 else f"{low}" if low >= upper else f"{formats.count(low)}-{formats.count(upper)}"
        rows.append((name, count, "two"))
    return tuple(rows)
