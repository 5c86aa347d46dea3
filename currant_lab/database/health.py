"""What `currant doctor` looks at: one finding each, with what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from currant_lab.database import migrate, serving
from currant_lab.database.connect import Database, check_server, connect
from currant_lab.database.reasons import CONNECTION_LOST, explain
from currant_lab.database.serving import PoolInfo, Waiting
from currant_lab.database.statements import statement
from currant_lab.database.url import Target
from currant_lab.errors import CurrantError, DatabaseUnavailable, SchemaOutdated, SchemaTooNew

__all__ = ["Finding", "examine", "store", "unreachable"]

OLD_TRANSACTION_S = 60.0
MANY_DEAD = 200_000
UNVACUUMED_S = 300.0
"""Vacuum comes after 20,000 dead rows, once a minute: ten times that after five minutes means that it does not."""
FULL_QUEUE = 0.5
FEW_CONNECTIONS = 0.9
CLOCK_S = 2.0
LISTEN_S = 2.0
PATIENCE_S = 15.0
FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what, in a word or two; the same in every version.
        ok: whether it is as it should be.
        detail: what was found.
        advice: what to do; empty when there is nothing to do.
    """

    name: str
    ok: bool
    detail: str
    advice: str = ""


def unreachable(error: CurrantError) -> Finding:
    """The finding of a database that could not be connected to."""
    return Finding(
        "connection",
        False,
        str(error),
        "set CURRANT_DATABASE_URL or --database to a PostgreSQL that answers; without either, the embedded one is used",
    )


def store(where: Path, *, is_used: bool) -> Finding:
    """How the embedded server's store stands."""
    name = "embedded store"
    if not is_used:
        return Finding(name, True, "not used: a database URL is set")
    place = next((path for path in (where, *where.parents) if path.exists()), where)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding(name, False, f"{where} can't be looked at: {error.strerror}", "set CURRANT_HOME elsewhere")
    return Finding(
        name,
        free >= FREE_BYTES,
        f"{where}, {_bytes(free)} free on its disk",
        ""
        if free >= FREE_BYTES
        else "free some space, or set CURRANT_HOME to a larger disk: a full one stops all work",
    )


async def examine(target: Target, schema: str, *, migrates: bool) -> list[Finding]:
    """Look at everything on a database that can be asked of it. Changes nothing.

    Args:
        target: where.
        schema: the schema with Currant's tables.
        migrates: a schema that is missing or old is brought up to date by whoever starts a pool.
    """
    try:
        conn = await connect(target, application_name="currant doctor", pooled=True)
    except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
        return [unreachable(explain(error, target, schema))]
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _examine(conn, target, schema, migrates=migrates)
    except TimeoutError:
        return [unreachable(DatabaseUnavailable(f"it lets in, but answers nothing within {PATIENCE_S:g} s [{target}]"))]
    except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
        return [unreachable(explain(error, target, schema))]
    finally:
        conn.terminate()


async def _examine(conn: Any, target: Target, schema: str, *, migrates: bool) -> list[Finding]:
    begun = time.perf_counter()
    rights = await conn.fetchrow(statement("connection_facts", schema), schema)
    took = (time.perf_counter() - begun) * 1000
    found = [Finding("connection", True, f"{target}, {took:.1f} ms a round trip")]
    found += [_server(conn, rights), await _schema(conn, schema, rights, migrates=migrates)]
    has_tables = found[-1].ok and await migrate.version(conn, schema) > 0
    listen = await _looked("listen", _listen(conn, target, schema))
    found += [_pooler(conn, rights, listens=listen.ok), listen]
    facts = await conn.fetchrow(statement("doctor_facts", schema))
    found += [
        await _looked("oldest transaction", _transaction(conn, schema, facts["hidden"])),
        await _looked("dead tuples", _dead(conn, schema, autovacuum=facts["autovacuum"])),
        await _looked("clock", _clock(conn, schema)),
        _notifications(facts["notifications"]),
        _connections(facts["connections"], facts["max_connections"]),
    ]
    if has_tables:
        found += await _serving(target, schema)
    return found


async def _looked(name: str, looking: Awaitable[Finding]) -> Finding:
    """One finding; what can't be looked at is one too, and does not hide the others."""
    try:
        return await looking
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError) as error:
        return Finding(name, False, f"could not be looked at: {error}", "ask as the schema's owner")


def _server(conn: Any, rights: asyncpg.Record) -> Finding:
    version = conn.get_server_version()
    detail = f"PostgreSQL {version.major}.{version.minor}"
    try:
        check_server((version.major, version.minor))
    except DatabaseUnavailable as error:
        return Finding("version", False, detail, str(error))
    if rights["replica"] or rights["read_only"]:
        what = "a read-only replica" if rights["replica"] else "read-only"
        return Finding("version", False, f"{detail}, {what}", "name the primary: Currant writes")
    if rights["encoding"] != "UTF8":
        return Finding("version", False, f"{detail}, encoded as {rights['encoding']}", "use a database in UTF8")
    return Finding("version", True, detail)


