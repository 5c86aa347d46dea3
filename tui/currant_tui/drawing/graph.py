"""A graph of steps in a terminal: boxes in layers, from top to bottom, with lines between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rich.cells import get_character_cell_size

from currant_lab.pictures.graph_folding import layers_of
from currant_lab.pictures.graph_layout import lay_out
from currant_lab.pictures.graph_nodes import SIGNS, Node, label, said
from currant_tui.drawing.channel import Net, Place, channel
from currant_tui.drawing.executions import SIGNS as INKS_OF
from currant_tui.drawing.lines import Ink, Line, length, pressed

__all__ = ["Box", "Drawing", "draw", "neighbour"]

_CELL = 9.0
"""The layout's measures are those of a picture: a cell is so wide in it, and boxes stand two cells apart."""

_LEAST, _MOST = 8, 40
"""Cells for the text of a box."""

_LIGHT, _HEAVY, _DASHED = "╭─╮│╰╯┬", "┏━┓┃┗┛┯", "╭╌╮┆╰╯┬"
_TURNS = {
    frozenset("ud"): "│", frozenset("lr"): "─", frozenset("ur"): "╰", frozenset("ul"): "╯", frozenset("dr"): "╭",
    frozenset("dl"): "╮", frozenset("udr"): "├", frozenset("udl"): "┤", frozenset("ulr"): "┴",
    frozenset("dlr"): "┬", frozenset("udlr"): "┼",
}  # fmt: skip
_DASHES = {"│": "┆", "─": "┄"}
_TO_COME = ("waiting", "scheduled", "pending")

Key = tuple[int, int, int]
"""A node `(key, -1, layer)`, or the place where an edge passes a layer `(parent, child, layer)`."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node stands, in cells; `height` with its borders, `layer` from the top."""

    node: Node
    x: int
    y: int
    width: int
    height: int
    layer: int


@dataclass(slots=True)
class Drawing:
    """A graph with places. Lines are made once; only the box under the cursor looks otherwise.

    Attributes:
        boxes: by the keys of their nodes.
        width, height: cells of all of it.
    """

    boxes: dict[int, Box]
    width: int
    height: int
    now: float
    _cells: list[list[tuple[str, Ink]]] = field(default_factory=list, repr=False)

    def line(self, y: int, cursor: int | None) -> Line:
        """One line of the picture; the box of the node `cursor` has a heavy frame."""
        cells = self._cells[y]
        box = None if cursor is None else self.boxes.get(cursor)
        if box is not None and box.y <= y < box.y + box.height:
            cells = list(cells)
            _frame(cells, box, y - box.y, _HEAVY, "accent")
        line: Line = []
        for letter, ink in cells:
            if line and line[-1][1] == ink:
                line[-1] = (line[-1][0] + letter, ink)
            else:
                line.append((letter, ink))
        return line

    def at(self, x: int, y: int) -> Box | None:
        """The box that this cell is of."""
        return next(
            (box for box in self.boxes.values() if box.x <= x < box.x + box.width and box.y <= y < box.y + box.height),
            None,
        )

    def of_step(self, number: int) -> Box | None:
        """The box that shows a step, or the group it is in."""
        return next(
            (box for key, box in self.boxes.items() if key == number or any(p.key == number for p in box.node.parts)),
            None,
        )


def draw(nodes: Sequence[Node], now: float, *, low: bool) -> Drawing:
    """Draw a graph.

    Args:
        nodes: parents first, few: see `graph_folding.fold`.
        now: seconds since 1970 by the clock of their times.
        low: boxes have one line of text each, not two.
    """
    if not nodes:
        return Drawing({}, 0, 0, now)
    rows = 3 if low else 4
    texts = {node.key: _texts(node, now, low=low) for node in nodes}
    widths = {node.key: _width(texts[node.key]) + 4 + bool(_is_pile(node)) for node in nodes}
    layers = layers_of(nodes)
    edges = [(parent, node.key) for node in nodes for parent in sorted(node.parents)]
    laid = lay_out({key: wide * _CELL for key, wide in widths.items()}, layers, edges, height=1, gap=1)
    first = min(layers.values())
    places: list[dict[Key, Place]] = [{} for _ in range(max(layers.values()) - first + 1)]
    for key, box in laid.boxes.items():
        layer = layers[key] - first
        places[layer][key, -1, layer] = Place(round(box.x / _CELL), widths[key])
    links: list[list[tuple[Key, Key]]] = [[] for _ in places]
    for (parent, child), points in laid.routes.items():
        top = layers[parent] - first
        way: list[Key] = [(parent, -1, top)]
        for layer, (x, _) in enumerate(points[1:-1:2], top + 1):
            places[layer][parent, child, layer] = Place(round(x / _CELL), 1)
            way.append((parent, child, layer))
        way.append((child, -1, layers[child] - first))
        for upper, lower in pairwise(way):
            links[upper[2]].append((upper, lower))
    return _drawn(nodes, texts, places, links, rows, now)


