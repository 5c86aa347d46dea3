"""Runs of workflows as a person watches them: the newest, the steps of one, and one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from currant_lab.database import inspect
from currant_lab.database.record import StepInfo, list_steps
from currant_lab.database.runs import RunInfo, RunTree, list_runs
from currant_lab.errors import UnknownExecution
from currant_lab.status import FINAL
from currant_lab.watch.detail import SHOWN, Detail, Shown, shown_of
from currant_lab.watch.listing import Listing
from currant_lab.watch.steps import StepLog

if TYPE_CHECKING:
    from currant_lab.database.connect import Database
    from currant_lab.database.inspect import ExecutionInfo

__all__ = ["MOST_BELOW", "RunInfo", "RunReading", "RunTree", "Runs", "StepDetail", "StepInfo"]

MOST_BELOW = 1_000
"""Steps that are watched of the runs that a run has begun, and of theirs, all together."""

_DEEPEST = 12
_RUNS_OF_MAP = 200


class StepDetail(msgspec.Struct, frozen=True):
    """A step with what belongs to it.

    Attributes:
        step: as in the list.
        result: what it holds itself; None for one that is an execution, or has not ended.
        execution: the one that it is, if there is one (still).
    """

    step: StepInfo
    result: Shown | None
    execution: Detail | None


class Runs:
    """Runs of workflows in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, limit: int = 50) -> list[RunInfo]:
        """The newest runs, newest first."""
        return await list_runs(self._database, limit)

    async def step(self, run: bytes, number: int) -> StepDetail:
        """One step of a run: two statements.

        Raises:
            UnknownExecution: there is none of this number.
        """
        step = next(iter(await list_steps(self._database, run, 1, number - 1)), None)
        if step is None or step.number != number:
            raise UnknownExecution(f"the run {UUID(bytes=run)} has no step {number} on record (any more)")
        result, execution = None, None
        if step.child is not None and step.batch is None:
            try:
                execution = await Listing(self._database).detail(step.child)
            except UnknownExecution:
                execution = None  # pruned, and the record is not yet
        elif step.batch is None and step.status in FINAL:
            row = await self._database.fetchrow("list_step", run, number, SHOWN)
            if row is not None and row["result"] is not None:
                result = shown_of(row["result"], row["result_size"])
        return StepDetail(step, result, execution)


class _Shared:
    """What all readings of one tree have together: the statements they ran, and the steps they may still read."""

    def __init__(self) -> None:
        self.statements = 0
        self.left = MOST_BELOW


class RunReading:
    """A run with its steps and those of the runs it has begun, looked at again and again.

    What has ended is not read twice, unless the run was made to go on from an earlier step.

    Attributes:
        tree: as it was seen last; None before the first look.
        statements: how many the last look took.
    """

    def __init__(self, database: Database, id: bytes, depth: int = 0) -> None:
        self._database = database
        self._id = id
        self._depth = depth
        self._log = StepLog(database, id)
        self._below: dict[bytes, RunReading] = {}
        self._no_runs: set[bytes] = set()
        self._of_batch: dict[int, list[bytes]] = {}
        self._is_whole = False
        self.tree: RunTree | None = None
        self.statements = 0

    async def look(self) -> RunTree:
        """The run as it stands now.

        Raises:
            UnknownExecution: there is none of this id.
        """
        shared = _Shared()
        found = await inspect.read(self._database, [self._id])
        if self._id not in found:
            raise UnknownExecution(f"there is no execution {UUID(bytes=self._id)}")
        tree = await self._read(found[self._id], shared)
        self.statements = shared.statements + 1
        return tree

    async def _read(self, info: ExecutionInfo, shared: _Shared) -> RunTree:
        is_over = info.status in FINAL
        if self._is_whole and self.tree is not None and self.tree.info == info:
            if self._depth:
                shared.left -= len(self.tree.steps)
            return self.tree
        shared.statements += 1
        steps = await self._log.read()
        if self._depth:
            steps = steps[: shared.left]
            shared.left -= len(steps)
        tree = RunTree(info, steps, {}, len(steps) < len(self._log.steps) or len(steps) >= self._log.most)
        children = await self._children(steps, shared)
        if children and self._depth < _DEEPEST:
            for id, child in sorted((await self._runs(children, shared)).items()):
                if shared.left <= 0:
                    tree.is_cut = True
                    break
                below = self._below.setdefault(id, RunReading(self._database, id, self._depth + 1))
                tree.runs.setdefault(children[id], []).append(await below._read(child, shared))
        self.tree, self._is_whole = tree, is_over and not tree.is_cut and _all_over(tree)
        return tree

    async def _children(self, steps: Sequence[StepInfo], shared: _Shared) -> dict[bytes, int]:
        """The executions that these steps have begun and that may be runs, each with the number of its step."""
        found: dict[bytes, int] = {}
        for step in steps:
            if step.batch is not None:
                if step.batch not in self._of_batch:
                    shared.statements += 1
                    ids = await inspect.batch_ids(self._database, step.batch)
                    self._of_batch[step.batch] = ids[:_RUNS_OF_MAP]
                found |= dict.fromkeys(self._of_batch[step.batch], step.number)
            elif step.child is not None and step.kind in ("run", "submit"):
                found[step.child] = step.number
        asked = [id for id in found if id not in self._below and id not in self._no_runs]
        if asked:
            shared.statements += 1
            runs = {row["id"] for row in await self._database.fetch("runs_among", asked)}
            over = {step.number for step in steps if step.status in FINAL and step.kind != "submit"}
            self._no_runs |= {id for id in asked if id not in runs and found[id] in over}
            return {id: number for id, number in found.items() if id in runs or id in self._below}
        return {id: number for id, number in found.items() if id in self._below}

    async def _runs(self, children: dict[bytes, int], shared: _Shared) -> dict[bytes, ExecutionInfo]:
        known = {
            id: below.tree.info
            for id in children
            if (below := self._below.get(id)) is not None and below._is_whole and below.tree is not None
        }
        rest = [id for id in children if id not in known]
        if rest:
            shared.statements += 1
        return known | await inspect.read(self._database, rest)


def _all_over(tree: RunTree) -> bool:
    return all(step.status in FINAL for step in tree.steps) and all(
        run.info.status in FINAL and not run.is_cut and _all_over(run) for runs in tree.runs.values() for run in runs
    )
