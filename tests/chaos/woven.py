"""The audit of what hangs together: chains and graphs of executions, runs of workflows, their steps and signals."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.chaos.facts import Facts
from tests.chaos.flows import NOBODY

LINKS = "tests.chaos.chains:"
FLOWS = "tests.chaos.flows:"
CLOCKS = timedelta(milliseconds=1)

TIES = """
SELECT d.child, d.parent FROM currant.dependencies AS d WHERE d.child = ANY ($1::uuid[])
UNION ALL
SELECT d.child, h.id FROM currant.batch_dependencies AS d
  JOIN currant.history AS h ON h.id BETWEEN d.first_id AND d.last_id AND h.batch = d.batch
 WHERE d.child = ANY ($1::uuid[])
"""

# A fork has steps that are older than itself: another run has begun them.
STEPS = """
SELECT s.*, s.began_at >= h.created_at AS is_own
  FROM currant.steps AS s JOIN currant.history AS h ON h.id = s.execution
 WHERE s.execution = ANY ($1::uuid[]) ORDER BY s.execution, s.number
"""

OF_MAPS = """
SELECT s.execution, s.number, h.id FROM currant.steps AS s
  JOIN currant.history AS r ON r.id = s.execution AND s.began_at >= r.created_at
  JOIN currant.history AS h ON h.id BETWEEN s.child AND s.last_id AND h.batch = s.batch
 WHERE s.execution = ANY ($1::uuid[]) AND s.batch IS NOT NULL
"""

SIGNALS = "SELECT execution, name, convert_from(value, 'UTF8') AS value FROM currant.signals"

# Rows about executions that are nowhere, and waits that have outlived what they waited for: at rest there are none.
DANGLING = """
SELECT 'a tie' AS what, d.child AS id FROM currant.dependencies AS d
 WHERE NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = d.child)
    OR NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = d.parent)
UNION ALL
SELECT 'a tie to a map', d.child FROM currant.batch_dependencies AS d
 WHERE NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = d.child)
    OR d.size <> (SELECT count(*) FROM currant.history AS h
                   WHERE h.id BETWEEN d.first_id AND d.last_id AND h.batch = d.batch)
UNION ALL
SELECT 'a step', s.execution FROM currant.steps AS s
 WHERE NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = s.execution)
    OR s.child IS NOT NULL AND NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = s.child)
UNION ALL
SELECT 'a signal', g.execution FROM currant.signals AS g
 WHERE NOT EXISTS (SELECT FROM currant.history AS h WHERE h.id = g.execution)
