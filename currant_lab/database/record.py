"""The record of workflows: the steps that a run has begun, the signals it got, and what becomes of a run."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from currant_lab.database.inspect import Ended
from currant_lab.database.limits import in_transaction, limited
from currant_lab.database.statements import statement
from currant_lab.database.submit import BatchWriter, NewExecution, columns, insert_tied
from currant_lab.errors import CurrantError, UnknownExecution
from currant_lab.outcomes import ErrorInfo

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = [
    "GIVEN_UP", "ClaimLost", "EventState", "Leaving", "NewStep", "RecordedStep", "StepInfo", "StepMapWriter", "Written",
    "error_of_row", "event_state", "find_step", "fork", "list_steps", "put_away", "read_steps", "rerun", "send_signal",
    "step_value", "write_steps",
]  # fmt: skip

_INLINE = 1024 * 1024
"""Bytes up to which the result of a step is read with the record; what is larger is read when it is asked for."""

GIVEN_UP = "GivenUp"
"""The type of the error of a step whose function stopped waiting for it, as after a timeout."""

_decode_error = msgspec.json.Decoder(ErrorInfo).decode


class ClaimLost(asyncio.CancelledError):
    """The run is another's by now, and nothing was written: no `except Exception` is to go on as if it had been."""


class NewStep(msgspec.Struct):
    """A step to be written, or its end to be added. `kind`, `name` and `seen` as in the table `steps`.

    Attributes:
        child: the execution that it begins.
        awaits: the id of one that is there already, and whose end it waits for; of a whole batch the first.
        awaits_to: the last of the batch.
        awaits_batch: its number.
        seconds: to its due time, from the database's present.
        is_over: it has ended, with `result` or `error`.
        began: when the function came to it, by `time.monotonic()`.
    """

    number: int
    kind: str
    name: str
    seen: tuple[int, ...]
    began: float
    child: NewExecution | None = None
    awaits: bytes | None = None
    awaits_to: bytes | None = None
    awaits_batch: int | None = None
    seconds: float | None = None
    result: bytes | None = None
    error: ErrorInfo | None = None
    is_over: bool = False


class RecordedStep(msgspec.Struct, frozen=True):
    """A step of the record, as the run reads it when its function is called again.

    Attributes:
        seconds_left: to its due time.
        ended: how its execution ended, if it is one, and has.
        signal: what has come for an event that is not over.
    """

    number: int
    kind: str
    name: str
    seen: tuple[int, ...]
    child: bytes | None
    batch: int | None
    is_over: bool
    seconds_left: float | None
    result: bytes | None
    error: ErrorInfo | None
    ended: Ended | None
    signal: bytes | None = None


class StepInfo(msgspec.Struct, frozen=True):
    """A step as people look at it.

    Attributes:
        number: from 1, in the order of their begin.
        kind: `run`, `map`, `submit`, `result`, `call`, `event`, `sleep`, `now`, `random`, `uuid` or `patched`.
        name: of the job, the function, or the event.
        status: as of an execution; `waiting` for an event or a moment.
        began_at, started_at, ended_at: when it was begun, its execution started, it ended; None: not yet.
        due_at: the end of a sleep, the latest of an event.
        child: the execution it began or awaits; the first one of a map.
        batch: the number of its map.
        attempt, progress, progress_note: of its execution.
        unfinished, ended, bad, running: of a map, how many have not ended, have, have not succeeded, and run now.
        seen: the steps whose end its function had seen since the begin of the step before.
    """

    number: int
    kind: str
    name: str
    status: str
    began_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    child: bytes | None
    batch: int | None
    attempt: int | None
    progress: float | None
    progress_note: str | None
    error: ErrorInfo | None
    unfinished: int | None
    ended: int | None
    bad: int | None
    seen: tuple[int, ...]
    running: int | None = None