async def _schema(conn: Any, schema: str, rights: asyncpg.Record, *, migrates: bool) -> Finding:
    try:
        found = await migrate.version(conn, schema)
        if migrates and found < migrate.LATEST:
            return Finding("schema", True, f"{schema} is at version {found}: the next start brings it up to date")
        migrate.compare(found, schema)
    except SchemaOutdated as error:
        return Finding("schema", False, str(error), "run `currant migrate`")
    except SchemaTooNew as error:
        return Finding("schema", False, str(error), "upgrade currant-lab here: pip install -U currant-lab")
    except CurrantError as error:
        return Finding("schema", False, str(error), "set CURRANT_SCHEMA, or have the rights granted")
    if rights["lacking"]:
        return Finding(
            "schema",
            False,
            f"{schema}: this user lacks {rights['lacking']}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} to it, as the schema's owner",
        )
    return Finding("schema", True, f"{schema} is at version {found}")


def _pooler(conn: Any, rights: asyncpg.Record, *, listens: bool) -> Finding:
    if rights["pid"] == conn.get_server_pid():
        return Finding("pooler", True, "none: the server itself answers")
    if listens:
        return Finding("pooler", True, "a pooler is in between; sessions seem to last, so wake-ups come through")
    return Finding(
        "pooler",
        False,
        "a pooler is in between, and it does not keep sessions: pools look for work twice a second",
        "give pools a URL that leads to the server itself, or pool sessions",
    )


async def _listen(conn: Any, target: Target, schema: str) -> Finding:
    """A notification from one connection to another and its time."""
    arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    word = uuid4().hex

    def heard(_: object, __: int, ___: str, payload: object) -> None:
        if payload == word and not arrived.done():
            arrived.set_result(None)

    try:
        async with _another(target) as listener:
            await listener.add_listener(f"{schema}_doctor", heard)
            begun = time.perf_counter()
            await conn.fetchval(statement("doctor_notify", schema), word)
            async with asyncio.timeout(LISTEN_S):
                await arrived
            took = (time.perf_counter() - begun) * 1000
    except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
        late = f"nothing arrived within {LISTEN_S:g} s"
        detail = late if isinstance(error, TimeoutError) else str(explain(error, target, schema))
        return Finding("listen", False, detail, "pools poll instead: a direct connection to the primary has wake-ups")
    return Finding("listen", True, f"a notification takes {took:.1f} ms there and back")


@contextlib.asynccontextmanager
async def _another(target: Target) -> AsyncIterator[Any]:
    conn = await connect(target, application_name="currant doctor", pooled=True)
    try:
        yield conn
    finally:
        conn.terminate()


async def _transaction(conn: Any, schema: str, hidden: int) -> Finding:
    oldest = await conn.fetchrow(statement("doctor_transaction", schema))
    unseen = f" ({hidden} sessions of other users can't be seen: GRANT pg_read_all_stats)" if hidden else ""
    if oldest is None:
        return Finding("oldest transaction", True, f"none is open{unseen}")
    if oldest["pid"] is None:
        holder, end = f"prepared transaction {oldest['application']!r}", "COMMIT or ROLLBACK PREPARED it"
    else:
        holder = f"process {oldest['pid']}, {oldest['application'] or 'unnamed'!r} of {oldest['username']}"
        end = f"end it, or SELECT pg_terminate_backend({oldest['pid']})"
    is_old = oldest["age_s"] >= OLD_TRANSACTION_S
    return Finding(
        "oldest transaction",
        not is_old,
        f"open for {_seconds(oldest['age_s'])}: {holder}, {oldest['state']}{unseen}",
        f"{end}: while it is open no dead row can be removed" if is_old else "",
    )


async def _dead(conn: Any, schema: str, *, autovacuum: bool) -> Finding:
    table = await conn.fetchrow(statement("doctor_tables", schema), schema)
    if table is None:
        return Finding("dead tuples", True, "no tables yet")
    vacuumed = table["vacuumed_s"]
    since = "never vacuumed" if vacuumed is None else f"vacuumed {_seconds(vacuumed)} ago"
    detail = f"{table['dead']:,} dead, {table['live']:,} live rows in {schema}.{table['name']}, {since}"
    if not autovacuum or table["disabled"]:
        return Finding("dead tuples", False, f"{detail}; autovacuum is off", "turn autovacuum on: queues need it")
    is_behind = table["dead"] >= MANY_DEAD and (vacuumed is None or vacuumed >= UNVACUUMED_S)
    advice = f"end the oldest transaction, then VACUUM {schema}.{table['name']}" if is_behind else ""
    return Finding("dead tuples", not is_behind, detail, advice)


