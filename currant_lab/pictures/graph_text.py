"""A graph as text: a line per node, parents first, each saying what it came after where that is not the line above."""

from __future__ import annotations

from collections.abc import Sequence

from currant_lab.pictures.graph_nodes import SIGNS, Node, label, said

__all__ = ["graph_text"]

_WIDEST = 44


def graph_text(nodes: Sequence[Node], now: float) -> str:
    """The nodes, numbered, as lines."""
    place = {node.key: at for at, node in enumerate(nodes, 1)}
    rows = []
    for at, node in enumerate(nodes, 1):
        parents = sorted(place[parent] for parent in node.parents)
        usual = [at - 1] if at > 1 else []
        after = "" if parents == usual else f"after {', '.join(map(str, parents))}" if parents else "from the start"
        sign = SIGNS.get(node.status, "?")
        rows.append((str(at), f"{sign} {_cut(label(node))}", said(node, now), "" if at == 1 else after))
    numbers, names, words = (max((len(row[column]) for row in rows), default=0) for column in range(3))
    return "\n".join(
        f"  {number:>{numbers}}  {name:<{names}}  {word:<{words}}  {after}".rstrip()
        for number, name, word, after in rows
    )


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
