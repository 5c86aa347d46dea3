"""Runs of workflows: their steps, being put away and coming back, signals, forks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import multiple, precondition, rule
from msgspec.structs import replace as changed

from currant_lab.database.record import GIVEN_UP, NewStep, write_steps
from currant_lab.database.statements import statement
from currant_lab.database.submit import NewExecution, Placement
from currant_lab.ids import new_ids
from currant_lab.loop import background
from currant_lab.outcomes import ErrorInfo
from currant_lab.status import FINAL, Action, Record, Status
from tests.model.base import JOB, LATER_S, QUEUES, Awaits, Base, Claim, Life, Step
from tests.model.ties import Ties
from tests.model.work import OUTCOMES, Work

ids = Base.ids

NAMES = ("go", "stop")
KINDS = (
    "run",
    "run",
    "run later",
    "result",
    "all results",
    "event",
    "event",
    "timed event",
    "sleep",
    "call",
    "given up",
)


class Runs(Work, Ties):
    """Any execution may turn out to be a run: it is one once it has begun a step."""

    @precondition(lambda self: self.has(Status.RUNNING))
    @rule(target=ids, how=st.data(), kind=st.sampled_from(KINDS), name=st.sampled_from(NAMES), is_twice=st.booleans())
    def begin_step(self, how: Any, kind: str, name: str, is_twice: bool) -> Any:
        (claim, *_) = self.draw_claims(how)
        stale = [claim for claim in self.given if not self.holds(claim) and claim.id in self.lives]
        if stale and how.draw(st.sampled_from((False, False, True))):
            claim = how.draw(st.sampled_from(stale))
        if kind == "all results" and not self.members:
            kind = "call"
        step = Step(kind.split()[-1] if "event" in kind else kind.split()[0], name)
        delay = 0.0
        if kind in ("run", "run later"):
            (step.child,) = new_ids(1)
            delay = LATER_S if kind == "run later" else 0.0
        elif kind == "result":
            step.child = how.draw(st.sampled_from(sorted(id for id in self.lives if id != claim.id)))
        elif kind == "all results":
            step.kind, step.batch = "result", how.draw(st.sampled_from(sorted(self.members)))
            step.child = self.members[step.batch][0]
        elif kind in ("timed event", "sleep"):
            step.due = "later"
        elif kind in ("call", "given up"):
            step.kind, step.is_over, step.has_error = "call", True, kind == "given up"
        queue = how.draw(st.sampled_from(QUEUES))
        number = len(self.steps.get(claim.id, [])) + 1
        is_held = self.holds(claim)
        for _ in range(1 + is_twice):  # an answer that was lost: a step is begun once
            assert self._write(claim, number, step, queue, delay) == is_held
        if not is_held:
            return multiple()
        self._begun(claim.id)
        self.steps[claim.id].append(step)
        if step.kind != "run":
            return multiple()
        assert step.child is not None
        self.lives[step.child] = Life(Record(Status.SCHEDULED if delay else Status.PENDING), queue, 0)
        return step.child

    def _begun(self, id: bytes) -> None:
        """Pools that died before this step don't count any more."""
        life = self.lives[id]
        record = changed(life.record, attempt=life.record.attempt - life.record.rescues, rescues=0)
        self.lives[id] = life._replace(record=record)

    def _write(self, claim: Claim, number: int, step: Step, queue: str, delay: float) -> bool:
        """Whether the claim held."""
        new = NewStep(number, step.kind, step.name, (), time.monotonic(), is_over=step.is_over)
        if step.kind == "run":
            assert step.child is not None
            new.child = NewExecution(step.child, Placement(JOB, queue, retries=0, delay=delay), b"[]")
        elif step.kind == "result":
            new.awaits, new.awaits_batch = step.child, step.batch
            new.awaits_to = None if step.batch is None else self.members[step.batch][-1]
        new.seconds = LATER_S if step.due else None
        new.result = b"1" if step.is_over and not step.has_error else None
        new.error = ErrorInfo(GIVEN_UP, "m") if step.has_error else None
        group = [(claim.id, claim.token, [new])]
        written = background.run(write_steps(self, group, {}))  # type: ignore[arg-type]
        return claim.id in written.held

    pooled = False

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """What `write_steps` needs of a database."""
        yield self.conn

    @precondition(lambda self: self.has(Status.RUNNING))
    @rule(how=st.data())
    def end_step(self, how: Any) -> None:
        """The function has stopped waiting for it."""
        (claim, *_) = self.draw_claims(how)
        steps = self.steps.get(claim.id, []) if self.holds(claim) else []
        open_steps = [n for n, one in enumerate(steps, 1) if not one.is_over]
        if not open_steps:
            return
        number = how.draw(st.sampled_from(open_steps))
        step = steps[number - 1]
        step.is_over = step.has_error = True
        self._write(claim, number, step, "one", 0.0)
        self._begun(claim.id)

    @precondition(lambda self: self.has(Status.RUNNING))
    @rule(target=Base.batches, how=st.data(), count=st.integers(1, 3), queue=st.sampled_from(QUEUES))
    def begin_map_step(self, how: Any, count: int, queue: str) -> Any:
        (claim, *_) = reversed(self.draw_claims(how))
        number = len(self.steps.get(claim.id, [])) + 1

        async def finish(batch: int) -> bool:
            sql = statement("step_map", self.schema)
            return bool(await self.conn.fetch(sql, claim.id, claim.token, number, "map", JOB, [], batch))

        batch, made = background.run(self._map(count, [], queue, finish))
        assert (batch is not None) == self.holds(claim)
        if batch is None:
            return multiple()
        self._begun(claim.id)
        self.steps[claim.id].append(Step("map", JOB, made[0], batch))
        self._take_map(batch, made, queue, [])
        return batch

    @precondition(lambda self: bool(self._with_steps()))
    @rule(how=st.data(), name=st.sampled_from(sorted(OUTCOMES)))
    def settle_a_run_and_its_steps(self, how: Any, name: str) -> None:
        run, steps = how.draw(st.sampled_from(self._with_steps()))
        self.settle_all({run: name} | {one: how.draw(st.sampled_from(sorted(OUTCOMES))) for one in steps})

    def _with_steps(self) -> list[tuple[Claim, list[Claim]]]:
        """Runs whose own executions run too, with these."""
        held = {claim.id: claim for claim in self.given if self.holds(claim)}
        found = [(held[id], [held[one.child] for one in self.steps.get(id, []) if one.child in held]) for id in held]
        return sorted((run, sorted(steps)) for run, steps in found if steps and run not in steps)

    @precondition(lambda self: self.has(Status.RUNNING))
    @rule(how=st.data())
    def put_away(self, how: Any) -> None:
        """Several runs whose functions only wait, some claims among them lost."""
        chosen = {claim.id: claim for claim in sorted(self.draw_claims(how), key=lambda one: (self.holds(one), one))}
        waits: dict[bytes, list[int]] = {}
        for id in chosen:
            open_steps = [n for n, one in enumerate(self.steps.get(id, []), 1) if not one.is_over]
            waits[id] = sorted(how.draw(st.sets(st.sampled_from(open_steps)))) if open_steps else []
        texts = ["{" + ",".join(map(str, numbers)) + "}" for numbers in waits.values()]
        rows = self.own(
            "run_put_away", list(chosen), [claim.token for claim in chosen.values()], texts, [None] * len(chosen)
        )
        held = [id for id, claim in chosen.items() if self.holds(claim)]
        # Whether each comes back at once is asked before any of those cancelled has ended.
        are_back = {id: self._is_there(id, waits[id]) for id in held}
        for id in held:
            steps = [self.steps[id][n - 1] for n in waits[id]]
            is_timed = any(one.due for one in steps)
            record = self.step(id, Action.PUT_AWAY_LATER if is_timed and not are_back[id] else Action.PUT_AWAY)
            self.awaited.pop(id, None)
            if are_back[id]:
                if record.status not in FINAL:
                    self.step(id, Action.BRING_BACK)
                continue
            singles = {one.child for one in steps if one.child is not None and one.batch is None}
            self.awaited[id] = Awaits(singles, {one.batch for one in steps if one.batch is not None})
            if record.status not in FINAL:
                self.away.add(id)
        self.cascade()
        assert {row["run"]: row["status"] for row in rows} == {id: self._said(id) for id in held}

    def _said(self, id: bytes) -> str:
        return str(self.lives[id].record.status)

    def _is_there(self, id: bytes, numbers: list[int]) -> bool:
        """Whether something it waits for has happened already."""
        for one in (self.steps[id][n - 1] for n in numbers):
            if one.batch is not None:
                is_there = not any(map(self.is_open, self.members[one.batch]))
            else:
                is_there = one.child is not None and not self.is_open(one.child)
            if is_there or one.due == "past" or (one.kind == "event" and (id, one.name) in self.signals):
                return True
        return not numbers

    @rule(id=ids, name=st.sampled_from(NAMES), value=st.sampled_from((b"1", b"2")))
    def signal(self, id: bytes, name: str, value: bytes) -> None:
        """Kept before it is awaited; the first one counts, and whoever sends a second is told."""
        ((took,),) = self.own("run_signal", id, name, value)
        life = self.lives.get(id)
        if life is None:
            assert took == "unknown"
        elif life.record.status in FINAL:
            assert took == "ended"
        elif (id, name) in self.signals:
            assert took == "known"
        else:
            assert took == "taken"
            self.signals[id, name] = value
            waits = any(one.kind == "event" and one.name == name and not one.is_over for one in self.steps.get(id, []))
            if waits and (id in self.away or life.record.status == Status.SCHEDULED):
                self.step(id, Action.BRING_BACK)

    @rule(how=st.data())
    def settle_event(self, how: Any) -> None:
        """The function asks how its event stands."""
        events = [
            (id, number)
            for id in sorted(self.steps) for number, one in enumerate(self.steps[id], 1)
            if one.kind == "event" and id in self.lives
        ]  # fmt: skip
        if not events:
            return
        id, number = how.draw(st.sampled_from(events))
        step, value = self.steps[id][number - 1], self.signals.get((id, self.steps[id][number - 1].name))
        (row,) = self.own("run_event", id, number)
        if not step.is_over:
            step.is_over = value is not None or step.due == "past"
            assert row["value"] == (value if step.is_over else None)
        assert row["is_over"] == step.is_over

    @rule(target=ids, id=ids, how=st.data())
    def fork(self, id: bytes, how: Any) -> Any:
        return self.fork_at(id, how.draw(st.integers(1, len(self.steps.get(id, [])) + 1)))

    def fork_at(self, id: bytes, first: int) -> Any:
        """Another run, with the record of this one up to before a step."""
        (copy,) = new_ids(1)
        ((is_made,),) = self.own("run_fork", id, copy, first)
        life = self.lives.get(id)
        assert is_made == (life is not None)
        if life is None:
            return multiple()
        self.lives[copy] = Life(Record(Status.PENDING, token=1, retries=life.record.retries), life.queue, life.priority)
        if copies := self.copies(id, first):
            self.steps[copy] = copies
        for name in {one.name for one in copies if one.kind == "event"}:
            if (id, name) in self.signals:
                self.signals[copy, name] = self.signals[id, name]
        return copy

    @rule(id=ids, how=st.data())
    def rerun(self, id: bytes, how: Any) -> None:
        self.rerun_from(id, how.draw(st.integers(1, len(self.steps.get(id, [])) + 1)))

    def rerun_from(self, id: bytes, first: int) -> None:
        """A person lets it go on from a step; from the first, whatever it is."""
        ((was,),) = self.own("run_rerun", id, first)
        life = self.lives.get(id)
        assert was == (None if life is None else str(life.record.status))
        if life is None or life.record.status == Status.RUNNING:
            return
        if life.record.status in FINAL:
            record = Record(Status.PENDING, token=max(life.record.token, 1), retries=life.record.retries)
            self.lives[id] = life._replace(record=record, pool=None)
            self.run_again([id])
        elif id in self.away or life.record.status == Status.SCHEDULED:
            self.step(id, Action.BRING_BACK)
        if id in self.steps:
            self.forget(id, first)
        self.cascade()
