"""New executions on their way into the database: many single ones in a statement, a whole map by COPY."""

from __future__ import annotations

import contextlib
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from currant_lab.database.statements import statement
from currant_lab.errors import CurrantError, InvalidArguments

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["BatchWriter", "NewExecution", "Placement", "insert", "insert_again", "insert_with"]


class Placement(msgspec.Struct, frozen=True):
    """All of a new execution that its siblings in a map share.

    Attributes:
        retries: null where the job's own number counts.
        options: JSON, see `Policy.row_options`.
        delay: seconds from the commit, by the database's clock.
        at: the moment it is due, instead of a delay.
    """

    job: str
    queue: str = "default"
    priority: int = 0
    retries: int | None = None
    options: str | None = None
    delay: float = 0.0
    at: datetime | None = None


class NewExecution(msgspec.Struct, frozen=True):
    """One execution to be written."""

    id: bytes
    placement: Placement
    args: bytes


async def insert(database: Database, conn: Any, rows: Sequence[NewExecution]) -> list[str]:
    """Write executions in one statement and return the wake-ups that went out with it.

    Where the connection breaks it may or may not have happened: see `insert_again`.

    Args:
        database: where to.
        conn: one of its connections.
        rows: what to write.
    """
    async with conn.transaction() if database.pooled else contextlib.nullcontext():
        return await _insert(conn, database.schema, rows, [row.id for row in rows])


async def insert_again(database: Database, rows: Sequence[NewExecution]) -> list[str]:
    """`insert` for rows that an attempt before may have written: none is ever there twice.

    Looks for them in both tables first. One that is on its way is held, so that it can't finish, and leave
    the id free, between the look and the insert.
    """
    ids = [row.id for row in rows]
    async with database.acquire() as conn, conn.transaction():
        held = await conn.fetch(statement("executions_hold", database.schema), ids)
        found = await conn.fetch(statement("history_find", database.schema), ids, min(ids), max(ids))
        known = {record["id"] for record in (*held, *found)}
        missing = [row for row in rows if row.id not in known]
        sent = await _insert(conn, database.schema, missing, [row.id for row in missing]) if missing else []
        return sent + [_wake(row.placement) for row in rows if row.id in known]


async def insert_with(connection: Any, schema: str, row: NewExecution) -> None:
    """Write one execution on somebody else's asyncpg connection, as part of the transaction it is in.

    Raises:
        InvalidArguments: it is no asyncpg connection.
        asyncpg.PostgresError: the database refuses, the transaction with it.
    """
    if not hasattr(connection, "fetch") or not hasattr(connection, "copy_records_to_table"):
        raise InvalidArguments(f"connection is an asyncpg connection, not a {type(connection).__qualname__}")
    await _insert(connection, schema, [row], [UUID(bytes=row.id)])


async def _insert(conn: Any, schema: str, rows: Sequence[NewExecution], ids: Sequence[object]) -> list[str]:
    if len(rows) == 1 and not rows[0].placement.delay and rows[0].placement.at is None:
        return await _insert_one(conn, schema, rows[0], ids[0])
    places = [row.placement for row in rows]
    records = await conn.fetch(
        statement("executions_submit", schema),
        ids,
        [place.job for place in places],
        [place.queue for place in places],
        [place.priority for place in places],
        [place.retries for place in places],
        [place.options for place in places],
        [place.delay for place in places],
        [place.at for place in places],
        [row.args for row in rows],
    )
    return [record["payload"] for record in records]


async def _insert_one(conn: Any, schema: str, row: NewExecution, id: object) -> list[str]:
    place = row.placement
    records = await conn.fetch(
        statement("execution_submit", schema),
        id,
        place.job,
        place.queue,
        place.priority,
        place.retries,
        place.options,
        row.args,
    )
    return [record["payload"] for record in records]


def _wake(placement: Placement) -> str:
    return "@" if placement.delay > 0 or placement.at is not None else f"+{placement.queue}"


