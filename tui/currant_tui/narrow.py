"""What is shown in a terminal that is too small for anything else."""

from __future__ import annotations

from dataclasses import dataclass

from currant_tui.drawing import formats
from currant_tui.drawing.lines import Line, centred
from currant_tui.widgets.painting import Painting

__all__ = ["LEAST", "Essential", "Narrow"]

LEAST = (60, 15)
"""Columns and lines below which only the essential is shown; 80 x 24 is what everything is laid out for."""


@dataclass(frozen=True, slots=True)
class Essential:
    """The totals, and the worst trouble."""

    mode: str = ""
    waiting: int = 0
    running: int = 0
    out_per_s: float = 0.0
    trouble: str = ""


class Narrow(Painting[Essential]):
    """The essential in a few words."""

    DEFAULT_CSS = """
    Narrow { display: none; }
    """

    def paint(self, data: Essential, width: int, height: int) -> list[Line]:
        texts = [
            f"currant {data.mode}",
            f"{formats.count(data.waiting)} wait · {formats.count(data.running)} run",
            f"{formats.rate(data.out_per_s)} done/s",
            data.trouble,
            f"this window has {width} x {height}:",
            "80 x 24 show all",
        ]
        lines = [centred(text, width, "bad" if place == 3 else "") for place, text in enumerate(texts) if text]
        above = max(0, (height - len(lines)) // 2)
        return [[]] * above + lines[:height]
