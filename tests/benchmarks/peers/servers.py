"""The servers of a comparison: the embedded PostgreSQL with fsync on, and Debian's redis on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from currant_lab.database.connect import connect
from currant_lab.database.embedded import EmbeddedServer
from currant_lab.database.url import Target

__all__ = ["fresh_database", "postgres", "redis"]


@contextlib.contextmanager
def postgres() -> Iterator[Target]:
    """An embedded server in a directory of its own, on a disk: fsync would cost nothing in memory."""
    with tempfile.TemporaryDirectory(prefix="currant-peers-") as home:
        Path(home).chmod(0o755)
        server = EmbeddedServer(Path(home))
        try:
            yield server.start()
        finally:
            server.stop()


def fresh_database(target: Target, name: str) -> str:
    """The URL of an empty database of this name; what it was is dropped."""

    async def make() -> None:
        conn = await connect(target, application_name="peers")
        try:
            await conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await conn.execute(f'CREATE DATABASE "{name}"')
        finally:
            await conn.close()

    asyncio.run(make())
    return replace(target, database=name).url()


@contextlib.contextmanager
def redis() -> Iterator[str | None]:
    """A redis without persistence, as is usual for a queue; None where there is no redis-server."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        _wait_until_open(port)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
