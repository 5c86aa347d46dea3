"""A graph that stays readable: many nodes of one kind become one. No fold makes a cycle.

What is tried, in this order, until few enough are left: those of one name with the same parents; those of one name in
a row; rounds of a loop; all of one name, with what lies between them; and at last, whatever is next to each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from currant_lab.pictures.graph_nodes import Node, standing

__all__ = ["MOST", "fold", "group", "in_order", "layers_of", "reduced"]

MOST = 36
"""Nodes that a graph has at most."""

_GENTLE = 24
"""Up to here only what is plainly parallel is folded."""

_PARALLEL = 6
"""Of one name and with the same parents: so many are always folded."""

_LONGEST_ROUND = 8
_FEWEST_NAMES = 3


def fold(nodes: Sequence[Node]) -> list[Node]:
    """At most `MOST` nodes for all of these, parents before children, with no edge that another path says already."""
    found = _settled(list(nodes), lambda now: _siblings(now, _PARALLEL))
    if len(found) > _GENTLE:
        found = _settled(found, lambda now: _siblings(now, 2) or _rows(now))
        found = _settled(found, _rounds) if len(found) > _GENTLE else found
    if len(found) > MOST:
        by_name = _merged(found, _knots(found))
        found = by_name if len(by_name) >= _FEWEST_NAMES else found
    if len(found) > MOST:
        found = _merged(found, _bands(found))
    return reduced(found)


def _settled(nodes: list[Node], groups_of: Callable[[list[Node]], list[list[Node]]]) -> list[Node]:
    while groups := groups_of(nodes):
        nodes = _merged(nodes, groups)
    return nodes


def _merged(nodes: list[Node], groups: Iterable[Sequence[Node]]) -> list[Node]:
    """The graph with each group as one node; nodes are in an order in which parents come first."""
    home: dict[int, int] = {}
    made: dict[int, Node] = {}
    for own in groups:
        if len(own) > 1:
            one = group(own)
            made[one.key] = one
            home |= {node.key: one.key for node in own}
    known: dict[frozenset[int], frozenset[int]] = {}  # thousands may have the same thousands of parents

    def moved(parents: frozenset[int]) -> frozenset[int]:
        if parents not in known:
            known[parents] = frozenset(home.get(parent, parent) for parent in parents)
        return known[parents]

    above: dict[int, set[int]] = {key: set() for key in made}
    seen: dict[int, set[frozenset[int]]] = defaultdict(set)
    for node in nodes:
        key = home.get(node.key)
        if key is not None and node.parents not in seen[key]:
            seen[key].add(node.parents)
            above[key] |= moved(node.parents)
    out = [node._replace(parents=moved(node.parents)) for node in nodes if node.key not in home]
    out += [one._replace(parents=frozenset(above[key] - {key})) for key, one in made.items()]
    return in_order(out)


def group(nodes: Sequence[Node]) -> Node:
    """One node for all of these, without parents."""
    parts = tuple(sorted((part for node in nodes for part in node.parts or (node,)), key=lambda part: part.key))
    begun = [part.began_at for part in parts if part.began_at is not None]
    ended = [part.ended_at for part in parts if part.ended_at is not None]
    return Node(
        min(node.key for node in nodes), parts[0].kind, parts[0].name, standing(part.status for part in parts),
        began_at=min(begun, default=None), ended_at=max(ended) if len(ended) == len(parts) else None, parts=parts,
        is_asked=any(part.is_asked for part in parts),
    )  # fmt: skip


def in_order(nodes: list[Node]) -> list[Node]:
    """Parents first, otherwise by their keys.

    Raises:
        ValueError: there is a cycle.
    """
    nodes = sorted(nodes, key=lambda node: node.key)
    depth = _depths(nodes)
    return sorted(nodes, key=lambda node: (depth[node.key], node.key))


def _depths(nodes: Sequence[Node]) -> dict[int, int]:
    """The longest way to each from a node without parents."""
    left = {node.key: len(node.parents) for node in nodes}
    below = _children(nodes)
    depth = {key: 0 for key, count in left.items() if not count}
    ready = list(depth)
    for key in ready:  # grows
        for child in below[key]:
            left[child] -= 1
            depth[child] = max(depth.get(child, 0), depth[key] + 1)
            if not left[child]:
                ready.append(child)
    if len(ready) < len(nodes):
        raise ValueError("a graph of steps has no cycles")
    return depth


def layers_of(nodes: Sequence[Node]) -> dict[int, int]:
    """The layer of each: the longest way to it; what has no parents stands right above its first child."""
    depth = _depths(nodes)
    below = _children(nodes)
    for node in nodes:
        if not node.parents and below[node.key]:
            depth[node.key] = min(depth[child] for child in below[node.key]) - 1
    return depth


def _children(nodes: Sequence[Node]) -> dict[int, list[int]]:
    below: dict[int, list[int]] = {node.key: [] for node in nodes}
    for node in nodes:
        for parent in node.parents:
            below[parent].append(node.key)
    return below


def _kind(node: Node) -> tuple[Any, ...]:
    names = {(part.kind, part.name) for part in node.parts or (node,)}
    return tuple(sorted(names))


def _siblings(nodes: list[Node], least: int) -> list[list[Node]]:
    """Of one name, with the same parents. Neither can be above the other."""
    found: dict[tuple[Any, ...], list[Node]] = defaultdict(list)
    for node in nodes:
        found[_kind(node), node.parents].append(node)
    return [own for own in found.values() if len(own) > 1 and sum(node.size for node in own) >= least]


def _rows(nodes: list[Node]) -> list[list[Node]]:
    """Of one name in a row: what has one parent, which has its name, joins it."""
    by_key = {node.key: node for node in nodes}
    head: dict[int, int] = {}
    rows: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        above = next(iter(node.parents)) if len(node.parents) == 1 else None
        joins = above is not None and _kind(by_key[above]) == _kind(node)
        head[node.key] = head[above] if joins and above is not None else node.key
        rows[head[node.key]].append(node)
    return [row for row in rows.values() if len(row) > 1]


def _rounds(nodes: list[Node]) -> list[list[Node]]:
    """Rounds of a loop: names that come again and again in a stretch without a fork."""
    by_key, below = {node.key: node for node in nodes}, _children(nodes)
    found, visited = [], set()
    for node in nodes:
        if node.key in visited:
            continue
        line = [node]
        while len(below[line[-1].key]) == 1 and len((after := by_key[below[line[-1].key][0]]).parents) == 1:
            line.append(after)
        visited |= {one.key for one in line}
        found += _repeated(line)
    return found


def _repeated(line: list[Node]) -> list[list[Node]]:
    names = [_kind(node) for node in line]
    found, at = [], 0
    while at < len(line):
        for length in range(2, _LONGEST_ROUND + 1):
            end = at + length
            while end < len(line) and names[end] == names[end - length]:
                end += 1
            if end - at >= 3 * length:
                found.append(line[at:end])
                at = end
                break
        else:
            at += 1
    return found


def _knots(nodes: list[Node]) -> list[list[Node]]:
    """All of one name as one, and as one, too, the names that come after each other both ways."""
    name_of = {node.key: _kind(node) for node in nodes}
    above: dict[Any, set[Any]] = defaultdict(set)
    for node in nodes:
        above[name_of[node.key]] |= {name_of[parent] for parent in node.parents}
    reach = {name: _reachable(name, above) for name in dict.fromkeys(name_of.values())}
    groups: dict[Any, list[Node]] = defaultdict(list)
    for node in nodes:
        own = name_of[node.key]
        groups[min(name for name in reach if name == own or (name in reach[own] and own in reach[name]))].append(node)
    return list(groups.values())


def _reachable(start: Any, above: dict[Any, set[Any]]) -> set[Any]:
    found: set[Any] = set()
    rest = [start]
    while rest:
        new = above[rest.pop()] - found
        found |= new
        rest += new
    return found


def _bands(nodes: list[Node]) -> list[list[Node]]:
    """Layers that follow each other, as many together as it takes."""
    depth = _depths(nodes)
    height = -(-(max(depth.values()) + 1) // MOST)
    bands: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        bands[depth[node.key] // height].append(node)
    return list(bands.values())


def reduced(nodes: Sequence[Node]) -> list[Node]:
    """Without the edges that say what a longer way says already; for graphs of some hundred nodes."""
    before: dict[int, set[int]] = {}
    out = []
    for node in nodes:
        further: set[int] = set().union(*(before[parent] for parent in node.parents))
        kept = node.parents - further
        before[node.key] = further | node.parents
        out.append(node._replace(parents=frozenset(kept)))
    return out
