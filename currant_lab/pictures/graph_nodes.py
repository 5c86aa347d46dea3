"""What a graph is made of: nodes with the parents they came after. Groups are nodes too, with those they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from currant_lab.pictures.base import duration

__all__ = ["SIGNS", "Node", "label", "one_line", "said", "standing", "tally"]

SIGNS = {
    "succeeded": "✓", "running": "●", "failed": "✗", "cancelled": "–", "pending": "○", "scheduled": "◔",
    "waiting": "◌", "unknown": "?",
}  # fmt: skip

_WORST_FIRST = ("failed", "running", "pending", "scheduled", "waiting", "cancelled", "unknown", "succeeded")
_SHOWN_NAMES = 3
_PLAIN_KINDS = ("run", "map", "call", "execution", "batch", "now", "random", "uuid")
"""Kinds whose name says enough."""


class Node(NamedTuple):
    """A step of a run, an execution of a chain, or a group of them. Times are seconds since 1970; None where not yet.

    Attributes:
        key: unique in its graph; parents have smaller places in the order of the nodes.
        kind: as of a step, or `execution` or `batch`.
        name: as it is shown.
        status: of an execution.
        parents: the keys of those it came after.
        began_at: when it was begun or submitted.
        started_at: when its execution was started.
        ended_at: when it ended.
        attempt: of its execution, None where it has none.
        progress: of its execution, 0 to 1.
        note: words that go with it: of its progress, or of its error.
        counts: (status, how many) of the executions of a map or batch.
        parts: those a group stands for.
        is_asked: it is the one that was asked about.
    """

    key: int
    kind: str
    name: str
    status: str
    parents: frozenset[int] = frozenset()
    began_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    attempt: int | None = None
    progress: float | None = None
    note: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    parts: tuple[Node, ...] = ()
    is_asked: bool = False

    @property
    def size(self) -> int:
        """How many it stands for."""
        return len(self.parts) or 1

    def seconds(self, now: float) -> float | None:
        """How long it took, or takes so far; None before it was begun."""
        if self.began_at is None:
            return None
        return max((now if self.ended_at is None else self.ended_at) - self.began_at, 0.0)


def standing(statuses: Iterable[str]) -> str:
    """The status of a group: the one that a person has to know of first."""
    found = set(statuses)
    return next((status for status in _WORST_FIRST if status in found), "unknown")


def label(node: Node) -> str:
    """What it is: `fetch`, `event approved`, `fetch × 480`, `extract, clean, …`."""
    names = list(dict.fromkeys(_named(part) for part in node.parts)) or [_named(node)]
    if len(names) > 1:
        return one_line(", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else ""))
    count = node.size if node.parts else sum(number for _, number in node.counts)
    return one_line(names[0]) + (f" × {count:,}" if node.parts or node.counts else "")


def _named(node: Node) -> str:
    if node.kind in _PLAIN_KINDS:
        return node.name
    return f"{node.kind} of {node.name}" if node.kind == "result" else f"{node.kind} {node.name}"


def said(node: Node, now: float) -> str:
    """How it stands, in a line: status or counts, time, attempts, progress."""
    if node.parts:
        distinct = len({_named(part) for part in node.parts}) > 1
        words = [(f"{node.size:,} steps: " if distinct else "") + tally(Counter(part.status for part in node.parts))]
    elif node.counts and not all(status == node.status for status, _ in node.counts):
        words = [tally(dict(node.counts))]
    else:
        words = ["submitted" if node.kind == "submit" and node.status == "succeeded" else node.status]
    seconds = node.seconds(now)
    if seconds is not None and node.kind not in ("submit", "now", "random", "uuid", "patched"):
        words.append(duration(seconds))
    if node.attempt is not None and node.attempt > 1:
        words.append(f"attempt {node.attempt}")
    if node.progress is not None and node.status == "running":
        words.append(f"{node.progress:.0%}")
    return " · ".join(words)


def tally(counts: Counter[str] | dict[str, int]) -> str:
    """As `470 ok, 8 running, 2 failed`."""
    order = ("succeeded", "running", "failed", "cancelled", "pending", "scheduled", "waiting", "unknown")
    return ", ".join(
        f"{counts[status]:,} {'ok' if status == 'succeeded' else status}" for status in order if counts.get(status)
    )


def one_line(text: str) -> str:
    """Text from elsewhere without what is no letter: it may steer a terminal, and XML has no place for it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split()) or "?"
