"""A large curve over time, with its scale."""

from __future__ import annotations

from dataclasses import dataclass

from currant_tui.drawing.charts import braille
from currant_tui.drawing.lines import Ink, Line, fit
from currant_tui.widgets.painting import Painting

__all__ = ["Chart", "Curve"]

_SCALE = 9


@dataclass(frozen=True, slots=True)
class Curve:
    """What a chart shows: a title, the values from the oldest to now, and how the largest and the last are written."""

    title: str
    values: tuple[float | None, ...]
    top: float
    top_text: str
    now_text: str
    span_text: str
    ink: Ink = "one"


class Chart(Painting[Curve]):
    """One curve."""

    DEFAULT_CSS = """
    Chart { height: 1fr; width: 1fr; }
    """

    def paint(self, data: Curve, width: int, height: int) -> list[Line]:
        title: Line = [
            (f" {data.title} ", "strong"),
            (f"now {data.now_text}", data.ink),
            (f"  {data.span_text}", "muted"),
        ]
        rows = max(1, height - 1)
        cells = max(1, width - _SCALE - 1)
        lines: list[Line] = [title]
        for place, text in enumerate(braille(data.values, cells, rows, data.top)):
            label = data.top_text if place == 0 else "0" if place == rows - 1 else ""
            lines.append([(fit(label, _SCALE, "right"), "muted"), (" ", ""), (text, data.ink)])
        return lines
