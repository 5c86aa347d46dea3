"""The rows of a timeline of steps, and the spans of time in each."""

from __future__ import annotations

from collections.abc import Sequence

from currant_lab.pictures.graph_folding import group
from currant_lab.pictures.graph_nodes import Node
from currant_lab.pictures.spans import Span

__all__ = ["rows_of", "spans_of"]

_PATIENT = ("event", "sleep")
"""Kinds that only wait."""

_MOST_NAMES = 6


def rows_of(folded: Sequence[Node]) -> list[Node]:
    """A node, or a group, for each row, by their begins: those that have begun; see `graph_folding.fold`."""
    rows = [row for node in folded for row in _by_name(node) if any(part.began_at is not None for part in _parts(row))]
    return sorted(rows, key=lambda node: (node.began_at or 0.0, node.key))


def spans_of(node: Node, now: float) -> list[Span]:
    """When a node, or each of a group, waited and ran; nothing of what was not begun."""
    return [span for part in _parts(node) for span in _spans(part, now)]


def _parts(node: Node) -> tuple[Node, ...]:
    return node.parts or (node,)


def _by_name(node: Node) -> list[Node]:
    """A group of a few names as a row for each: side by side in one, they would hide each other."""
    names: dict[tuple[str, str], list[Node]] = {}
    for part in _parts(node):
        names.setdefault((part.kind, part.name), []).append(part)
    if not 1 < len(names) <= _MOST_NAMES:
        return [node]
    return [group(parts) if len(parts) > 1 else parts[0] for parts in names.values()]


def _spans(step: Node, now: float) -> list[Span]:
    """One, or none where it was not begun."""
    if step.began_at is None:
        return []
    end = now if step.ended_at is None else step.ended_at
    if step.kind in _PATIENT:
        return [Span("waiting", None, step.began_at, end, end)]
    began = step.started_at
    if began is None and (step.kind == "call" or step.ended_at is not None):
        began = step.began_at
    return [Span(step.status, None, step.began_at, began, end)]
