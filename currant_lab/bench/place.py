"""A schema of the bench's own: made for one run and dropped after it, so that nobody's work is disturbed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from currant_lab.client import current
from currant_lab.client.client import Client
from currant_lab.database.connect import Database, connect
from currant_lab.database.migrate import migrate
from currant_lab.database.resolve import resolve
from currant_lab.errors import CurrantError
from currant_lab.loop import background
from currant_lab.settings import Settings

__all__ = ["own_schema"]


@contextlib.contextmanager
def own_schema(settings: Settings) -> Iterator[Client]:
    """A client of a new schema on that database, which is this process's client meanwhile.

    Raises:
        DatabaseUnavailable: see `Database.open`.
        CurrantError: this process speaks to a database already.
    """
    if current.peek() is not None:
        raise CurrantError("this process has a pool or a client: run the bench in one of its own")
    target, _ = resolve(settings)
    schema = f"bench_{os.getpid()}_{_started(os.getpid())}"

    async def make() -> Database:
        conn = await connect(target, application_name="currant bench")
        try:
            await migrate(conn, schema)
        finally:
            await conn.close()
        return await Database.open(target, schema, migrate=False, application_name="currant bench")

    database = background.run(make())
    client = Client(database, payload_limit=settings.payload_limit)
    current.put(client)
    try:
        background.run(_sweep(database))
        yield client
    finally:
        current.put(None)
        try:
            background.run(database.execute("bench_drop"))
        finally:
            client.close()


async def _sweep(database: Database) -> None:
    """Drop what runs that were killed on this machine have left behind."""
    for row in await database.fetch("bench_left"):
        _, _, rest = row["name"].partition("_")
        pid, _, started = rest.partition("_")
        if pid.isdecimal() and started.isdecimal() and _started(int(pid)) != int(started) and _is_here(database):
            left = Database(database.target, row["name"], database._pool, database.server_version, database.pooled)
            await left.execute("bench_drop")


def _is_here(database: Database) -> bool:
    """Whether the server is reached through a socket of this machine, so that its clients are here as well."""
    return all(host.startswith("/") for host, _ in database.target.hosts)


def _started(pid: int) -> int:
    """When a process of this machine was started, in ticks since its boot; 0 if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat[stat.rindex(")") + 2 :].split()[19])
