"""A distribution over time: darker cells hold more. The density of the glyph says what the colour says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from currant_tui.drawing import formats
from currant_tui.drawing.chart import rule
from currant_tui.drawing.lines import Ink, Line

__all__ = ["HeatMap", "heat"]

_LEVELS: tuple[tuple[str, Ink], ...] = (
    (" ", ""),
    ("░", "heat1"),
    ("▒", "heat2"),
    ("▒", "heat3"),
    ("▓", "heat4"),
    ("▓", "heat5"),
    ("█", "heat6"),
)
_SCALE = 8


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What `currant_lab.watch` gives as `Heat`: `rows` are lower bounds in microseconds, each up to twice as much."""

    title: str
    rows: tuple[int, ...]
    cells: tuple[tuple[int, ...], ...]
    span_s: int
    hint: str = ""


def heat(data: HeatMap, width: int, height: int) -> list[Line]:
    """The map with its scale at the left and the time below; long latencies are at the top."""
    lines = [rule(data.title, width, data.hint)]
    used = [place for place, row in enumerate(data.cells) if any(row)]
    if not used:
        return [*lines, [("  nothing has ended in this time", "muted")]]
    tall, cells = height - 2, width - _SCALE - 1
    first, last = used[0], used[-1]
    tall, cells = max(1, tall), max(1, cells)
    count = last - first + 1
    lines_used = min(tall, count)  # where it is low, a line stands for several doublings
    grid = []
    for line_number in range(lines_used - 1, -1, -1):
        low, high = first + count * line_number // lines_used, first + count * (line_number + 1) // lines_used
        summed = [sum(some) for some in zip(*data.cells[low:high], strict=True)]
        grid.append((data.rows[low], _merged(summed, cells)))
    most = max(max(row) for _, row in grid)
    for bound, row in grid:
        label = formats.micros(bound)
        line: Line = [(label.rjust(_SCALE - 1) + "┤", "muted")]
        for count in row:
            char, ink = _LEVELS[_level(count, most)]
            if len(line) > 1 and line[-1][1] == ink:
                line[-1] = (line[-1][0] + char, ink)
            else:
                line.append((char, ink))
        lines.append(line)
    past = f"-{data.span_s // 60}m"
    lines.append([(" " * (_SCALE - 1) + "└" + past + "─" * max(0, cells - len(past) - 3) + "now", "muted")])
    return lines[:height]


def _merged(row: Sequence[int], cells: int) -> list[int]:
    count = len(row)
    if count <= cells:
        return [row[column * count // cells] for column in range(cells)]
    return [sum(row[column * count // cells : (column + 1) * count // cells]) for column in range(cells)]


def _level(count: int, most: int) -> int:
    """0 for none, then by the logarithm: a slow one among thousands must be seen."""
    if count <= 0:
        return 0
    return min(6, 1 + round(5 * (count.bit_length() - 1) / max(1, most.bit_length() - 1)))
