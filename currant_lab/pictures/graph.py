"""A graph of steps or executions, as SVG that stands in a page by itself: no script, and the page's own ink.

Text is drawn in `currentColor`, so it fits light and dark; a status has a sign, a word, and a colour that can be seen
on both. Nothing refers to anything by an id: a page may hold many graphs, some of them hidden.
"""

from __future__ import annotations

import html
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from currant_lab.pictures.base import COLORS, INK
from currant_lab.pictures.graph_folding import fold, layers_of
from currant_lab.pictures.graph_layout import Box, Layout, lay_out
from currant_lab.pictures.graph_nodes import SIGNS, Node, label, one_line, said, tally
from currant_lab.pictures.graph_text import graph_text

__all__ = ["Graph", "graph"]

_HEIGHT, _GAP = 44.0, 26.0
_LEAST, _MOST = 96.0, 280.0
_LEFT, _RIGHT = 30.0, 12.0
"""Room in a node beside its text: the sign stands at the left."""

_EDGE = 8.0
_CHARACTER, _SMALL = 7.6, 6.1
"""How wide a character of the name, and of the line below it, is at most on the average."""

_FONT = "var(--jp-ui-font-family, system-ui, -apple-system, 'Segoe UI', sans-serif)"
_STILL_COLORS = (
    "<style>svg{color:#222;background:#fff}"
    "@media(prefers-color-scheme:dark){svg{color:#ddd;background:#181818}}</style>"
)
_TIP_PARTS = 12
_BAR_ORDER = ("succeeded", "cancelled", "failed", "running")
_LEAST_BAR = 4.0
"""What has failed is seen, however few they are."""


class Graph(NamedTuple):
    """A drawn graph, which a notebook shows and keeps as inline SVG.

    Attributes:
        title: what it is of.
        words: how it stands, in a sentence.
        nodes: what is drawn, parents first; groups have `parts`.
        now: the moment it is of, in seconds since 1970.
        notes: what is to be said about it.
    """

    title: str
    words: str
    nodes: tuple[Node, ...]
    now: float
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        lines = [f"{self.title}: {self.words}", graph_text(self.nodes, self.now), *self.notes]
        return "\n".join(line for line in lines if line)

    @property
    def svg(self) -> str:
        """The graph alone; empty without nodes."""
        return _svg(self) if self.nodes else ""

    def save(self, path: str | Path) -> None:
        """Write it to an SVG file, which is light or dark as whoever looks at it likes."""
        text = self.svg or '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"></svg>'
        at = text.index(">") + 1
        Path(path).write_text(text[:at] + _STILL_COLORS + text[at:], encoding="utf-8")

    def _repr_html_(self) -> str:
        notes = "".join(f'<div style="opacity: 0.7">{html.escape(note)}</div>' for note in self.notes)
        return (
            f"<div><div><b>{html.escape(self.title)}</b> "
            f'<span style="opacity: 0.7">{html.escape(self.words)}</span></div>{self.svg}{notes}</div>'
        )


def graph(title: str, nodes: Sequence[Node], now: float, notes: Sequence[str] = ()) -> Graph:
    """Draw a graph of any number of nodes; many are folded into groups.

    Args:
        title: what it is of.
        nodes: parents first.
        now: seconds since 1970 by the clock of the nodes' times.
        notes: sentences that go below it.
    """
    steps = "steps" if len(nodes) != 1 else "step"
    if any(node.kind in ("execution", "batch") for node in nodes):
        steps = steps.replace("step", "execution")
        count = sum(sum(number for _, number in node.counts) or 1 for node in nodes)
        counts = Counter[str]()
        for node in nodes:
            counts.update(dict(node.counts) or {node.status: 1})
        words = f"{count:,} {'execution' if count == 1 else 'executions'}, {tally(counts)}"
    elif nodes:
        words = f"{len(nodes):,} {steps}, {tally(Counter(node.status for node in nodes))}"
    else:
        words = "no steps yet"
    return Graph(one_line(title), words, tuple(fold(nodes)), now, tuple(map(one_line, notes)))


def _svg(shown: Graph) -> str:
    lines = {node.key: (label(node), said(node, shown.now)) for node in shown.nodes}
    widths = {key: _width(*texts) for key, texts in lines.items()}
    edges = [(parent, node.key) for node in shown.nodes for parent in sorted(node.parents)]
    laid = lay_out(widths, layers_of(shown.nodes), edges, height=_HEIGHT, gap=_GAP)
    wide, high = laid.width + 2 * _EDGE, laid.height + 2 * _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-_EDGE:g} {-_EDGE:g} {wide:.0f} {high:.0f}" '
        f'width="{wide:.0f}" height="{high:.0f}" role="img" aria-label="{_quoted(f"{shown.title}: {shown.words}")}" '
        f'style="max-width: 100%; height: auto; display: block; font-family: {_FONT}">'
    ]
    parts += _edges(shown.nodes, laid)
    parts += [_box(node, laid.boxes[node.key], *lines[node.key]) for node in shown.nodes]
    return "".join(parts) + "</svg>"


