"""What is in the database, as values: executions, batches, queues."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from currant_lab.errors import InvalidArguments, UnknownExecution
from currant_lab.outcomes import ErrorInfo
from currant_lab.status import Status

if TYPE_CHECKING:
    import asyncpg

    from currant_lab.database.connect import Database

__all__ = [
    "COUNT_LIMIT",
    "RESULT_INLINE",
    "BatchInfo",
    "Ended",
    "ExecutionInfo",
    "Finished",
    "QueueCount",
    "attempts_of",
    "batch_counts",
    "batch_ids",
    "counts",
    "ended",
    "find_batch",
    "finished",
    "list_executions",
    "payloads",
    "queues",
    "read",
    "results",
    "unknown",
]

COUNT_LIMIT = 20_000
"""Up to here what waits in a queue is counted one by one (some milliseconds); beyond, it is estimated by a sample."""

RESULT_INLINE = 64 * 1024
"""Bytes up to which a result travels with the news that its execution has ended."""

_SAMPLE_PAGES = 1_000
_LAST_ID = b"\xff" * 16

_decode_error = msgspec.json.Decoder(ErrorInfo).decode


class ExecutionInfo(msgspec.Struct, frozen=True):
    """All that the database knows of an execution, but for its arguments and result.

    `attempts` (the earlier attempts, as the database keeps them) and `logs` are None in lists.
    """

    id: bytes
    job: str
    queue: str
    priority: int
    status: Status
    attempt: int
    retries: int | None
    rescues: int
    claimed_by: int | None
    batch: int | None
    created_at: datetime
    due_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    cancelling: bool
    progress: float | None
    progress_note: str | None
    source: str | None
    error: ErrorInfo | None
    attempts: str | None
    logs: str | None

    @property
    def uuid(self) -> UUID:
        """The id as people see it."""
        return UUID(bytes=self.id)


class Ended(msgspec.Struct, frozen=True, gc=False):
    """How an execution ended. `result` is None when it did not succeed, or is too large to come along."""

    id: bytes
    status: str
    attempt: int
    error: ErrorInfo | None = None
    result: bytes | None = None


class BatchInfo(msgspec.Struct, frozen=True):
    """A batch: `size` counts all its executions, the pruned ones too."""

    id: int
    job: str
    size: int


class QueueCount(msgspec.Struct, frozen=True):
    """What stands in a queue. With `exact` false, `pending` and `scheduled` are estimates, some percent off.

    `paused_at` is None while pools claim from it.
    """

    name: str
    pending: int
    running: int
    scheduled: int
    exact: bool
    paused_at: datetime | None


class Finished(msgspec.Struct, frozen=True):
    """How many executions history holds; estimates, some percent off, with `exact` false."""

    succeeded: int
    failed: int
    cancelled: int
    exact: bool


async def read(database: Database, ids: Sequence[bytes]) -> dict[bytes, ExecutionInfo]:
    """The executions of these ids, as far as there are any."""
    if not ids:
        return {}
    records = await database.fetch("executions_read", ids, min(ids), max(ids))
    return {record["id"]: _info(record) for record in records}


async def list_executions(
    database: Database,
    *,
    status: str | None = None,
    job: str | None = None,
    queue: str | None = None,
    limit: int = 100,
    before: bytes | None = None,
) -> list[ExecutionInfo]:
    """Executions, newest first.

    Args:
        database: where to look.
        status: only these; any by default.
        job: only those of this job: its full name, or the function's own.
        queue: only those of this queue.
        limit: how many at most.
        before: only those older than this id: the last one of the page before.

    Raises:
        InvalidArguments: an unknown status, or a limit below 0.
    """
    if status is not None and status not in list(Status):
        raise InvalidArguments(f"there is no status {status!r}; there are {', '.join(Status)}")
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit < 2**31:
        raise InvalidArguments(f"limit is a whole number, at least 0, not {limit!r}")
    wanted = None if status is None else str(status)
    records = await database.fetch("executions_list", wanted, job, queue, before or _LAST_ID, limit)
    return [_info(record) for record in records]


async def ended(database: Database, ids: Sequence[bytes]) -> list[Ended]:
    """How those of `ids` that have ended did so. A result above 64 kB stays behind: see `results`."""
    records = await database.fetch("executions_ended", ids, min(ids), max(ids), RESULT_INLINE)
    return [
        Ended(own, status, attempt, _decode_error(error) if error else None, result)
        for own, status, attempt, error, result in records
    ]


async def unknown(database: Database, ids: Sequence[bytes]) -> set[bytes]:
    """Those of `ids` that the database doesn't know."""
    records = await database.fetch("executions_find", ids, min(ids), max(ids))
    return set(ids).difference(record["id"] for record in records)