class Written(msgspec.Struct, frozen=True):
    """What `write_steps` has done.

    Attributes:
        held: the runs that still hold their claim; of the others nothing was written.
        wakes: the wake-ups that went out.
        started: the executions that run here already, and when they were created, in microseconds since 1970.
    """

    held: set[bytes]
    wakes: list[str]
    started: dict[bytes, int]


class Leaving(msgspec.Struct, frozen=True):
    """A run that is put away: the token of its claim, the steps it waits for, and what it has printed."""

    run: bytes
    token: int
    open_steps: Sequence[int]
    printed: str | None


class EventState(msgspec.Struct, frozen=True):
    """How an event stands: whether its step is over, with which payload (None: its time ran out), and the seconds that
    are left."""

    is_over: bool
    value: bytes | None
    seconds_left: float | None


async def write_steps(
    database: Database, group: Sequence[tuple[bytes, int, Sequence[NewStep]]], here: Mapping[bytes, int]
) -> Written:
    """Write steps of runs, each with the token of its claim, in one statement. `here` are executions among those they
    begin for which a pool of this process keeps a worker: they run at once."""
    tokens = {run: token for run, token, _ in group}
    rows = [(run, step) for run, _, steps in group for step in steps]
    begun = [(run, step.number, step.child) for run, step in rows if step.child is not None]
    plain = [(run, number, child) for run, number, child in begun if child.ties is None]
    tied = [(run, number, child) for run, number, child in begun if child.ties is not None]
    present = time.monotonic()
    arguments = (
        list(tokens),
        list(tokens.values()),
        [run for run, _ in rows],
        [step.number for _, step in rows],
        [step.kind for _, step in rows],
        [step.name for _, step in rows],
        [_numbers(step.seen) for _, step in rows],
        [step.child.id if step.child is not None else step.awaits for _, step in rows],
        [step.awaits_to for _, step in rows],
        [step.awaits_batch for _, step in rows],
        [step.seconds for _, step in rows],
        [step.result for _, step in rows],
        [None if step.error is None else step.error.to_json() for _, step in rows],
        [step.is_over for _, step in rows],
        [present - step.began for _, step in rows],
        [run for run, _, _ in plain],
        [number for _, number, _ in plain],
        [child.id for _, _, child in plain],
        *columns([child for _, _, child in plain]),
        [here.get(child.id) for _, _, child in plain],
    )
    async with database.acquire() as conn:
        is_whole = bool(tied) or database.pooled
        async with in_transaction(conn) if is_whole else contextlib.nullcontext():
            async with limited(conn):
                records = await conn.fetch(statement("steps_write", database.schema), *arguments)
            held = {record["run"] for record in records if record["run"] is not None}
            new = {(record["run"], record["number"]) for record in records}
            wakes = [record["payload"] for record in records if record["payload"] is not None]
            started = {record["child"]: record["created_at"] for record in records if record["child"] is not None}
            for run, number, child in tied:
                if (run, number) in new:
                    async with limited(conn):
                        wakes += await insert_tied(conn, database.schema, child)
    return Written(held, wakes, started)


class StepMapWriter(BatchWriter):
    """Writes a map together with the step of a run that it is: an outage is no failure of a workflow.

    Raises, at the commit:
        ClaimLost: the run is another's by now. Nothing was written.
    """

    patience = math.inf
    run: bytes
    token: int
    step: NewStep

    async def commit(self) -> str | None:
        """The step first: it is what says that the map is there."""
        step = self.step
        async with limited(self._conn):
            found = await self._conn.fetchval(
                self._sql("step_map"), self.run, self.token, step.number, step.kind, step.name, step.seen, self.batch
            )
        if found is None:
            raise ClaimLost
        return await super().commit()


async def read_steps(database: Database, runs: Sequence[bytes]) -> dict[bytes, list[RecordedStep]]:
    """The records of runs; one that has none is left out."""
    found: dict[bytes, list[RecordedStep]] = {}
    for record in await database.fetch("steps_read", runs, _INLINE):
        step = RecordedStep(
            record["number"],
            record["kind"],
            record["name"],
            tuple(record["seen"]),
            record["child"],
            record["batch"],
            record["ended_at"] is not None,
            record["seconds_left"],
            record["result"],
            error_of_row(record["error"]),
            _ended(record),
            record["signal"],
        )
        found.setdefault(record["execution"], []).append(step)
    return found