def _edges(nodes: Sequence[Node], laid: Layout) -> list[str]:
    drawn = []
    status = {node.key: node.status for node in nodes}
    for (_, child), points in laid.routes.items():
        way = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for at, ((x, y), (to_x, to_y)) in enumerate(pairwise(points)):
            end = to_y - (5 if at == len(points) - 2 else 0)
            if abs(x - to_x) < 0.5:
                way += f"L{to_x:.1f} {end:.1f}"
            else:
                bend = (y + end) / 2
                way += f"C{x:.1f} {bend:.1f} {to_x:.1f} {bend:.1f} {to_x:.1f} {end:.1f}"
        x, y = points[-1]
        dash = ' stroke-dasharray="4 3"' if status[child] in ("waiting", "scheduled", "pending") else ""
        drawn.append(
            f'<path d="{way}" fill="none" stroke="{INK}" stroke-width="1.3"{dash}/>'
            f'<path d="M{x:.1f} {y:.1f}l-3.5 -6h7z" fill="{INK}"/>'
        )
    return drawn


def _box(node: Node, box: Box, name: str, words: str) -> str:
    color = COLORS.get(node.status, INK)
    waits = ' stroke-dasharray="4 3"' if node.status in ("waiting", "scheduled", "pending") else ""
    line = 2.4 if node.is_asked else 1.2
    x, y, width, height = box
    shadows = "".join(
        f'<path d="M{x + width + by:.1f} {y + by + 5:.1f}v{height - 11:g}q0 6 -6 6h{11 - width:.1f}" fill="none" '
        f'stroke="{color}" stroke-opacity="0.6"/>'
        for by in ((2.5, 5) if node.parts or node.counts else ())
    )
    return (
        f"<g><title>{_quoted(_tip(node, name, words))}</title>{shadows}"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" rx="6" fill="{color}" '
        f'fill-opacity="0.13" stroke="{color}" stroke-width="{line}"{waits}/>'
        f'<text x="{x + 15:.1f}" y="{y + 26:.1f}" font-size="16" font-weight="bold" text-anchor="middle" '
        f'fill="{color}">{SIGNS.get(node.status, "?")}</text>'
        f'<text x="{x + _LEFT:.1f}" y="{y + 18:.1f}" font-size="12.5" font-weight="600" fill="currentColor">'
        f"{_quoted(_cut(name, _CHARACTER))}</text>"
        f'<text x="{x + _LEFT:.1f}" y="{y + 33:.1f}" font-size="11" fill="currentColor" fill-opacity="0.75">'
        f"{_quoted(_cut(words, _SMALL))}</text>{_bar(node, box)}</g>"
    )


def _bar(node: Node, box: Box) -> str:
    """How much of it is done, at its lower edge."""
    shares: list[tuple[str, float]] = []
    if node.parts or node.counts:
        counts = Counter(part.status for part in node.parts) if node.parts else Counter(dict(node.counts))
        shares = [(status, counts[status] / counts.total()) for status in _BAR_ORDER if counts[status]]
        if shares == [("succeeded", 1.0)]:
            return ""
    elif node.progress is not None and node.status == "running":
        shares = [("running", min(max(node.progress, 0.0), 1.0))]
    if not shares:
        return ""
    x, y, full = box.x + 6, box.y + box.height - 6, box.width - 12
    widths = [max(full * share, _LEAST_BAR) for _, share in shares]
    widths[widths.index(max(widths))] -= max(sum(widths) - full, 0.0)
    drawn = [_strip(x, y, full, INK, 0.3)]
    for (status, _), width in zip(shares, widths, strict=True):
        drawn.append(_strip(x, y, width, COLORS[status], 1))
        x += width
    return "".join(drawn)


def _strip(x: float, y: float, width: float, color: str, opacity: float) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="3" fill="{color}" fill-opacity="{opacity:g}"/>'


def _tip(node: Node, name: str, words: str) -> str:
    """What is told where the pointer rests."""
    lines = [name, words, one_line(node.note) if node.note else ""]
    bad = [part for part in node.parts if part.status == "failed"]
    lines += [one_line(f"{SIGNS['failed']} {part.name} ({part.key}): {part.note}") for part in bad[:_TIP_PARTS]]
    if len(bad) > _TIP_PARTS:
        lines.append(f"and {len(bad) - _TIP_PARTS:,} more that failed")
    return "\n".join(line for line in lines if line)


def _width(name: str, words: str) -> float:
    wanted = max(_cells(name) * _CHARACTER, _cells(words) * _SMALL) + _LEFT + _RIGHT
    return min(max(wanted, _LEAST), _MOST)


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _cut(text: str, width: float) -> str:
    room = (_MOST - _LEFT - _RIGHT) / width
    if _cells(text) <= room + 0.01:
        return text
    out, used = "", 0
    for letter in text:
        used += _cells(letter)
        if used > room - 1:
            break
        out += letter
    return f"{out}…"


def _quoted(text: str) -> str:
    """As XML takes it."""
    return html.escape("".join(letter for letter in text if letter >= " " or letter == "\n"))