async def results(database: Database, ids: Sequence[bytes]) -> dict[bytes, bytes]:
    """The encoded results of those of `ids` that succeeded."""
    records = await database.fetch("history_results", ids, min(ids), max(ids))
    return {record["id"]: record["result"] for record in records if record["result"] is not None}


async def payloads(database: Database, id: bytes) -> tuple[bytes, bytes | None]:
    """(arguments, result) of an execution, encoded: see `currant_lab.values`.

    Raises:
        UnknownExecution: there is none of this id.
    """
    record = await database.fetchrow("execution_payloads", id)
    if record is None:
        raise UnknownExecution(f"there is no execution {UUID(bytes=id)}")
    return record["args"], record["result"]


async def find_batch(database: Database, name: str) -> BatchInfo:
    """The batch of that name.

    Raises:
        UnknownExecution: there is none.
    """
    record = await database.fetchrow("batch_find", name)
    if record is None:
        raise UnknownExecution(f"there is no batch {name!r}")
    return BatchInfo(record["id"], record["job"], record["size"])


async def batch_ids(database: Database, batch: int) -> list[bytes]:
    """The ids of a batch, in the order they were submitted. Pruned executions are missing."""
    return [record["id"] for record in await database.fetch("batch_ids", batch)]


async def batch_counts(database: Database, batch: int) -> dict[str, int]:
    """How many executions of a batch there are, by status; in the order of an execution's life."""
    return _in_order(await database.fetch("batch_counts", batch))


async def counts(database: Database, ids: Sequence[bytes]) -> dict[str, int]:
    """How many of these executions there are, by status."""
    return _in_order(await database.fetch("executions_counts", ids, min(ids), max(ids))) if ids else {}


async def queues(database: Database, limit: int | None = None) -> list[QueueCount]:
    """All queues with something in them or a pause on them, by name.

    Counts are exact up to `limit` for each queue (by default `COUNT_LIMIT`); beyond, they come from a sample of the
    table, so that a view of a million waiting executions costs no more than one of a thousand.
    """
    limit = COUNT_LIMIT if limit is None else limit
    records = await database.fetch("queues_count", limit)
    total = sum(record["scheduled"] for record in records)
    is_short = total >= limit or any(record["pending"] >= limit for record in records)
    sample = {}
    if is_short:
        sampled = await database.fetch("queues_sample", _SAMPLE_PAGES)
        sample = {(record["queue"], record["status"]): record["count"] for record in sampled}
    return [_queue(record, sample, limit, scheduled_cut=total >= limit) for record in records]


async def finished(database: Database) -> Finished:
    """How much history there is. Above 1,000 pages (8 MB) it is estimated by a sample."""
    records = await database.fetch("history_count", _SAMPLE_PAGES)
    by_status = {record["status"]: record["count"] for record in records}
    return Finished(
        succeeded=by_status.get("succeeded", 0),
        failed=by_status.get("failed", 0),
        cancelled=by_status.get("cancelled", 0),
        exact=all(record["exact"] for record in records),
    )


def _queue(
    record: asyncpg.Record, sample: dict[tuple[str, str], int], limit: int, *, scheduled_cut: bool
) -> QueueCount:
    name, pending, scheduled = record["queue"], record["pending"], record["scheduled"]
    pending_cut = pending >= limit
    if pending_cut:
        pending = max(pending, sample.get((name, "pending"), 0))
    if scheduled_cut:
        scheduled = max(scheduled, sample.get((name, "scheduled"), 0))
    return QueueCount(
        name, pending, record["running"], scheduled, not (pending_cut or scheduled_cut), record["paused_at"]
    )


def _in_order(records: Sequence[asyncpg.Record]) -> dict[str, int]:
    by_status = {record["status"]: record["count"] for record in records}
    return {status.value: by_status[status] for status in Status if status in by_status}


def _info(record: asyncpg.Record) -> ExecutionInfo:
    values: dict[str, Any] = dict(record)
    error = values.pop("error")
    info = None if error is None else _decode_error(error)
    return ExecutionInfo(**values | {"status": Status(values["status"]), "error": info})


def attempts_of(info: ExecutionInfo) -> list[dict[str, Any]]:
    """The attempts before the present one, oldest first: attempt, pool, started_at, finished_at, error."""
    found: list[dict[str, Any]] = msgspec.json.decode(info.attempts) if info.attempts else []
    return found