class BatchWriter:
    """Writes one map, in one transaction: all of it is there after `commit`, or nothing.

    `write` and `commit` belong to the block of `async with`; leaving it without `commit` undoes everything.

    Attributes:
        batch: the batch's number.
        size: how many executions it has, the new ones included once they are committed.
        is_in_doubt: a commit was sent and has not been answered.
    """

    def __init__(self, database: Database, placement: Placement, name: str | None = None) -> None:
        self.batch = 0
        self.size = 0
        self.is_in_doubt = False
        self._database = database
        self._placement = placement
        self._name = name
        self._existing: dict[bytes, deque[bytes]] = {}
        self._constants: dict[str, object] = {}
        self._written = 0
        self._stack = contextlib.AsyncExitStack()
        self._conn: Any = None
        self._transaction: Any = None

    async def __aenter__(self) -> BatchWriter:
        self._conn = await self._stack.enter_async_context(self._database.acquire())
        try:
            self._transaction = self._conn.transaction()
            await self._transaction.start()
            opened = await (self._open() if self._name is None else self._open_named(self._name))
            self.batch = opened["id"]
            self._constants = self._columns(opened["now"])
        except BaseException as error:
            await self._leave(error)
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        await self._leave(error)

    async def write(self, ids: Sequence[bytes], args: Sequence[bytes]) -> list[bytes]:
        """Write executions and return their ids: in a named batch, the ids of equal ones that are there already."""
        taken = self._match(ids, args) if self._existing else list(ids)
        new = [(own, arg) for chosen, own, arg in zip(taken, ids, args, strict=True) if chosen is own]
        if new:
            await self._copy(new)
            await self._execute("batch_extend", self.batch, new[0][0], new[-1][0], len(new))
            self._written += len(new)
        return taken

    async def commit(self) -> str | None:
        """Make it so; returns the wake-up that went out, if anything was new."""
        wake = _wake(self._placement) if self._written else None
        if wake:
            await self._execute("wake_send", [wake])
        self.size += self._written
        transaction, self._transaction = self._transaction, None
        self.is_in_doubt = True
        await transaction.commit()
        self.is_in_doubt = False
        return wake

    async def _leave(self, error: BaseException | None) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            with contextlib.suppress(Exception):  # what went wrong first is told; the connection may be gone
                await transaction.rollback()
        await self._stack.__aexit__(type(error) if error else None, error, error.__traceback__ if error else None)

    async def _open(self) -> Any:
        return await self._conn.fetchrow(self._sql("batch_open"), self._placement.job)

    async def _open_named(self, name: str) -> Any:
        await self._execute("batch_name", name, self._placement.job)
        found = await self._conn.fetchrow(self._sql("batch_lock"), name)
        if found is None:
            raise CurrantError(f"the batch {name!r} has just been pruned: try again")
        if found["job"] != self._placement.job:
            raise InvalidArguments(
                f"the batch {name!r} is of the job {found['job']!r}, not {self._placement.job!r}: choose another name"
            )
        self.size = found["size"]
        if found["size"]:
            existing: dict[bytes, deque[bytes]] = defaultdict(deque)
            for record in await self._conn.fetch(self._sql("batch_hashes"), found["id"]):
                existing[record["hash"]].append(record["id"])
            self._existing = dict(existing)
        return found

    def _match(self, ids: Iterable[bytes], args: Iterable[bytes]) -> list[bytes]:
        """Each call takes one existing execution with equal arguments, oldest first, or its own new id."""
        import hashlib  # 2 ms, and only a map taken up again needs it

        taken = []
        for own, arg in zip(ids, args, strict=True):
            same = self._existing.get(hashlib.sha256(arg).digest())
            taken.append(same.popleft() if same else own)
        return taken

    def _columns(self, now: datetime) -> dict[str, object]:
        """What all rows share, where it isn't the table's default: less to send."""
        place = self._placement
        due_at = place.at if place.at is not None else now + timedelta(seconds=place.delay) if place.delay else None
        columns: dict[str, object] = {"job": place.job, "batch": self.batch}
        if place.queue != "default":
            columns["queue"] = place.queue
        if place.priority:
            columns["priority"] = place.priority
        if place.retries is not None:
            columns["retries"] = place.retries
        if place.options is not None:
            columns["options"] = place.options
        if due_at is not None and due_at > now:
            columns |= {"status": "scheduled", "due_at": due_at}
        return columns

    async def _copy(self, new: Sequence[tuple[bytes, bytes]]) -> None:
        await self._conn.copy_records_to_table(
            "executions",
            schema_name=self._database.schema,
            columns=["id", "args", *self._constants],
            records=zip(*zip(*new, strict=True), *map(repeat, self._constants.values()), strict=False),
        )

    async def _execute(self, name: str, *args: object) -> None:
        await self._conn.execute(self._sql(name), *args)

    def _sql(self, name: str) -> str:
        return statement(name, self._database.schema)
