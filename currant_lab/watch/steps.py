"""The steps of a run: read again and again at little cost, and as the nodes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from currant_lab.database.record import GIVEN_UP, StepInfo, list_steps
from currant_lab.pictures.graph_nodes import Node
from currant_lab.status import FINAL

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["MOST_STEPS", "StepLog", "ended_at", "nodes_of_steps", "seconds", "short"]

MOST_STEPS = 10_000
"""Steps that are read and drawn of one run."""

_AT_ONCE = ("now", "random", "uuid", "patched")
"""Kinds that have their answer at once: what is begun next came after them."""


def short(job: str) -> str:
    """The name of a job without its module or notebook, and of a function in a function the last part."""
    return job.rpartition(":")[2].rpartition(".<locals>.")[2] or job


def nodes_of_steps(steps: Sequence[StepInfo]) -> list[Node]:
    """Steps as the nodes of a graph.

    A step came after those whose end its function saw since it had begun the one before; where it saw none, it was
    begun together with that one, and came after the same. So functions that go on side by side stay apart, as far as
    the record tells.
    """
    nodes: list[Node] = []
    parents: frozenset[int] = frozenset()
    begun: dict[bytes, int] = {}
    left: list[StepInfo] = []  # given up: whatever was begun after that
    for step in steps:
        after = [one.number for one in left if one.ended_at is not None and step.began_at >= one.ended_at]
        left = [one for one in left if one.number not in after]
        if step.seen or after:
            parents = frozenset((*step.seen, *after))
        elif nodes and nodes[-1].kind in _AT_ONCE:
            parents = frozenset((nodes[-1].key,))
        own = parents
        if step.kind == "result" and step.child in begun:
            own = parents | {begun[step.child]}
        if step.kind == "submit" and step.child is not None:
            begun[step.child] = step.number
        if step.error is not None and step.error.type == GIVEN_UP:
            left.append(step)
        nodes.append(_node_of(step, own))
    return nodes


def _node_of(step: StepInfo, parents: frozenset[int]) -> Node:
    note = step.progress_note or ""
    if step.error is not None:
        note = f"{step.error.type}: {step.error.message}"
    counts: tuple[tuple[str, int], ...] = ()
    if step.ended is not None and step.unfinished is not None:
        bad, running = step.bad or 0, step.running or 0
        every = {
            "succeeded": step.ended - bad, "running": running, "failed": bad, "pending": step.unfinished - running
        }  # fmt: skip
        counts = tuple((status, count) for status, count in every.items() if count)
    return Node(
        step.number, step.kind, short(step.name), step.status, parents, seconds(step.began_at),
        seconds(step.started_at), seconds(ended_at(step)), step.attempt, step.progress, note, counts,
    )  # fmt: skip


def ended_at(step: StepInfo) -> datetime | None:
    """When a step ended: a sleep at its moment, which nobody writes down."""
    return step.due_at if step.ended_at is None and step.status == "succeeded" else step.ended_at


def seconds(at: datetime | None) -> float | None:
    """Since 1970; None where there is none."""
    return None if at is None else at.timestamp()


class StepLog:
    """The steps of one run, read again and again: only from the first one on that had not ended.

    Attributes:
        steps: as they were read last.
        most: of them are read.
    """

    def __init__(self, database: Database, run: bytes, most: int = MOST_STEPS) -> None:
        self._database = database
        self._run = run
        self.most = most
        self.steps: list[StepInfo] = []

    async def read(self, *, whole: bool = False) -> list[StepInfo]:
        """The steps as they stand now; with `whole` all are read anew."""
        known = 0 if whole else _ended(self.steps)
        if known:
            # One that is known comes along: where it is another by now, the run goes on from an earlier step.
            last = self.steps[known - 1]
            found = await list_steps(self._database, self._run, self.most, last.number - 1)
            if found and (found[0].number, found[0].began_at) == (last.number, last.began_at):
                self.steps = [*self.steps[: known - 1], *found][: self.most]
                return self.steps
        self.steps = await list_steps(self._database, self._run, self.most)
        return self.steps


def _ended(steps: Sequence[StepInfo]) -> int:
    """How many there are before the first that has not ended."""
    return next((place for place, step in enumerate(steps) if step.status not in FINAL), len(steps))
