"""The pictures of `currant_tui.drawing` as widgets."""

from __future__ import annotations

from collections.abc import Sequence

from currant_tui.drawing.chart import Chart, chart, rule
from currant_tui.drawing.heat import HeatMap, heat
from currant_tui.drawing.histogram import Bars, Distribution, bars, distribution
from currant_tui.drawing.lines import Ink, Line, fit
from currant_tui.drawing.ribbon import Ribbon, ribbon
from currant_tui.widgets.painting import Painting

__all__ = ["BarsPicture", "ChartPicture", "DistributionPicture", "Facts", "HeatPicture", "RibbonPicture", "Title"]


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


class HeatPicture(Painting[HeatMap]):
    """A distribution over time."""

    def paint(self, data: HeatMap, width: int, height: int) -> Sequence[Line]:
        return heat(data, width, height)


class RibbonPicture(Painting[Ribbon]):
    """The latest claims."""

    def paint(self, data: Ribbon, width: int, height: int) -> Sequence[Line]:
        return ribbon(data, width, height)


class Facts(Painting[tuple[tuple[str, str, Ink, str], ...]]):
    """Figures with their names: (name, figure, ink, what it tells)."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = title

    def paint(self, data: tuple[tuple[str, str, Ink, str], ...], width: int, height: int) -> Sequence[Line]:
        names = max((len(name) for name, _, _, _ in data), default=0)
        figures = max((len(figure) for _, figure, _, _ in data), default=0)
        lines: list[Line] = [rule(self._title, width)]
        for name, figure, ink, tells in data[: height - 1]:
            lines.append(
                [(f" {fit(name, names)}  ", "muted"), (fit(figure, figures, "right"), ink), (f"  {tells}", "muted")]
            )
        return lines


class Title(Painting[tuple[str, str]]):
    """A line with a name, and something at the right."""

    DEFAULT_CSS = """
    Title { height: 1; }
    """

    def paint(self, data: tuple[str, str], width: int, height: int) -> Sequence[Line]:
        return [rule(data[0], width, data[1])]
