"""Runs of workflows: the newest ones, and the steps of one with those of the runs it has begun."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from currant_lab.database import inspect
from currant_lab.database.inspect import ExecutionInfo
from currant_lab.database.record import StepInfo, list_steps
from currant_lab.status import FINAL

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["MOST_IN_TREE", "RunInfo", "RunTree", "list_runs", "read_tree"]

MOST_IN_TREE = 10_000
"""Steps that are read for one tree, with those of the runs in it."""

_DEEPEST = 12
_RUNS_OF_MAP = 200


class RunInfo(msgspec.Struct, frozen=True):
    """A run of a workflow.

    Attributes:
        info: its execution.
        begun: how many steps it has begun.
        finished: how many of these have ended.
        waits_for: the names of those that have not, 20 at most; of what has ended, none.
        due_at: the nearest moment at which one of them ends by itself.
    """

    info: ExecutionInfo
    begun: int
    finished: int
    waits_for: tuple[str, ...]
    due_at: datetime | None


class RunTree(msgspec.Struct):
    """A run with its steps.

    Attributes:
        info: its execution.
        steps: in the order of their begin.
        runs: by the number of the step that began them, runs of workflows.
        is_cut: there are more steps than were read.
    """

    info: ExecutionInfo
    steps: list[StepInfo]
    runs: dict[int, list[RunTree]]
    is_cut: bool = False


async def list_runs(database: Database, limit: int, known: Sequence[str] = ()) -> list[RunInfo]:
    """The newest runs, newest first.

    Args:
        database: where.
        limit: how many at most.
        known: full names of workflows, of which those count too that have not begun. Of those that have been begun
            before, they do anyway.
    """
    rows = {row["id"]: row for row in await database.fetch("runs_list", limit)}
    infos = await inspect.read(database, list(rows))
    names = sorted({*known, *(info.job for info in infos.values())})
    if names:
        infos |= await inspect.read(database, [row["id"] for row in await database.fetch("runs_unbegun", names, limit)])
    found = []
    for id in sorted(infos, reverse=True)[:limit]:
        info, row = infos[id], rows.get(id)
        is_over = info.status in FINAL
        found.append(
            RunInfo(
                info,
                row["begun"] if row else 0,
                row["finished"] if row else 0,
                tuple(row["names"] or ()) if row and not is_over else (),
                row["due_at"] if row and not is_over else None,
            )
        )
    return found


async def read_tree(database: Database, info: ExecutionInfo, most: int = MOST_IN_TREE) -> RunTree:
    """The steps of a run, with those of the runs that they are: at most so many."""
    return await _Reading(database, most).tree(info, 0)


class _Reading:
    def __init__(self, database: Database, most: int) -> None:
        self._database = database
        self._left = most

    async def tree(self, info: ExecutionInfo, depth: int) -> RunTree:
        steps = await list_steps(self._database, info.id, self._left + 1)
        tree = RunTree(info, steps[: self._left], {}, len(steps) > self._left)
        self._left -= len(tree.steps)
        children: dict[bytes, int] = {}
        for step in tree.steps:
            if step.batch is not None:
                ids = await inspect.batch_ids(self._database, step.batch)
                children |= dict.fromkeys(ids[:_RUNS_OF_MAP], step.number)
            elif step.child is not None and step.kind in ("run", "submit"):
                children[step.child] = step.number
        if not children or depth >= _DEEPEST:
            return tree
        runs = [row["id"] for row in await self._database.fetch("runs_among", list(children))]
        for id, child in sorted((await inspect.read(self._database, runs)).items()):
            if self._left <= 0:
                tree.is_cut = True
                break
            tree.runs.setdefault(children[id], []).append(await self.tree(child, depth + 1))
        return tree
