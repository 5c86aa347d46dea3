"""Where the nodes of a graph stand: in layers, from top to bottom, with as few crossings as some sweeps find.

The known way in four steps: layers by the longest path; a small point in each layer that an edge passes; the order in a
layer by the mean place of its neighbours; and the places nearest to these means that keep the distance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Box", "Layout", "lay_out"]

_SWEEPS = 8
_ROUNDS = 12
_GAP_X = 18.0
_PASSING = 10.0
"""The room that an edge needs which passes a layer."""


class Box(NamedTuple):
    """Where a node stands: its upper left corner, and its size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Across."""
        return self.x + self.width / 2


class Layout(NamedTuple):
    """A graph with places.

    Attributes:
        boxes: by key.
        routes: (parent, child) to the points that the edge goes through, from top to bottom.
    """

    boxes: dict[int, Box]
    routes: dict[tuple[int, int], list[tuple[float, float]]]
    width: float
    height: float


class _Point(NamedTuple):
    """A place in a layer: of a node, or where an edge passes (`child` is the end of that edge)."""

    key: int
    child: int | None = None
    layer: int = 0


def lay_out(
    widths: Mapping[int, float],
    layers: Mapping[int, int],
    edges: Sequence[tuple[int, int]],
    *,
    height: float,
    gap: float,
) -> Layout:
    """Give places to nodes.

    Args:
        widths: by key, in the order that is kept where nothing speaks against it.
        layers: by key; an edge goes from a layer to a lower one (a greater number).
        edges: (parent, child).
        height: of every node.
        gap: between layers.
    """
    if not widths:
        return Layout({}, {}, 0.0, 0.0)
    rows: dict[int, list[_Point]] = defaultdict(list)
    nodes = {key: _Point(key, None, layers[key]) for key in widths}
    for point in nodes.values():
        rows[point.layer].append(point)
    paths: dict[tuple[int, int], list[_Point]] = {}
    for parent, child in edges:
        passed = [_Point(parent, child, layer) for layer in range(layers[parent] + 1, layers[child])]
        for point in passed:
            rows[point.layer].append(point)
        paths[parent, child] = [nodes[parent], *passed, nodes[child]]
    above: dict[_Point, list[_Point]] = defaultdict(list)
    below: dict[_Point, list[_Point]] = defaultdict(list)
    for path in paths.values():
        for upper, lower in pairwise(path):
            above[lower].append(upper)
            below[upper].append(lower)
    order = _ordered([rows[layer] for layer in sorted(rows)], above, below)
    wide = {point: widths[point.key] if point.child is None else _PASSING for row in order for point in row}
    middle = _placed(order, wide, above, below)
    left = min(middle[point] - wide[point] / 2 for point in wide)
    top = min(layers.values())
    boxes = {
        key: Box(middle[point] - wide[point] / 2 - left, (point.layer - top) * (height + gap), wide[point], height)
        for key, point in nodes.items()
    }
    routes = {edge: _route(path, middle, left, top, height, gap) for edge, path in paths.items()}
    right = max(middle[point] + wide[point] / 2 for point in wide)
    return Layout(boxes, routes, right - left, (len(order) - 1) * (height + gap) + height)


Links = Mapping[_Point, Sequence[_Point]]


def _ordered(rows: list[list[_Point]], above: Links, below: Links) -> list[list[_Point]]:
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        rows = [list(row) for row in rows]
        down = sweep % 2 == 0
        indices = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for index in indices:
            beside = {point: at for at, point in enumerate(rows[index - 1 if down else index + 1])}
            links = above if down else below
            here = {point: at for at, point in enumerate(rows[index])}
            mean = {
                point: sum(beside[one] for one in links[point]) / len(links[point])
                if links[point]
                else float(here[point])
                for point in rows[index]
            }
            rows[index].sort(key=lambda point: mean[point])
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _crossings(rows: Sequence[Sequence[_Point]], below: Links) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place = {point: at for at, point in enumerate(lower)}
        ends: list[int] = []
        for point in upper:
            own = sorted(place[child] for child in below[point])
            count += sum(sum(1 for end in ends if end > at) for at in own)
            ends += own
    return count


def _placed(
    rows: Sequence[Sequence[_Point]], wide: Mapping[_Point, float], above: Links, below: Links
) -> dict[_Point, float]:
    middle: dict[_Point, float] = {}
    for row in rows:
        total = sum(wide[point] + _GAP_X for point in row)
        at = -total / 2
        for point in row:
            middle[point] = at + (wide[point] + _GAP_X) / 2
            at += wide[point] + _GAP_X
    for turn in range(_ROUNDS):
        for row in rows if turn % 2 == 0 else reversed(rows):
            wanted = []
            for point in row:
                near = (above[point] if turn % 2 == 0 else below[point]) if turn < _ROUNDS - 2 else ()
                near = near or [*above[point], *below[point]]
                wanted.append(sum(middle[one] for one in near) / len(near) if near else middle[point])
            middle.update(zip(row, _apart(row, wanted, wide), strict=True))
    return middle


def _apart(row: Sequence[_Point], wanted: Sequence[float], wide: Mapping[_Point, float]) -> list[float]:
    """The places nearest to those wanted (least squares) that keep order and distance."""
    offset, offsets = 0.0, [0.0]
    for one, after in pairwise(row):
        offset += (wide[one] + wide[after]) / 2 + _GAP_X
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []  # mean, how many: neighbours that would overlap move as one
    for at, off in zip(wanted, offsets, strict=True):
        mean, count = at - off, 1
        while blocks and blocks[-1][0] > mean:
            other, size = blocks.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        blocks.append((mean, count))
    flat = [mean for mean, count in blocks for _ in range(count)]
    return [mean + off for mean, off in zip(flat, offsets, strict=True)]


def _route(
    path: Sequence[_Point], middle: Mapping[_Point, float], left: float, top: int, height: float, gap: float
) -> list[tuple[float, float]]:
    step = height + gap
    points = [(middle[path[0]] - left, (path[0].layer - top) * step + height)]
    for point in path[1:-1]:
        y = (point.layer - top) * step
        points += [(middle[point] - left, y), (middle[point] - left, y + height)]
    points.append((middle[path[-1]] - left, (path[-1].layer - top) * step))
    return points
