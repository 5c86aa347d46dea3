"""One database, as Python speaks to it: a small pool of connections and the statements by their names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from currant_lab.database import migrate as schema_versions
from currant_lab.database.limits import limited
from currant_lab.database.reasons import CONNECTION_LOST, NEXT_HOST, explain, is_trouble
from currant_lab.database.statements import is_repeatable, statement
from currant_lab.database.url import Target
from currant_lab.errors import DatabaseUnavailable
from currant_lab.settings import check_schema

__all__ = ["MINIMUM_VERSION", "Database", "check_server", "connect"]

MINIMUM_VERSION = 14
"""The oldest PostgreSQL that will do: `date_trunc` on ranges of weeks and the plans of the claim are tested from it."""

_ANY_ANSWER_S = 180.0
"""As `limits.ANSWER_S`, for statements that may count millions of rows."""

_KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))
"""A server that vanished without a word is noticed within about half a minute, as by the engine (`db.rs`)."""

_log = logging.getLogger("currant")
_T = TypeVar("_T")


class Database:
    """A database that has been found to serve: connected, writable, of a version and with a schema that fit.

    Ids go in and come out as 16 bytes (`uuid` columns and arrays of them, `COPY` too); `jsonb` as text.
    Lives on the loop it was opened on. Its connections carry no session state from one use to the next, so
    leave none: no `SET`, no session lock, no `LISTEN`.

    Attributes:
        target: where it is.
        schema: the schema with Currant's tables.
        server_version: (major, minor).
        pooled: a connection pooler is in between, so sessions can't be relied on. Statements then run unprepared.
        lacking: the rights this user has not, in words, where it may submit and not more; else None.
    """

    def __init__(
        self,
        target: Target,
        schema: str,
        pool: Any,
        server_version: tuple[int, int],
        pooled: bool,
        lacking: str | None = None,
    ) -> None:
        self.target = target
        self.schema = schema
        self.server_version = server_version
        self.pooled = pooled
        self.lacking = lacking
        self._pool = pool

    @classmethod
    async def open(
        cls,
        target: Target,
        schema: str,
        *,
        migrate: bool,
        size: int = 4,
        application_name: str = "currant",
        read_only: bool = False,
    ) -> Database:
        """Connect, and make sure that all that will be needed is there.

        Args:
            target: where.
            schema: the schema with Currant's tables.
            migrate: bring the schema up to date rather than refuse an old one.
            size: how many connections there may be at most; idle ones are closed after ten minutes.
            application_name: how the server's own views call them.
            read_only: nothing will be written: replicas, and users with no other right than SELECT, will do.

        Raises:
            DatabaseUnavailable: no connection within `target.connect_timeout` seconds, or the server won't do.
            SchemaOutdated: the schema is missing or older, and `migrate` is false.
            SchemaTooNew: the schema is newer than this code.
        """
        check_schema(schema)
        conn = None
        try:
            conn = await connect(target, application_name=application_name)
            facts = await _facts(conn, schema, target.connect_timeout)
            # A pooler hands out process ids of its own; which of its modes it is in can't be told from here.
            pooled = facts["pid"] != conn.get_server_pid()
            if pooled:
                await conn.close(timeout=1)  # it caches prepared statements, which don't survive a pooler
                conn = await connect(target, application_name=application_name, pooled=True)
            _examine(facts, schema, read_only=read_only)
            await _examine_schema(conn, schema, facts, migrate=migrate and not read_only, read_only=read_only)
            number = conn.get_server_version()
            pool = await _pool(target, conn, size, application_name, pooled)
        except BaseException as error:
            if conn is not None:
                conn.terminate()
            if isinstance(error, (*CONNECTION_LOST, asyncpg.PostgresError)):
                raise explain(error, target, schema) from None
            raise
        # Since 10 there are two numbers.
        return cls(target, schema, pool, (number.major, number.micro), pooled, facts["lacking"])

    async def fetch(self, name: str, *args: object) -> list[asyncpg.Record]:
        """Run the statement `sql/NAME.sql` and return its rows.

        A connection that turns out to be broken before anything was sent is replaced silently. One that breaks
        afterwards leaves open whether the statement ran: only a file that says `-- repeatable` is run again, once.

        Raises:
            DatabaseUnavailable: no connection, or the server refuses (rights, disk full, read-only, shutdown).
            asyncpg.PostgresError: any other error of the statement itself.
        """
        return await self._run(name, lambda conn, sql: conn.fetch(sql, *args))

    async def fetchrow(self, name: str, *args: object) -> asyncpg.Record | None:
        """The first row of a statement, or None: see `fetch`."""
        return await self._run(name, lambda conn, sql: conn.fetchrow(sql, *args))

    async def fetchval(self, name: str, *args: object) -> Any:
        """The first value of a statement's first row, or None: see `fetch`."""
        return await self._run(name, lambda conn, sql: conn.fetchval(sql, *args))

    async def execute(self, name: str, *args: object) -> str:
        """Run a statement and return its tag, as "UPDATE 3": see `fetch`."""
        return await self._run(name, lambda conn, sql: conn.execute(sql, *args))

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """A connection for several statements; open a transaction on it where they belong together.

        Raises:
            DatabaseUnavailable: as `fetch` does, within the block too. Nothing is retried.
        """
        try:
            conn = await self._pool.acquire()
        except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
            raise explain(error, self.target, self.schema) from None
        try:
            yield conn
        except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
            if is_trouble(error):
                raise explain(error, self.target, self.schema) from error
            raise
        finally:
            # Its rollback is refused where something is still under way: it has been closed then, and what went wrong
            # first is what is told.
            with contextlib.suppress(*CONNECTION_LOST, asyncpg.PostgresError):
                await self._pool.release(conn)

    async def close(self) -> None:
        """Close the connections; one that is still used gets two seconds."""
        try:
            async with asyncio.timeout(2):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def _run(self, name: str, call: Callable[[Any, str], Awaitable[_T]]) -> _T:
        sql = statement(name, self.schema)
        try:
            return await self._once(call, sql)
        except DatabaseUnavailable as error:
            if not is_repeatable(name) or not isinstance(error.__cause__, CONNECTION_LOST):
                raise
            _log.info("running %s again: %s", name, error)
        return await self._once(call, sql)

    async def _once(self, call: Callable[[Any, str], Awaitable[_T]], sql: str) -> _T:
        async with self.acquire() as conn, limited(conn, _ANY_ANSWER_S):
            return await call(conn, sql)


