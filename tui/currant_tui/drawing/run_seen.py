"""A run as its three pages need it: the lines of the tree, the nodes of the graph, and groups that were opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from currant_lab.pictures.gantt_rows import rows_of
from currant_lab.pictures.graph_folding import fold
from currant_lab.pictures.graph_nodes import Node
from currant_lab.watch.steps import nodes_of_steps
from currant_tui.drawing.runs import Branch, branches

if TYPE_CHECKING:
    from currant_lab.watch.runs import RunTree

__all__ = ["PAGE", "RunSeen", "first_looked_at", "see"]

PAGE = 500
"""Lines of the tree that are shown at once."""

_FIRST_LOOKED_AT = ("failed", "running", "pending", "waiting", "scheduled")


@dataclass(slots=True)
class RunSeen:
    """What was read of a run.

    Attributes:
        tree: as it was read.
        lines: all lines of the tree.
        nodes: the run's own steps, unfolded.
        folded: the same, few.
        rows: those of the timeline, by their keys.
    """

    tree: RunTree
    lines: list[Branch]
    nodes: list[Node]
    folded: list[Node]
    rows: dict[str, Node]
    _places: dict[str, int] = field(default_factory=dict)

    def page_of(self, key: str) -> int:
        """The page of the tree that a line is on; the first for one that there is not."""
        return self._places.get(key, 0) // PAGE

    def page(self, number: int) -> list[Branch]:
        """The lines of a page."""
        return self.lines[number * PAGE : (number + 1) * PAGE]

    @property
    def pages(self) -> int:
        """How many pages the tree has, at least one."""
        return max(-(-len(self.lines) // PAGE), 1)

    def branch(self, number: int) -> Branch | None:
        """The line of one of the run's own steps."""
        place = self._places.get(str(number))
        return None if place is None else self.lines[place]

    def line(self, key: str | None) -> Branch | None:
        """The line of that key."""
        place = self._places.get(key or "")
        return None if place is None else self.lines[place]

    def inside(self, numbers: frozenset[int]) -> list[Node]:
        """The graph of these steps alone, folded anew."""
        own = [node for node in self.nodes if node.key in numbers]
        return fold([node._replace(parents=node.parents & numbers) for node in own])


def see(tree: RunTree) -> RunSeen:
    """Make ready what was read: of 10,000 steps in some 0.2 s."""
    lines = list(branches(tree))
    nodes = nodes_of_steps(tree.steps)
    folded = fold(nodes)
    rows = {str(node.key): node for node in rows_of(folded)}
    return RunSeen(tree, lines, nodes, folded, rows, {line.key: place for place, line in enumerate(lines)})


def first_looked_at(node: Node) -> int:
    """The step of a group that a person wants to see first: one that failed, or runs, else the first."""
    parts = node.parts or (node,)
    by_status = {part.status: part.key for part in reversed(parts)}
    return next((by_status[status] for status in _FIRST_LOOKED_AT if status in by_status), parts[0].key)