UNION ALL
SELECT 'a wait', a.run FROM currant.awaited AS a
UNION ALL
SELECT 'a wait for a map', a.run FROM currant.awaited_batches AS a
"""


@dataclass
class Woven:
    """What has been checked so far.

    Attributes:
        chained: executions that were tied to others.
        runs: of workflows that ended, and how often they were put away.
        steps: on record.
        signals: that were taken.
        calls: in place, and how many of them were made again because a pool died before the record was written.
    """

    chained: int = 0
    revived: int = 0
    runs: int = 0
    away: int = 0
    steps: int = 0
    signals: int = 0
    calls: int = 0
    again: int = 0

    async def check(self, conn: Any, facts: Facts) -> None:
        ids = [id.bytes for id, row in facts.finals.items() if row["job"].startswith((LINKS, FLOWS))]
        runs = {id: row for id, row in facts.finals.items() if row["job"].startswith(FLOWS)}
        of_runs = [id.bytes for id in runs]
        parents: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for row in await conn.fetch(TIES, ids):
            parents[UUID(bytes=row["child"])].add(UUID(bytes=row["parent"]))
        steps: defaultdict[UUID, list[Any]] = defaultdict(list)
        children: defaultdict[UUID, set[UUID]] = defaultdict(set)
        for row in await conn.fetch(STEPS, of_runs):
            steps[UUID(bytes=row["execution"])].append(row)
            if row["child"] is not None and row["kind"] != "result" and row["is_own"]:
                children[UUID(bytes=row["execution"])].add(UUID(bytes=row["child"]))
        for row in await conn.fetch(OF_MAPS, of_runs):
            children[UUID(bytes=row["execution"])].add(UUID(bytes=row["id"]))
        signals = {(UUID(bytes=row["execution"]), row["name"]): row["value"] for row in await conn.fetch(SIGNALS)}
        facts.wrong += [f"{row['what']} of {UUID(bytes=row['id'])} is left" for row in await conn.fetch(DANGLING)]
        facts.wrong += [" ".join(line) for line in facts.woven["wrong"]]
        excused = self._excused(facts, steps, children)
        for id in (UUID(bytes=own) for own in ids):
            self._order(facts, id, parents[id])
            self._end(facts, id, parents[id], excused)
        self._acknowledged(facts, parents, signals)
        for id in runs:
            self._record(facts, id, steps[id])
            self._calls(facts, id, steps[id])
            self._children(facts, id, children[id])
        self._owners(facts, children)
        self.chained += len(parents)
        self.runs += len(runs)
        self.steps += sum(map(len, steps.values()))
        self.revived += sum(row["was"] in ("failed", "cancelled") for rows in facts.moves.values() for row in rows)
        self.away += sum(
            row["was"] == "running" and row["now"] in ("waiting", "scheduled") for id in runs for row in facts.moves[id]
        )

    def text(self) -> str:
        """Counts, in words."""
        return (
            f"{self.chained:,} chained executions, {self.revived} ends taken back by a retry; {self.runs:,} runs of"
            f" workflows, put away {self.away:,} times, with {self.steps:,} steps, {self.signals:,} signals and"
            f" {self.calls:,} calls in place ({self.again} made again)"
        )

    @staticmethod
    def _excused(facts: Facts, steps: Any, children: Any) -> set[UUID]:
        """What may have been cancelled without a parent to blame: as was asked for, and by runs."""
        excused = {UUID(line[0]) for line in facts.woven["cancel"]}
        for rows in steps.values():
            excused |= {
                UUID(bytes=row["child"]) for row in rows if '"GivenUp"' in (row["error"] or "") and row["child"]
            }
        todo = [id for id in excused | set(children) if facts.status(id) == "cancelled"]
        while todo:
            new = children.get(todo.pop(), set()) - excused
            excused |= new
            todo += [id for id in new if facts.status(id) == "cancelled"]
        return excused

    @staticmethod
    def _order(facts: Facts, id: UUID, parents: set[UUID]) -> None:
        """No claim before all parents have succeeded."""
        claims = facts.claims(id)
        for parent in parents if claims else ():
            end = facts.end(parent)
            if facts.status(parent) != "succeeded" or end is None or min(claims) < end:
                facts.wrong.append(f"{id} was started before its parent {parent} had succeeded")
            # Its handler, not its claim, which bears the time its statement began: that may have waited for a lock.
            started = facts.finals[id]["started_at"] if facts.status(id) == "succeeded" else None
            finished = facts.finals[parent]["finished_at"] if parent in facts.finals else None
            if started is not None and finished is not None and started + CLOCKS < finished:
                facts.wrong.append(f"{id} says that it started before its parent {parent} finished")

    @staticmethod
    def _end(facts: Facts, id: UUID, parents: set[UUID], excused: set[UUID]) -> None:
        """It ended as its parents and its job let it."""
        row = facts.finals[id]
        name, status, error = row["job"].rpartition(":")[2], row["status"], json.loads(row["error"] or "{}")
        culprits = [parent for parent in parents if facts.status(parent) != "succeeded"]
        if culprits or error.get("type") == "ParentFailed":
            is_told = error.get("type") == "ParentFailed" and "it depends on" in error.get("message", "")
            if not culprits or status != "cancelled" or not (is_told or id in excused):
                facts.wrong.append(
                    f"{id} {name} ended {status} ({row['error']}) with these parents to blame: {culprits}"
                )
        elif status == "cancelled":
            if id not in excused:
                facts.wrong.append(f"{id} {name} was cancelled, and nobody asked for it")
        elif status == "failed" and not facts.is_spent(id):
            if name not in ("barred", "breaks") and error.get("type") != "ExecutionFailed":
                facts.wrong.append(f"{id} {name} failed: {row['error']}")
        elif status == "succeeded" and name == "breaks":
            facts.wrong.append(f"{id} {name} succeeded")

    def _acknowledged(self, facts: Facts, parents: Any, signals: dict[tuple[UUID, str], str]) -> None:
        """What was acknowledged is so: results, ties, retries, signals."""
        for id_text, value, tied in facts.woven["made"]:
            id = UUID(id_text)
            wanted = {UUID(one) for one in tied.split(",")} if tied != "-" else set()
            if id in facts.finals and parents[id] != wanted:
                facts.wrong.append(f"{id} is tied to {parents[id]}, and was submitted with {wanted}")
            if facts.status(id) != "succeeded":
                continue
            result = json.loads(facts.finals[id]["result"])
            got, token = (result["sum"], result["token"]) if isinstance(result, dict) else result
            if str(got) != value:
                facts.wrong.append(f"{id} {facts.finals[id]['job']} is {got}, not {value}")
            if token != facts.finals[id]["token"]:
                facts.wrong.append(f"{id}: the outcome of token {token} was accepted")
        for (id_text,) in facts.woven["retried"]:
            if facts.status(UUID(id_text)) != "succeeded":
                facts.wrong.append(f"{id_text} was run again, and is {facts.status(UUID(id_text))}")
        for id_text, name, value in facts.woven["signal"]:
            self.signals += 1
            kept = signals.get((UUID(id_text), name.removesuffix("+")))
            if (kept == value) != (not name.endswith("+")):
                facts.wrong.append(f"{id_text} has the signal {name} = {kept}, and {value} was taken")

    @staticmethod
    def _record(facts: Facts, id: UUID, steps: list[Any]) -> None:
        """A run that succeeded has a whole record, and its result is of it."""
        row = facts.finals[id]
        if [step["number"] for step in steps] != list(range(1, len(steps) + 1)):
            facts.wrong.append(f"{id} has the steps {[step['number'] for step in steps]}")
        if row["status"] == "failed" and not facts.is_spent(id):
            lost = [step for step in steps if step["child"] and facts.is_spent(UUID(bytes=step["child"]))]
            if not lost:
                facts.wrong.append(f"{id} {row['job']} failed: {row['error']}")
        if row["status"] != "succeeded":
            return
        for step in steps:
            if step["ended_at"] is None and step["child"] is None and step["kind"] != "sleep":
                facts.wrong.append(f"{id}: step {step['number']} ({step['kind']} {step['name']}) never ended")
            if (step["kind"], step["name"]) == ("event", "maybe"):
                said = NOBODY if step["result"] is None else json.loads(step["result"])
                if json.loads(row["result"])["maybe"] != said:
                    facts.wrong.append(f"{id} heard {json.loads(row['result'])['maybe']}, and its record says {said}")

    def _calls(self, facts: Facts, id: UUID, steps: list[Any]) -> None:
        """A call in place is made again only where it is not on record, and its record is of one that was made."""
        made = facts.calls.get(id, [])
        recorded = [step for step in steps if step["kind"] == "call" and step["result"] and step["is_own"]]
        self.calls += len(made)
        self.again += max(0, len(made) - 1)
        if len({token for token, _ in made}) != len(made):
            facts.wrong.append(f"{id} made a call twice under one claim: {made}")
        for step in recorded:
            word = json.loads(step["result"])[1]
            tokens = [token for token, nonce in made if nonce == word]
            if not tokens:
                facts.wrong.append(f"{id} has a call on record that nobody made: {word}")
            elif max(token for token, _ in made) > tokens[0]:
                facts.wrong.append(f"{id} made a call again that was on record: {made}")

    @staticmethod
    def _children(facts: Facts, id: UUID, children: set[UUID]) -> None:
        """What a cancelled run had begun is not begun any more."""
        end = facts.end(id)
        if facts.status(id) != "cancelled" or end is None:
            return
        for child in children:
            if any(claim > end for claim in facts.claims(child)):
                facts.wrong.append(f"{child} was started after its run {id} had been cancelled")

    @staticmethod
    def _owners(facts: Facts, children: dict[UUID, set[UUID]]) -> None:
        """Each step began its own executions, and none that are on no record."""
        owned: dict[UUID, UUID] = {}
        for run, begun in children.items():
            for child in begun:
                if owned.setdefault(child, run) != run:
                    facts.wrong.append(f"{child} is a step of {run} and of {owned[child]}")
        for id, row in facts.finals.items():
            name = row["job"].rpartition(":")[2]
            is_of_run = name in ("part", "crawl", "shaky", "breaks") and row["queue"] == "default"
            if is_of_run and id not in owned:
                facts.wrong.append(f"{id} {name} is on no record")