def _drawn(
    nodes: Sequence[Node], texts: dict[int, list[Line]], places: list[dict[Key, Place]],
    links: list[list[tuple[Key, Key]]], rows: int, now: float,
) -> Drawing:  # fmt: skip
    by_key = {node.key: node for node in nodes}
    width = max(place.x + place.width for layer in places for place in layer.values())
    cells: list[list[tuple[str, Ink]]] = []
    boxes: dict[int, Box] = {}
    entered: dict[int, list[int]] = defaultdict(list)
    for layer, here in enumerate(places):
        y = len(cells)
        cells += [[(" ", "")] * width for _ in range(rows)]
        for key, place in here.items():
            if key[1] < 0:
                boxes[key[0]] = Box(by_key[key[0]], place.x, y, place.width, rows, layer)
                continue
            for row in range(y, y + rows):
                is_waited_for = by_key[key[1]].status in _TO_COME
                cells[row][place.x] = ("┆" if is_waited_for else "│", "muted")
        if layer + 1 < len(places):
            nets, high = channel(links[layer], here, places[layer + 1])
            cells += _lines(nets, high, width, by_key)
            for net in nets:
                for upper in net.uppers:
                    _leave(entered, upper, net, here)
                for lower, cell in zip(net.lowers, net.bottoms, strict=True):
                    if lower[1] < 0:
                        entered[-1 - lower[0]].append(cell)
    for box in boxes.values():
        _paint_box(cells, box, texts[box.node.key], entered)
    return Drawing(boxes, width, len(cells), now, cells)


def _leave(entered: dict[int, list[int]], upper: Key, net: Net[Key], here: dict[Key, Place]) -> None:
    if upper[1] < 0:
        place = here[upper]
        entered[upper[0]] += [cell for cell in net.tops if place.x <= cell < place.x + place.width]


def _lines(nets: Sequence[Net[Key]], high: int, width: int, by_key: dict[int, Node]) -> list[list[tuple[str, Ink]]]:
    """The rows between two layers."""
    found: list[dict[int, tuple[int, set[str]]]] = [{} for _ in range(high)]
    dashed = set()

    def go(row: int, cell: int, number: int, *ways: str) -> None:
        owner, known = found[row].get(cell, (number, set()))
        if owner == number:
            found[row][cell] = (number, known | set(ways))
        elif "u" in ways or "d" in ways:  # where two cross, the one that goes down is over the other
            found[row][cell] = (number, set(ways))

    for number, net in enumerate(nets):
        ends = [by_key[lower[0] if lower[1] < 0 else lower[1]] for lower in net.lowers]
        if all(node.status in _TO_COME for node in ends):
            dashed.add(number)
        track = net.track if net.track >= 0 else high
        left, right = net.ends
        for cell in range(left, right + 1) if net.track >= 0 else ():
            go(track, cell, number, *("r" if cell < right else ""), *("l" if cell > left else ""))
        for cell in net.tops:
            for row in range(min(track, high - 1) + 1):
                go(row, cell, number, "u", *("d" if row < track else ""))
        for cell in net.bottoms:
            for row in range(track, high) if net.track >= 0 else ():
                go(row, cell, number, "d", *("u" if row > track else ""))
    out: list[list[tuple[str, Ink]]] = []
    for turns in found:
        line: list[tuple[str, Ink]] = [(" ", "")] * width
        for cell, (number, ways) in turns.items():
            letter = _TURNS.get(frozenset(ways), "│" if ways & {"u", "d"} else "─")
            line[cell] = (_DASHES.get(letter, letter) if number in dashed else letter, "muted")
        out.append(line)
    return out