async def _clock(conn: Any, schema: str) -> Finding:
    """Against the middle of the round trip, which is right to half its length."""
    begun = datetime.now(UTC)
    there = await conn.fetchval(statement("doctor_clock", schema))
    here = begun + (datetime.now(UTC) - begun) / 2
    ahead = (there - here).total_seconds()
    is_close = abs(ahead) < CLOCK_S
    side = "ahead of" if ahead > 0 else "behind"
    return Finding(
        "clock",
        is_close,
        f"the database is {abs(ahead) * 1000:,.0f} ms {side} this machine",
        "" if is_close else "synchronise both by NTP: ids made here decide what goes first",
    )


def _notifications(usage: float) -> Finding:
    is_fine = usage < FULL_QUEUE
    advice = (
        "" if is_fine else "a session that LISTENs has a transaction open: end it, or no commit can NOTIFY any more"
    )
    return Finding("notification queue", is_fine, f"{usage:.0%} used", advice)


def _connections(used: int, maximum: int) -> Finding:
    is_fine = used < maximum * FEW_CONNECTIONS
    advice = "" if is_fine else "close some, or raise max_connections: a pool takes up to eight"
    return Finding("connections", is_fine, f"{used} of {maximum} used", advice)


async def _serving(target: Target, schema: str) -> list[Finding]:
    try:
        database = await Database.open(
            target, schema, migrate=False, size=1, application_name="currant doctor", read_only=True
        )
    except CurrantError as error:
        return [Finding("pools", False, str(error), "have SELECT granted on the schema's tables")]
    try:
        known = await serving.pools(database)
        waits = await serving.waiting(database, known)
    finally:
        await database.close()
    return [_pools(known), _code(known, waits), _queues(known, waits)]


def _pools(known: Sequence[PoolInfo]) -> Finding:
    stale = [pool for pool in known if not pool.is_alive]
    alive = f"{len(known) - len(stale)} alive"
    if not stale:
        return Finding("pools", True, alive)
    gone = "; ".join(
        f"pool {pool.id} ({pool.name}, process {pool.pid} on {pool.host}) is gone"
        + (f" with {pool.running:,} executions" if pool.running else "")
        for pool in stale
    )
    advice = "any pool that runs gives back what they held, within 10 s"
    return Finding("pools", False, f"{alive}; {gone}", advice if len(known) > len(stale) else f"start one: {advice}")


def _code(known: Sequence[PoolInfo], waits: Sequence[Waiting]) -> Finding:
    unknown = [one for one in waits if not one.known]
    if not unknown:
        return Finding("waiting for code", True, "nothing")
    if any(pool.is_alive for pool in known):
        advice = "run the cell that defines it in a notebook with a pool, or start `currant worker -m MODULE`"
    else:
        advice = "no pool runs: currant.start() in a notebook or `currant worker -m MODULE` starts one"
    return Finding("waiting for code", False, _tally(unknown, lambda one: one.job), advice)


def _queues(known: Sequence[PoolInfo], waits: Sequence[Waiting]) -> Finding:
    if not any(pool.is_alive for pool in known):
        return Finding("queues", True, "no pool listens" if waits else "nothing waits")
    unheard = [one for one in waits if not one.heard]
    apart = [one for one in waits if one.known and one.heard and not one.served]
    parts, advice = [], []
    if unheard:
        parts.append(f"nobody listens: {_tally(unheard, lambda one: one.queue)}")
        names = ",".join(dict.fromkeys(one.queue for one in unheard))
        advice.append(f"start a pool that works on it: `--queues {names}`")
    if apart:
        parts.append(
            "the pools that know the job don't listen: " + _tally(apart, lambda one: f"{one.job}` in `{one.queue}")
        )
        advice.append("add the queue to a pool that has the job")
    paused = [one for one in waits if one.paused]
    note = [f"paused: {_tally(paused, lambda one: one.queue)}"] if paused else []
    is_fine = not parts
    detail = "; ".join(parts + note) or "all that wait are listened to"
    return Finding("queues", is_fine, detail, "; ".join(advice))


def _tally(waits: Sequence[Waiting], name: Callable[[Waiting], str]) -> str:
    """As "120 wait for `fetch`, 3 for `parse`", the most first."""
    counts: dict[str, int] = {}
    exact: dict[str, bool] = {}
    for one in waits:
        key = name(one)
        counts[key] = counts.get(key, 0) + one.count
        exact[key] = exact.get(key, True) and one.exact
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    shown = [
        f"{'' if exact[key] else 'at least '}{counts[key]:,} wait{'s' if counts[key] == 1 else ''} for `{key}`"
        for key in ordered[:5]
    ]
    return ", ".join(shown) + (f" and {len(ordered) - 5} more" if len(ordered) > 5 else "")


def _seconds(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:,.1f} TB"