async def list_steps(database: Database, run: bytes, limit: int = 10_000, after: int = 0) -> list[StepInfo]:
    """The steps of a run as they stand now, from the one behind `after` on."""
    return [
        StepInfo(**{**dict(record), "error": error_of_row(record["error"]), "seen": tuple(record["seen"])})
        for record in await database.fetch("steps_list", run, limit, after)
    ]


async def find_step(database: Database, run: bytes, which: int | str, *, first: bool = False) -> int:
    """The number of a step: of a name, the last of that name, or the first.

    Raises:
        UnknownExecution: the run has no such step.
    """
    if isinstance(which, int):
        found = [which] if await database.fetchrow("step_value", run, which) is not None else []
    else:
        found = [record["number"] for record in await database.fetch("step_find", run, which)]
    if not found:
        raise UnknownExecution(f"this execution has no step {which!r} on record")
    return int(found[0 if first else -1])


async def step_value(database: Database, run: bytes, number: int) -> Any:
    """The row of one step, with `kind name child batch ended_at result error`."""
    return await database.fetchrow("step_value", run, number)


async def put_away(database: Database, group: Sequence[Leaving]) -> dict[bytes, str]:
    """Give runs back until one of their steps has ended, in one statement.

    Returns their statuses: `locked` for one that somebody else holds just now, which is to be tried again; none for one
    whose claim was lost."""
    arguments = (
        [one.run for one in group],
        [one.token for one in group],
        [_numbers(one.open_steps) for one in group],
        [one.printed for one in group],
    )
    return {record["run"]: record["status"] for record in await database.fetch("run_put_away", *arguments)}


async def event_state(database: Database, run: bytes, number: int) -> EventState:
    """How the event of a step stands; ends the step where its signal has come, or its time is over."""
    record = await database.fetchrow("run_event", run, number)
    if record is None:
        raise CurrantError("the record of this run has been changed meanwhile")
    return EventState(record["is_over"], record["value"], record["seconds_left"])


async def send_signal(database: Database, run: bytes, name: str, value: bytes) -> None:
    """Send a signal to a run.

    Raises:
        UnknownExecution: there is no such run.
        CurrantError: it has ended, or has had a signal of that name, which stays.
    """
    took = str(await database.fetchval("run_signal", run, name, value))
    own = UUID(bytes=run)
    if took == "unknown":
        raise UnknownExecution(f"there is no execution {own} in the database (any more)")
    if took == "ended":
        raise CurrantError(f"execution {own} has ended: nobody takes the signal {name!r}")
    if took == "known":
        raise CurrantError(f"execution {own} has had a signal {name!r}: the first counts, this was dropped")


async def fork(database: Database, run: bytes, copy: bytes, step: int) -> bool:
    """Make a new run of the id `copy` that goes on from a step; whether it was made."""
    return bool(await database.fetchval("run_fork", run, copy, step))


async def rerun(database: Database, run: bytes, step: int) -> str | None:
    """Let a run go on from a step; returns the status it had, None where there is none. What runs is left alone."""
    status: str | None = await database.fetchval("run_rerun", run, step)
    return status


def error_of_row(text: str | None) -> ErrorInfo | None:
    """The error that a row keeps as JSON."""
    return _decode_error(text) if text else None


def _numbers(values: Iterable[int]) -> str:
    """A column of arrays of different lengths goes as text."""
    return "{" + ",".join(map(str, values)) + "}"


def _ended(record: Any) -> Ended | None:
    if record["ended_as"] is None:
        return None
    error = error_of_row(record["child_error"])
    return Ended(record["child"], record["ended_as"], record["attempt"], error, record["child_result"])
