"""Submits, claims, outcomes, dead pools, cancels and retries: the rules for any execution."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import consumes, initialize, multiple, precondition, rule

from currant_lab.ids import new_ids
from currant_lab.status import FINAL, Action, Record, Status, TransitionError, rescue_limit
from tests.model.base import JOB, LATER_S, QUEUES, Base, Claim, Life, Step

pools, ids = Base.pools, Base.ids

OUTCOMES = {
    "succeeded": (Action.SUCCEED, 0.0),
    "failed": (Action.FAIL, 0.0),
    "cancelled": (Action.SETTLE_CANCELLED, 0.0),
    "retry now": (Action.RETRY_NOW, 0.0),
    "retry later": (Action.RETRY_LATER, LATER_S),
}


class Work(Base):
    """Several pools, a client, a sweeper and a janitor."""

    @initialize(target=pools)
    def begin_with_two_pools(self) -> Any:
        return multiple(self.begin_pool(), self.begin_pool())

    @initialize(target=ids)
    def begin_with_work(self) -> Any:
        return multiple(*self.submit(3, "one", 0, 0, 0.0), *self.submit(2, "two", 0, 1, 0.0))

    def begin_pool(self) -> int:
        host = ("host", "boot", 1, 1, "0", list(QUEUES), [JOB], 4, None)
        return int(self.engine("register", "model", "worker", *host)[0]["id"])

    def submit(self, count: int, queue: str, priority: int, retries: int, delay: float) -> list[bytes]:
        ids = new_ids(count)
        self._insert(ids, queue, priority, retries, delay)
        for id in ids:
            record = Record(Status.SCHEDULED if delay else Status.PENDING, retries=retries)
            self.lives[id] = Life(record, queue, priority)
        return ids

    @rule(target=pools)
    def begin_another_pool(self) -> int:
        return self.begin_pool()

    @rule(
        target=ids,
        count=st.integers(1, 4),
        queue=st.sampled_from(QUEUES),
        priority=st.sampled_from((0, 0, 5, -5)),
        retries=st.sampled_from((0, 1, 5)),
        delay=st.sampled_from((0.0, 0.0, 3_600.0)),
    )
    def submit_some(self, **how: Any) -> Any:
        return multiple(*self.submit(**how))

    @rule(id=ids, queue=st.sampled_from(QUEUES))
    def submit_again(self, id: bytes, queue: str) -> None:
        """A submit whose answer got lost is repeated: nothing happens while the row is there."""
        life = self.lives.get(id)
        if life is not None and life.record.status not in FINAL:
            self._insert([id], queue, 1, 0, 0.0)

    def _insert(self, ids: list[bytes], queue: str, priority: int, retries: int, delay: float) -> None:
        n = len(ids)
        self.own(
            "executions_submit", ids, [JOB] * n, [queue] * n, [priority] * n, [retries] * n, [None] * n, [delay] * n,
            [None] * n, [b"[]"] * n,
        )  # fmt: skip

    @precondition(lambda self: self.has(Status.PENDING))
    @rule(pool=pools, count=st.integers(1, 5), queue=st.sampled_from(QUEUES), is_alone=st.booleans())
    def claim(self, pool: int, count: int, queue: str, is_alone: bool) -> None:
        rows = self.engine("claim", [queue], [-40_000], [bytes(16)], [count], [JOB], pool, is_alone)
        due = sorted(
            (-life.priority, id)
            for id, life in self.lives.items()
            if life.record.status == Status.PENDING and life.queue == queue
            and (is_alone or life.record.rescues < rescue_limit(life.record.retries))
        )  # fmt: skip
        expected = [id for _, id in due[:count]]
        assert {row["id"] for row in rows} == set(expected), "others were claimed than come first"
        # In an order of ours: RETURNING's is the plan's, and Hypothesis needs the same draws to mean the same claims.
        for row in sorted(rows, key=lambda row: row["id"]):
            record = self.step(row["id"], Action.CLAIM, pool)
            assert (row["attempt"], row["token"]) == (record.attempt, record.token)
            self.given.append(Claim(row["id"], row["token"]))

    def draw_claims(self, how: Any) -> list[Claim]:
        """Some that are held, and some that were."""
        held = [claim for claim in self.given if self.holds(claim)]
        stale = [claim for claim in self.given if not self.holds(claim)]
        chosen: list[Claim] = how.draw(st.lists(st.sampled_from(held), min_size=1, max_size=4, unique=True))
        return chosen + (how.draw(st.lists(st.sampled_from(stale), max_size=2, unique=True)) if stale else [])

    @precondition(lambda self: self.has(Status.RUNNING))
    @rule(how=st.data())
    def settle(self, how: Any) -> None:
        """Outcomes of several attempts, stale ones among them, in one statement."""
        chosen = self.draw_claims(how)
        # One execution once in a statement: the engine never has two outcomes of it in a batch that both count.
        by_id = {claim.id: claim for claim in sorted(chosen, key=lambda claim: (self.holds(claim), claim))}
        self.settle_all({claim: how.draw(st.sampled_from(sorted(OUTCOMES))) for claim in by_id.values()})

    def settle_all(self, named: dict[Claim, str]) -> None:
        """Outcomes in one statement, which tells how each of those that count has ended."""
        rows = self._settle(named)
        counted = {Claim(row["id"], row["token"]): row["status"] for row in rows}
        expected = {}
        for claim, name in named.items():
            if not self.holds(claim):
                continue
            action, _ = OUTCOMES[name]
            record = self.step(claim.id, action)
            expected[claim] = str(record.status) if record.status in FINAL else "retry"
        assert counted == expected
        self.cascade()

    def _settle(self, named: dict[Claim, str]) -> list[Any]:
        n = len(named)
        return self.engine(
            "settle",
            [claim.id for claim in named],
            [claim.token for claim in named],
            [name.split()[0] for name in named.values()],
            [b"1" if name == "succeeded" else None for name in named.values()],
            [json.dumps({"type": "E", "message": name}) if name != "succeeded" else None for name in named.values()],
            [5] * n,
            [0] * n,
            [OUTCOMES[name][1] for name in named.values()],
            [None] * n,
            [None] * n,
        )

    @precondition(lambda self: self.has(Status.RUNNING))
    @rule(by=st.sampled_from((-2, -1, 1)), name=st.sampled_from(sorted(OUTCOMES)), how=st.data())
    def settle_what_runs_with_another_token(self, by: int, name: str, how: Any) -> None:
        """The outcome of an attempt that lost its claim, or of one that never was."""
        running = sorted(id for id, life in self.lives.items() if life.record.status == Status.RUNNING)
        id = how.draw(st.sampled_from(running))
        other = Claim(id, self.lives[id].record.token + by)
        assert self._settle({other: name}) == []
        assert self.engine("release", [other.id], [other.token]) == []

    @precondition(lambda self: self.has(Status.RUNNING))
    @rule(how=st.data())
    def release(self, how: Any) -> None:
        chosen = self.draw_claims(how)
        rows = self.engine("release", [claim.id for claim in chosen], [claim.token for claim in chosen])
        held = [claim for claim in chosen if self.holds(claim)]
        assert sorted(row["id"] for row in rows) == sorted(claim.id for claim in held)
        for claim in held:
            self.step(claim.id, Action.RELEASE)
        self.cascade()

    @precondition(lambda self: self.has(Status.RUNNING))
    @rule(target=pools, pool=consumes(pools))
    def rescue(self, pool: int) -> int:
        self.engine("rescue", [pool], [])
        self._rescued(pool)
        assert self.engine("rescue", [pool], [])[0]["pools"] == 0, "a pool dies once"
        return self.begin_pool()

    @rule(pool=pools)
    def rescue_leftovers(self, pool: int) -> None:
        self.engine("rescue", [], [pool])
        self._rescued(pool)

    def _rescued(self, pool: int) -> None:
        for id in [id for id, life in self.lives.items() if life.pool == pool]:
            self.step(id, Action.RESCUE)
        self.cascade()

    @rule(chosen=st.lists(ids, min_size=1, max_size=4, unique=True))
    def cancel(self, chosen: list[bytes]) -> None:
        self.own("executions_cancel", chosen)
        for id in chosen:
            life = self.lives.get(id)
            if life is not None and life.record.status not in FINAL:
                self.step(id, Action.CANCEL, life.pool)
        self.cascade()

    @precondition(lambda self: self.has(Status.FAILED) or self.has(Status.CANCELLED))
    @rule(chosen=st.lists(ids, min_size=1, max_size=4, unique=True))
    def retry(self, chosen: list[bytes]) -> None:
        rows = self.own("executions_retry", chosen, min(chosen), max(chosen), ["failed", "cancelled"])
        again = []
        for id in chosen:
            try:
                if id in self.lives:
                    self.step(id, Action.REVIVE)
                    again.append(id)
            except TransitionError:
                continue
        assert sorted(row["id"] for row in rows) == sorted(again)
        self.run_again(again)
        firsts = {
            id: next((n for n, one in enumerate(self.steps.get(id, []), 1) if self._ended_badly(one)), None)
            for id in again
        }
        for id, first in firsts.items():
            if first is not None:
                self.forget(id, first)

    def _ended_badly(self, one: Step) -> bool:
        children = self.members[one.batch] if one.batch is not None else [one.child]
        return one.has_error or any(child is not None and self.is_bad(child) for child in children)

    @precondition(lambda self: self.has(Status.SCHEDULED))
    @rule(id=ids)
    def promote(self, id: bytes) -> None:
        """The time of one execution comes."""
        self.sql(
            "UPDATE currant.executions SET due_at = now() - interval '1 s' WHERE id = $1 AND status = 'scheduled'", id
        )
        (row,) = self.engine("promote")
        life = self.lives.get(id)
        is_due = life is not None and life.record.status == Status.SCHEDULED
        assert row["moved"] == int(is_due)
        if is_due:
            for one in self.steps.get(id, []):
                one.due = one.due and "past"
            self.sql(
                "UPDATE currant.steps SET due_at = now() - interval '1 s' WHERE execution = $1 AND due_at > now()", id
            )
            self.step(id, Action.PROMOTE)
            self.lives[id] = self.lives[id]._replace(is_late=False)

    @precondition(lambda self: any(self.has(status) for status in FINAL))
    @rule(id=ids)
    def prune(self, id: bytes) -> None:
        """What is finished goes, up to one execution; what is not stays."""
        before = datetime.now(UTC) + timedelta(hours=1)
        after = min((other for other, life in self.lives.items() if other >= id), default=id)
        last = (int.from_bytes(after, "big") - 1).to_bytes(16, "big")
        looked_at = sorted(id for id, life in self.lives.items() if id > last and life.record.status in FINAL)[:3]
        finished = [other for other in looked_at if not self.is_needed(other)]
        (row,) = self.own("prune_rows", before, last, 3)
        assert row["deleted"] == len(finished)
        for other in finished:
            del self.lives[other]
