"""The pictures of `currant_tui.drawing` as widgets."""

from __future__ import annotations

from collections.abc import Sequence

from currant_tui.drawing.chart import Chart, chart, rule
from currant_tui.drawing.heat import HeatMap, heat
from currant_tui.drawing.histogram import Bars, Distribution, bars, columns, distribution
from currant_tui.drawing.lines import Ink, Line, fit
from currant_tui.widgets.painting import Painting

__all__ = ["BarsPicture", "ChartPicture", "ColumnsPicture", "DistributionPicture", "Fact", "Facts", "HeatPicture"]

Fact = tuple[str, str, Ink, str]
"""A name, its figure, the figure's ink, and what it tells."""


class ChartPicture(Painting[Chart]):
    """Curves over time."""

    def paint(self, data: Chart, width: int, height: int) -> Sequence[Line]:
        return chart(data, width, height)


class DistributionPicture(Painting[Distribution]):
    """A distribution of latencies."""

    def paint(self, data: Distribution, width: int, height: int) -> Sequence[Line]:
        return distribution(data, width, height)


class BarsPicture(Painting[Bars]):
    """Named counts."""

    def paint(self, data: Bars, width: int, height: int) -> Sequence[Line]:
        return bars(data, width, height)


class ColumnsPicture(Painting[Bars]):
    """Named counts that have an order."""

    def paint(self, data: Bars, width: int, height: int) -> Sequence[Line]:
        return columns(data, width, height)


class HeatPicture(Painting[HeatMap]):
    """A distribution over time."""

    def paint(self, data: HeatMap, width: int, height: int) -> Sequence[Line]:
        return heat(data, width, height)


class Facts(Painting[tuple[Fact, ...]]):
    """Figures with their names."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title

    def paint(self, data: tuple[Fact, ...], width: int, height: int) -> Sequence[Line]:
        names = max((len(name) for name, _, _, _ in data), default=0)
        figures = max((len(figure) for _, figure, _, _ in data), default=0)
        lines: list[Line] = [rule(self._title, width)]
        for name, figure, ink, tells in data[: height - 1]:
            lines.append(
                [(f" {fit(name, names)}  ", "muted"), (fit(figure, figures, "right"), ink), (f"  {tells}", "muted")]
            )
        return lines
