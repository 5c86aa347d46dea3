"""What a person does to executions and queues: cancel, run again, pause, prune."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from currant_lab.database.statements import statement
from currant_lab.errors import InvalidArguments
from currant_lab.jobs import check_name

if TYPE_CHECKING:
    import asyncpg

    from currant_lab.database.connect import Database

__all__ = ["Cancelled", "Pruned", "cancel", "pause", "prune", "resume", "retry"]

_CHUNK = 5_000
"""Rows of one statement: some tens of milliseconds, so that nobody waits long for a lock."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancel found: `ended` had not started and are cancelled, `asked` were running and will be told.
    Those in neither had finished, or don't exist."""

    ended: tuple[bytes, ...]
    asked: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removed: executions, of which some in whole partitions; and batches of which nothing was left."""

    executions: int
    partitions: int
    batches: int


async def cancel(database: Database, ids: Sequence[bytes]) -> Cancelled:
    """Cancel executions: those that wait end at once, those that run are asked to end through their pool."""
    ended: list[bytes] = []
    asked: list[bytes] = []
    for chunk in _chunks(ids):
        for record in await database.fetch("executions_cancel", chunk):
            (asked if record["status"] == "running" else ended).append(record["id"])
    return Cancelled(tuple(ended), tuple(asked))


async def retry(
    database: Database, ids: Sequence[bytes], statuses: Sequence[str] = ("failed", "cancelled")
) -> tuple[bytes, ...]:
    """Run finished executions again, from their first attempt. Returns the ids of those it was done for:
    the failed and cancelled ones, or only those whose status is in `statuses`."""
    again: list[bytes] = []
    for chunk in _chunks(ids):
        records = await database.fetch("executions_retry", chunk, min(chunk), max(chunk), list(statuses))
        again += [record["id"] for record in records]
    return tuple(again)


async def pause(database: Database, queue: str) -> None:
    """Let nothing be claimed from a queue any more; what runs goes on.

    Raises:
        InvalidArguments: no queue can have that name.
    """
    await database.execute("queue_pause", check_name("queue", queue))


async def resume(database: Database, queue: str) -> bool:
    """Let a paused queue go on; returns whether it was paused.

    Raises:
        InvalidArguments: no queue can have that name.
    """
    return bool(await database.fetch("queue_resume", check_name("queue", queue)))


async def prune(database: Database, older_than: timedelta, *, now: datetime | None = None) -> Pruned:
    """Remove the executions that finished longer ago than `older_than`. Those that wait or run stay.

    Partitions of history (a week each) in which all is old enough are dropped whole; other rows are deleted in
    chunks, each in a transaction of its own.

    Raises:
        InvalidArguments: `older_than` is negative.
    """
    if older_than < timedelta(0):
        raise InvalidArguments("older_than is at least 0")
    before = (now or datetime.now(UTC)) - older_than
    in_partitions, partitions = await _drop_partitions(database, before)
    rows = await _delete_rows(database, before)
    batches = int(await database.fetchval("prune_batches", before))
    return Pruned(in_partitions + rows, partitions, batches)


async def _drop_partitions(database: Database, before: datetime) -> tuple[int, int]:
    """(executions, partitions) dropped."""
    executions = partitions = 0
    for part in await database.fetch("prune_partitions", before):
        if not part["may_drop"]:
            continue  # not the owner's right: its rows are deleted instead
        arguments = (part["low"], part["high"], before)
        if await database.fetchval("prune_is_old", *arguments) is None:
            continue
        held = await _drop(database, part, arguments)
        if held is not None:
            executions += held
            partitions += 1
    return executions, partitions


async def _drop(database: Database, part: asyncpg.Record, arguments: tuple[object, ...]) -> int | None:
    """Drop a partition unless something old has just finished into it; how many executions went with it."""
    import asyncpg

    async with database.acquire() as conn:
        try:
            async with conn.transaction():
                await conn.execute(statement("prune_patience", database.schema))
                await conn.execute(part["lock"])  # against writers: what finishes now must be seen below
                held: int | None = await conn.fetchval(statement("prune_is_old", database.schema), *arguments)
                if held is not None:
                    await conn.execute(part["drop"])
                return held
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return None  # somebody reads it for long: its rows are deleted one by one instead


async def _delete_rows(database: Database, before: datetime) -> int:
    deleted, last = 0, b"\0" * 16
    while True:
        record = await database.fetchrow("prune_rows", before, last, _CHUNK)
        if record is None or record["last"] is None:
            return deleted
        deleted += record["deleted"]
        last = record["last"]


def _chunks(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