def _paint_box(cells: list[list[tuple[str, Ink]]], box: Box, texts: Sequence[Line], pins: dict[int, list[int]]) -> None:
    node = box.node
    ink = INKS_OF.get(node.status, ("?", "muted"))[1]
    frame = _DASHED if node.status in _TO_COME else _LIGHT
    for row in range(box.height):
        _frame(cells[box.y + row], box, row, frame, ink)
    room = box.width - 4 - _is_pile(node)
    for row, text in enumerate(texts):
        letters = [cell for part, own in pressed(text, room) for cell in _letters(part, own)]
        cells[box.y + 1 + row][box.x + 2 : box.x + 2 + room] = letters
    for cell in pins[node.key]:
        cells[box.y + box.height - 1][cell] = (frame[6], ink)
    for cell in pins[-1 - node.key]:
        cells[box.y][cell] = ("▼", "muted")


def _frame(cells: list[tuple[str, Ink]], box: Box, row: int, frame: str, ink: Ink) -> None:
    """The frame's part of one row: what leaves and enters stays."""
    pile = _is_pile(box.node)
    last = box.x + box.width - 1 - pile
    ends = {0: (frame[0], frame[2]), box.height - 1: (frame[4], frame[5])}.get(row, (frame[3], frame[3]))
    cells[box.x] = (ends[0], ink)
    cells[last] = (ends[1], ink)
    if pile:
        cells[last + 1] = ({"┏": "╮", "┗": "╯", "┃": "│", "╰": "╯", "╭": "╮"}.get(ends[0], ends[0]), ink)
    if row not in (0, box.height - 1):
        return
    for cell in range(box.x + 1, last):
        letter = cells[cell][0]
        if letter in "┬┯" and row:
            cells[cell] = (frame[6], ink)
        elif letter != "▼":
            cells[cell] = (frame[1], ink)


def _texts(node: Node, now: float, *, low: bool) -> list[Line]:
    sign, ink = SIGNS.get(node.status, "?"), INKS_OF.get(node.status, ("?", "muted"))[1]
    name: Line = [(f"{sign} ", ink), (label(node), "strong")]
    words: Line = [(f"  {said(node, now).removeprefix('succeeded · ')}", "muted")]
    return [[*name, *words]] if low else [name, words]


def _width(texts: Sequence[Line]) -> int:
    return min(max(_LEAST, *map(length, texts)), _MOST)


def _is_pile(node: Node) -> bool:
    """It stands for several: it looks like a pile."""
    return bool(node.parts or node.counts)


def _letters(text: str, ink: Ink) -> list[tuple[str, Ink]]:
    """A text as cells: what is two cells wide has nothing in the second, what has no width joins the one before."""
    cells: list[tuple[str, Ink]] = []
    for letter in text:
        size = get_character_cell_size(letter)
        if size == 0 and cells:
            cells[-1] = (cells[-1][0] + letter, ink)
        elif size:
            cells.append((letter, ink))
            cells += [("", ink)] * (size - 1)
    return cells


def neighbour(drawing: Drawing, key: int, towards: str) -> int:
    """The node that an arrow leads to: along a line up and down where there is one, else to what is nearest."""
    box = drawing.boxes[key]
    middle = box.x + box.width / 2

    def nearest(boxes: Sequence[Box]) -> int:
        return min(boxes, key=lambda one: (abs(one.layer - box.layer), abs(one.x + one.width / 2 - middle))).node.key

    every = list(drawing.boxes.values())
    if towards in ("left", "right"):
        there = [
            one
            for one in every
            if one.layer == box.layer and ((one.x < box.x) if towards == "left" else (one.x > box.x))
        ]
    elif towards == "up":
        there = [one for one in every if one.node.key in box.node.parents] or [
            one for one in every if one.layer < box.layer
        ]
    else:
        there = [one for one in every if key in one.node.parents] or [one for one in every if one.layer > box.layer]
    return nearest(there) if there else key
