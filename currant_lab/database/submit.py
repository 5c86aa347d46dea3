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

from currant_lab.database.limits import in_transaction, limited
from currant_lab.database.statements import statement
from currant_lab.errors import CurrantError, InvalidArguments, UnknownExecution
from currant_lab.ties import Ties, arrays, ties_of

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = [
    "BatchWriter", "NewExecution", "Placement", "columns", "insert", "insert_again", "insert_here", "insert_tied",
    "insert_with",
]  # fmt: skip

_DEADLOCKS = 5
_COPY_S = 300.0
"""Thousands of rows, perhaps of megabytes, perhaps over a slow line."""


class Placement(msgspec.Struct, frozen=True):
    """All of a new execution that its siblings in a map share.

    Attributes:
        retries: null where the job's own number counts.
        options: JSON, see `Policy.row_options`.
        delay: seconds from the commit, by the database's clock.
        at: the moment it is due, instead of a delay.
        after: handles to wait for, as parts of payloads: see `ties`.
    """

    job: str
    queue: str = "default"
    priority: int = 0
    retries: int | None = None
    options: str | None = None
    delay: float = 0.0
    at: datetime | None = None
    after: tuple[tuple[str, bytes], ...] = ()


class NewExecution(msgspec.Struct, frozen=True):
    """One execution to be written; `ties` say what it waits for."""

    id: bytes
    placement: Placement
    args: bytes
    ties: Ties | None = None

    @classmethod
    def make(cls, id: bytes, placement: Placement, args: bytes) -> NewExecution:
        """One whose ties are read from its arguments."""
        return cls(id, placement, args, ties_of(args, placement.after))

    @property
    def is_due(self) -> bool:
        """Whether it could start at once: it waits for no moment, and for no other execution."""
        return self.ties is None and not self.placement.delay and self.placement.at is None


def columns(rows: Sequence[NewExecution]) -> tuple[list[Any], ...]:
    """What statements that write many take of them: jobs, queues, priorities, retries, options, delays, due times,
    arguments."""
    places = [row.placement for row in rows]
    return (
        [place.job for place in places],
        [place.queue for place in places],
        [place.priority for place in places],
        [place.retries for place in places],
        [place.options for place in places],
        [place.delay for place in places],
        [place.at for place in places],
        [row.args for row in rows],
    )


async def insert(database: Database, conn: Any, rows: Sequence[NewExecution]) -> list[str]:
    """Write executions in one statement and return the wake-ups that went out with it. One with ties goes alone.

    Where the connection breaks it may or may not have happened: see `insert_again`.

    Args:
        database: where to.
        conn: one of its connections.
        rows: what to write.
    """
    async with in_transaction(conn) if database.pooled else contextlib.nullcontext(), limited(conn):
        return await _insert(conn, database.schema, rows, [row.id for row in rows])


async def insert_here(database: Database, conn: Any, row: NewExecution, pool: int) -> int | None:
    """Write one execution, due at once, as running in `pool` already.

    Returns:
        when it was created, in microseconds since 1970; None where it waits instead: its queue is paused.
    """
    place = row.placement
    async with in_transaction(conn) if database.pooled else contextlib.nullcontext(), limited(conn):
        written = await conn.fetchrow(
            statement("execution_submit_here", database.schema),
            row.id,
            place.job,
            place.queue,
            place.priority,
            place.retries,
            place.options,
            row.args,
            pool,
        )
    created_at: int | None = written["created_at"] if written is not None and written["is_here"] else None
    return created_at


async def insert_again(database: Database, rows: Sequence[NewExecution]) -> list[str]:
    """`insert` for rows that an attempt before may have written: none is ever there twice.

    Looks for them in both tables first. One that is on its way is held, so that it can't finish, and leave
    the id free, between the look and the insert.
    """
    ids = [row.id for row in rows]
    async with database.acquire() as conn, in_transaction(conn), limited(conn):
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
    tied = [(id, row) for id, row in zip(ids, rows, strict=True) if row.ties is not None]
    if tied:
        sent = [wake for id, row in tied for wake in await _insert_tied(conn, schema, row, id)]
        rest = [(id, row) for id, row in zip(ids, rows, strict=True) if row.ties is None]
        return sent + (await _insert(conn, schema, [row for _, row in rest], [id for id, _ in rest]) if rest else [])
    if len(rows) == 1 and rows[0].is_due:
        return await _insert_one(conn, schema, rows[0], ids[0])
    records = await conn.fetch(statement("executions_submit", schema), ids, *columns(rows))
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


async def _insert_tied(conn: Any, schema: str, row: NewExecution, id: object) -> list[str]:
    """Write one execution that waits for others.

    Raises:
        UnknownExecution: one of them is not there. Nothing was written.
    """
    assert row.ties is not None  # noqa: S101 - said by the caller
    place = row.placement
    ties = arrays([(row.id, row.ties)])
    is_own = not isinstance(id, UUID)
    if not is_own:  # somebody else's connection, which knows nothing of ids as bytes
        ties = tuple([UUID(bytes=one) if isinstance(one, bytes) else one for one in column] for column in ties)
    values = (
        id, place.job, place.queue, place.priority, place.retries, place.options, place.delay, place.at, row.args,
    )  # fmt: skip
    sql = statement("execution_submit_tied", schema)
    refuse_unknown(await _past_deadlocks(conn, sql, *values, *ties, is_own=is_own))
    return [f"+{place.queue}"]


