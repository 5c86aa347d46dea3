"""The server is there, and refuses: no room on the disk, no connection left, no time, a deadlock."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import asyncpg

from currant_lab.database.connect import connect
from currant_lab.database.url import parse
from tests.chaos.faults.base import Fault


class DiskFull(Fault):
    """The disk under the store is full; the server may well fall over, and is started again when there is room."""

    leaves_server = False

    def inject(self) -> None:
        world = self.world
        if not world.cluster.fill_disk():
            world.say("NO SMALL DISK HERE (it takes root): a limit on the size of files stands in for the full one")
        world.sleep(5)

    def heal(self) -> None:
        self.world.cluster.clear_disk()
        self.world.cluster.revive()


class ConnectionsExhausted(Fault):
    """`max_connections` is reached while everybody has to connect again."""

    leaves_server = False

    def inject(self) -> None:
        self.world.run(self._hold_all())

    async def _hold_all(self) -> None:
        target = parse(self.world.cluster.url)
        held: list[Any] = []
        try:
            with contextlib.suppress(asyncpg.PostgresError, OSError):
                held.append(await connect(target, application_name="chaos"))
                await held[0].execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND application_name <> 'chaos'"
                )
            deadline = time.monotonic() + max(2.0, 5 * self.world.length)
            while time.monotonic() < deadline:
                try:
                    held.append(await connect(target, application_name="chaos"))
                except Exception:  # whatever it is called: that was the last one, for now
                    time.sleep(0.02)
            self.world.note_reached("max_connections", len(held))
        finally:
            for conn in held:
                conn.terminate()


class TransactionHeldOpen(Fault):
    """A transaction is open throughout, with a snapshot: nothing that dies meanwhile can be cleared away."""

    is_lasting = True
    _conn: Any = None

    def inject(self) -> None:
        async def begin() -> Any:
            conn = await connect(parse(self.world.cluster.url), application_name="chaos held")
            await conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM currant.executions")
            return conn

        self._conn = self.world.run(begin())
        self.world.sleep(2)

    def heal(self) -> None:
        if self._conn is not None:
            self._conn.terminate()


class StatementTimeouts(Fault):
    """Statements are cancelled wherever they are, as a timeout of the server's does; then the table is locked for
    longer than the timeouts of the engine."""

    leaves_server = False

    def inject(self) -> None:
        world = self.world
        world.run(self._cancel_all(3 * world.length))
        world.run(self._lock(45 * world.length if world.length >= 1 else 1.0))

    async def _cancel_all(self, seconds: float) -> None:
        conn = await connect(parse(self.world.cluster.url), application_name="chaos")
        deadline = time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                await conn.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                    " AND state = 'active' AND pid <> pg_backend_pid(); SELECT pg_sleep(0.003)"
                )
        finally:
            conn.terminate()

    async def _lock(self, seconds: float) -> None:
        conn = await connect(parse(self.world.cluster.url), application_name="chaos")
        try:
            await conn.execute("BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = 0")
            with contextlib.suppress(asyncpg.LockNotAvailableError):  # the transaction that is held open has it
                await conn.execute("LOCK TABLE currant.executions IN ACCESS EXCLUSIVE MODE")
                await conn.execute(f"SELECT pg_sleep({seconds})")
        finally:
            conn.terminate()


class Deadlock(Fault):
    """Somebody locks running executions the other way round than a settle does, until the server has called it a
    deadlock; the engine's side is the one that finds it, and loses."""

    def inject(self) -> None:
        world = self.world
        before = self._count()
        world.until("a deadlock", lambda: world.run(self._entangle()) or self._count() > before, patience=60)
        world.note_reached("deadlocks", self._count() - before)

    def _count(self) -> int:
        return int(self.world.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'")[0]["deadlocks"])

    async def _entangle(self) -> None:
        conn = await connect(parse(self.world.cluster.url), application_name="chaos")
        try:
            await conn.execute("SET deadlock_timeout = '10s'; SET lock_timeout = '2s'; BEGIN")
            rows = await conn.fetch(  # runs of workflows may rest: nobody settles these
                "SELECT id FROM currant.executions WHERE status = 'running' AND job NOT LIKE '%.flows:%'"
                " ORDER BY random()"
            )
            if len(rows) < 2:
                return
            await conn.fetch("SELECT FROM currant.executions WHERE id = $1 FOR UPDATE", rows[0]["id"])
            for _ in range(200):
                if await conn.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
                ):
                    break
            with contextlib.suppress(asyncpg.PostgresError):
                for row in rows[1:]:
                    await conn.fetch("SELECT FROM currant.executions WHERE id = $1 FOR UPDATE", row["id"])
        finally:
            conn.terminate()
