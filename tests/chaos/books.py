"""The audit: what really happened to every row, kept by triggers, held against acknowledgements, traces and results."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

from currant_lab.status import FINAL, Action, Record, Status, TransitionError, step
from tests.chaos.facts import Facts, is_spent
from tests.chaos.jobs import answer
from tests.chaos.woven import Woven

JOBS = "tests.chaos.jobs:"


@dataclass
class Books:
    """What has been checked so far. Every check goes on where the one before ended.

    Attributes:
        lost: acknowledged ids that are not final.
        twice: ids with more than one end.
        wrong: everything else that doesn't agree, in words.
        spent: executions that ended failed because their pools died again and again, by no fault of their own.
        woven: what has been checked of chains and workflows.
        rescues_s: how long what a dead pool held took to be pending again.
    """

    directory: Path
    lost: int = 0
    twice: int = 0
    executions: int = 0
    claims: int = 0
    rescued: int = 0
    spent: int = 0
    unacknowledged: int = 0
    wrong: list[str] = field(default_factory=list)
    woven: Woven = field(default_factory=Woven)
    rescues_s: list[float] = field(default_factory=list)
    _move: int = 0
    _places: dict[str, int] = field(default_factory=dict)
    _begun: set[tuple[str, int, int]] = field(default_factory=set)

    async def check(self, conn: Any, deaths: dict[int, float], expected: dict[str, str]) -> None:
        """Check everything since the last time; the system is at rest.

        Args:
            conn: a connection of the driver's own.
            deaths: process id and moment of the pools that were killed.
            expected: job names whose executions may end otherwise than succeeded, and how.
        """
        acks = {UUID(id): (name, int(x)) for id, name, x in self._lines("acks")}
        moves = await conn.fetch("SELECT * FROM public.moves WHERE n > $1 ORDER BY n", self._move)
        self._move = max((row["n"] for row in moves), default=self._move)
        by_id: defaultdict[UUID, list[Any]] = defaultdict(list)
        for row in moves:
            by_id[UUID(bytes=row["id"])].append(row)
        woven: defaultdict[str, list[list[str]]] = defaultdict(list)
        for word, *more in self._lines("woven"):
            woven[word].append(more)
        acknowledged = acks.keys() | {UUID(line[0]) for line in woven["made"]}
        ids = list(acknowledged | by_id.keys())
        ended = await conn.fetch("SELECT * FROM currant.history WHERE id = ANY ($1)", [id.bytes for id in ids])
        finals = {UUID(bytes=row["id"]): row for row in ended}
        self.executions += len(ids)
        self.unacknowledged += len(by_id.keys() - acknowledged)
        self.lost += len(acknowledged - finals.keys())
        running = await conn.fetchval("SELECT count(*) FROM currant.executions")
        if running:
            self.wrong.append(f"{running} executions are left")
        ends_of, calls = self._trace()
        for id, rows in by_id.items():
            self._life(id, rows)
            if id in finals and finals[id]["status"] == "succeeded" and finals[id]["token"] not in ends_of[id.hex]:
                self.wrong.append(
                    f"{id} has an outcome of token {finals[id]['token']}, whose handler never came to its end"
                )
            if id in finals and finals[id]["job"].startswith(JOBS):
                self._result(id, finals[id], acks.get(id), expected)
        claims = [(id, row) for id, rows in by_id.items() for row in rows if row["now"] == "running"]
        self.claims += len(claims)
        claimed = {(id.hex, row["token"], row["attempt"]) for id, row in claims}
        for id_hex, token, attempt in self._begun - claimed:
            self.wrong.append(f"{id_hex} ran with token {token} as attempt {attempt}, which no claim gave out")
        self._begun.clear()
        await self.woven.check(conn, Facts(by_id, finals, woven, calls, self.wrong))
        await self._time_rescues(conn, deaths, moves)

    def _life(self, id: UUID, rows: list[Any]) -> None:
        """Every move is one that the specification has."""
        ends = [row["now"] in FINAL for row in rows if row["now"] in FINAL or row["was"] in FINAL]
        if any(one and other for one, other in pairwise(ends)):  # not run again in between
            self.twice += 1
        token = 0
        for row in rows:
            if row["now"] == "running":
                if row["token"] <= token:
                    self.wrong.append(f"{id}: token {row['token']} after {token}")
                token = row["token"]
            elif row["token"] != token and row["was"] == "running":
                self.wrong.append(f"{id}: {row['was']} to {row['now']} with token {row['token']}, claimed with {token}")
            if row["was"] != row["now"] and not _exists(Status(row["was"]), Status(row["now"])):
                self.wrong.append(f"{id}: {row['was']} to {row['now']}: no such step")

    def _result(self, id: UUID, final: Any, ack: tuple[str, int] | None, expected: dict[str, str]) -> None:
        name = final["job"].rpartition(":")[2]
        wanted = expected.get(name, "succeeded")
        if final["status"] == "failed" and is_spent(final):
            self.spent += wanted != "failed"
            return
        if final["status"] != wanted:
            self.wrong.append(f"{id} {name} ended {final['status']}, not {wanted}: {final['error']}")
        if final["status"] != "succeeded":
            return
        x = json.loads(final["args"])[0]
        value, token = json.loads(final["result"])
        if value != answer(x) or (ack is not None and x != ack[1]):
            self.wrong.append(f"{id} {name}({x}) is {value}")
        if token != final["token"]:
            self.wrong.append(f"{id} {name}: the outcome of token {token} was accepted as that of {final['token']}")

    def _trace(self) -> tuple[defaultdict[str, set[int]], defaultdict[UUID, list[tuple[int, str]]]]:
        """By the handlers' own word: the tokens with which each execution came to its end, and the calls in place."""
        ends: defaultdict[str, set[int]] = defaultdict(set)
        calls: defaultdict[UUID, list[tuple[int, str]]] = defaultdict(list)
        begins: Counter[tuple[str, int, int]] = Counter()
        for word, id, token, attempt, _pid, *more in self._lines("trace"):
            if word == "end":
                ends[id].add(int(token))
            elif word == "call":
                calls[UUID(id)].append((int(token), more[0]))
            else:
                begins[id, int(token), int(attempt)] += 1
        self.wrong += [f"{key} began {times} times" for key, times in begins.items() if times > 1]
        self._begun |= begins.keys()
        return ends, calls

    async def _time_rescues(self, conn: Any, deaths: dict[int, float], moves: list[Any]) -> None:
        pids = {row["id"]: row["pid"] for row in await conn.fetch("SELECT id, pid FROM currant.pools")}
        for row in moves:
            died = deaths.get(pids.get(row["pool"], 0))
            is_rescue = row["was"] == "running" and row["now"] in ("pending", "failed")
            if died is not None and is_rescue and row["at"].timestamp() > died:
                self.rescued += 1
                self.rescues_s.append(row["at"].timestamp() - died)

    def _lines(self, name: str) -> list[list[str]]:
        """The whole new lines of a file."""
        path = self.directory / name
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._places.get(name, 0))
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._places[name] = self._places.get(name, 0) + len(whole)
        return [line.split() for line in whole.decode().splitlines()]


def _exists(was: Status, now: Status) -> bool:
    """Whether some action leads from one status to the other."""
    for action in Action:
        for record in (Record(was), Record(was, cancelling=True), Record(was, rescues=99)):
            try:
                if step(record, action).status == now:
                    return True
            except TransitionError:
                continue
    return False