async def connect(target: Target, *, application_name: str = "currant", pooled: bool = False) -> Any:
    """One asyncpg connection of the kind `Database` uses, to the first host that serves.

    The time is shared among the hosts that are left, so that one that never answers leaves some for the next.

    Raises:
        asyncpg.PostgresError, OSError: of the last host tried; `reasons.explain` puts them into words.
    """
    arguments = target.asyncpg_args() | {"server_settings": {"application_name": application_name}}
    if pooled:
        arguments["statement_cache_size"] = 0
    loop = asyncio.get_running_loop()
    deadline = loop.time() + target.connect_timeout
    for left, (host, port) in zip(range(len(target.hosts), 0, -1), target.hosts, strict=True):
        share = max((deadline - loop.time()) / left, 0.1)
        try:
            conn = await asyncpg.connect(**arguments | {"host": [host], "port": [port], "timeout": share})
        except NEXT_HOST as error:
            if left == 1:
                raise
            _log.info("%s:%s does not serve, trying the next host: %s", host, port, type(error).__name__)
        else:
            await prepare(conn)
            return conn
    raise ValueError("a target has at least one host")


async def prepare(conn: Any) -> None:
    """Make a connection take and give ids as 16 bytes (no round trip: asyncpg knows uuid's number), and notice when
    the other end has vanished."""
    wire = conn._transport.get_extra_info("socket")  # asyncpg has no public way to it
    if wire is not None and wire.family in (socket.AF_INET, socket.AF_INET6):
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):
                wire.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    await conn.set_type_codec("uuid", schema="pg_catalog", encoder=_id_bytes, decoder=_same, format="binary")


def _id_bytes(value: bytes | UUID) -> bytes:
    return value.bytes if isinstance(value, UUID) else value


def _same(value: bytes) -> bytes:
    return value


async def _pool(target: Target, first: Any, size: int, application_name: str, pooled: bool) -> Any:
    """A pool that begins with the connection that was examined."""
    ready = [first]

    async def next_connection(*_: object, **__: object) -> Any:
        return ready.pop() if ready else await connect(target, application_name=application_name, pooled=pooled)

    # asyncpg's own reset costs a round trip per statement; our statements leave nothing to reset. With a minimum it
    # would connect again by itself while the server is away, and log a traceback each time.
    pool = await asyncpg.create_pool(
        min_size=0, max_size=max(size, 1), connect=next_connection, reset=_nothing, max_inactive_connection_lifetime=600
    )
    async with pool.acquire():  # takes the connection that is ready
        return pool


async def _nothing(_: object) -> None:
    return None


async def _facts(conn: Any, schema: str, limit: float) -> asyncpg.Record:
    """One round trip; unnamed, since a named statement could meet another client's behind a pooler."""
    number = conn.get_server_version()
    check_server((number.major, number.micro))
    async with asyncio.timeout(limit):
        prepared = await conn.prepare(statement("connection_facts", schema), name="")
        return await prepared.fetchrow(schema)


def _examine(facts: asyncpg.Record, schema: str, *, read_only: bool) -> None:
    if facts["quoted"] != schema:
        raise DatabaseUnavailable(f"{schema!r} can't be the schema: it is a reserved word of this PostgreSQL")
    if facts["encoding"] != "UTF8":
        raise DatabaseUnavailable(f"this database is encoded as {facts['encoding']}: create one with ENCODING 'UTF8'")
    if not read_only:
        _refuse_read_only(facts)


async def _examine_schema(conn: Any, schema: str, facts: asyncpg.Record, *, migrate: bool, read_only: bool) -> None:
    found = await schema_versions.version(conn, schema)
    if found < schema_versions.LATEST and migrate:
        await schema_versions.migrate(conn, schema)
    else:
        schema_versions.compare(found, schema)
    if facts["lacking"] and not (read_only or facts["submits"]):
        raise DatabaseUnavailable(
            f"this user lacks rights in schema {schema!r}: {facts['lacking']}. Let the schema's owner GRANT SELECT, "
            f"INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema}"
        )


def check_server(version: tuple[int, int]) -> None:
    """Refuse a server that is too old.

    Raises:
        DatabaseUnavailable: it is older than `MINIMUM_VERSION`.
    """
    if version[0] < MINIMUM_VERSION:
        raise DatabaseUnavailable(
            f"this is PostgreSQL {version[0]}.{version[1]}, and Currant needs {MINIMUM_VERSION} or newer: "
            "upgrade the server, or leave CURRANT_DATABASE_URL unset to use the embedded one"
        )


def _refuse_read_only(facts: asyncpg.Record) -> None:
    if facts["replica"]:
        raise DatabaseUnavailable(
            "this server is a read-only replica: name the primary, or all hosts with target_session_attrs=read-write"
        )
    if facts["read_only"]:
        raise DatabaseUnavailable(
            "this database is read-only (default_transaction_read_only is on): name one that takes writes"
        )