async def _past_deadlocks(conn: Any, sql: str, *args: object, is_own: bool = True) -> list[Any]:
    """The rows of a statement that locks parents in the order of their ids while a settle, which locks them in another,
    may be ending them: it is run again, in a transaction of ours from a savepoint. Somebody else's is ended by it."""
    from asyncpg import DeadlockDetectedError

    for _ in range(_DEADLOCKS):
        try:
            if not is_own or not conn.is_in_transaction():
                return await conn.fetch(sql, *args)  # type: ignore[no-any-return]
            async with conn.transaction():
                return await conn.fetch(sql, *args)  # type: ignore[no-any-return]
        except DeadlockDetectedError:
            if not is_own and conn.is_in_transaction():
                raise
    return await conn.fetch(sql, *args)  # type: ignore[no-any-return]


async def insert_tied(conn: Any, schema: str, row: NewExecution) -> list[str]:
    """Write one execution that waits for others, as part of a transaction, and return the wake-ups: see `insert`."""
    return await _insert_tied(conn, schema, row, row.id)


def refuse_unknown(records: Sequence[Any]) -> None:
    """Raise for what the SQL function `tie` has returned, if anything."""
    for record in records:
        parent = record["parent"]
        shown = UUID(bytes=parent) if isinstance(parent, bytes) else parent
        raise UnknownExecution(
            f"there is no execution {shown} in this database (any more) to wait for; nothing was submitted"
        )


def _wake(placement: Placement) -> str:
    return "@" if placement.delay > 0 or placement.at is not None else f"+{placement.queue}"


class BatchWriter:
    """Writes one map, in one transaction: all of it is there after `commit`, or nothing.

    `write` and `commit` belong to the block of `async with`; leaving it without `commit` undoes everything.

    Attributes:
        batch: the batch's number.
        size: how many executions it has, the new ones included once they are committed.
        is_in_doubt: a commit was sent and has not been answered.
        patience: seconds to go on trying while it can't be written; None: as its client does.
    """

    patience: float | None = None

    def __init__(self, database: Database, placement: Placement, name: str | None = None) -> None:
        self.batch = 0
        self.size = 0
        self.is_in_doubt = False
        self._database = database
        self._placement = placement
        self._name = name
        self._existing: dict[bytes, deque[bytes]] = {}
        self._tied: list[tuple[bytes, Ties]] = []
        self._constants: dict[str, object] = {}
        self._written = 0
        self._stack = contextlib.AsyncExitStack()
        self._conn: Any = None
        self._transaction: Any = None

    async def __aenter__(self) -> BatchWriter:
        self._conn = await self._stack.enter_async_context(self._database.acquire())
        try:
            self._transaction = self._conn.transaction()
            async with limited(self._conn):
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
            tied = [(own, ties) for own, arg in new if (ties := ties_of(arg, self._placement.after)) is not None]
            await self._copy(new, {own for own, _ in tied})
            self._tied += tied
            await self._execute("batch_extend", self.batch, new[0][0], new[-1][0], len(new))
            self._written += len(new)
        return taken

    async def commit(self) -> str | None:
        """Make it so; returns the wake-up that went out, if anything was new.

        Raises:
            UnknownExecution: something that these wait for is not there.
        """
        if self._tied:
            async with limited(self._conn):
                records = await _past_deadlocks(self._conn, self._sql("executions_tie"), *arrays(self._tied))
            refuse_unknown(records)
        wake = _wake(self._placement) if self._written else None
        if wake:
            await self._execute("wake_send", [wake])
        self.size += self._written
        transaction, self._transaction = self._transaction, None
        self.is_in_doubt = True
        async with limited(self._conn):
            await transaction.commit()
        self.is_in_doubt = False
        return wake

    async def _leave(self, error: BaseException | None) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            with contextlib.suppress(Exception):  # what went wrong first is told; the connection may be gone
                async with limited(self._conn):
                    await transaction.rollback()
        await self._stack.__aexit__(type(error) if error else None, error, error.__traceback__ if error else None)

    async def _open(self) -> Any:
        async with limited(self._conn):
            return await self._conn.fetchrow(self._sql("batch_open"), self._placement.job)

    async def _open_named(self, name: str) -> Any:
        # Without a limit, as the lock below: another map of this name may be at work for as long as it takes.
        await self._conn.execute(self._sql("batch_name"), name, self._placement.job)
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

    async def _copy(self, new: Sequence[tuple[bytes, bytes]], tied: set[bytes]) -> None:
        columns = dict(self._constants)
        status = columns.pop("status", "pending")
        varying: list[Iterable[object]] = []
        if tied:
            varying.append(["waiting" if own in tied else status for own, _ in new])
        elif status != "pending":
            varying.append(repeat(status))
        async with limited(self._conn, _COPY_S):
            await self._conn.copy_records_to_table(
                "executions",
                schema_name=self._database.schema,
                columns=["id", "args", *(["status"] if varying else []), *columns],
                records=zip(*zip(*new, strict=True), *varying, *map(repeat, columns.values()), strict=False),
            )

    async def _execute(self, name: str, *args: object) -> None:
        async with limited(self._conn):
            await self._conn.execute(self._sql(name), *args)

    def _sql(self, name: str) -> str:
        return statement(name, self._database.schema)
