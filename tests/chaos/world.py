"""The world that is broken: a server, pools and a producer, each in processes of its own."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from currant_lab.database.connect import connect
from currant_lab.database.migrate import migrate
from currant_lab.database.url import parse
from currant_lab.loop import background
from tests.chaos.books import AUDIT, Books
from tests.chaos.jobs import TRACE
from tests.client.proxy import Wire
from tests.servers import Cluster

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
"""How long a world may take to come to rest after a fault."""

CONF = """
deadlock_timeout = 100ms
max_wal_size = 64MB
min_wal_size = 32MB
"""


class World:
    """Two pools (`a` on the socket, `b` over a wire that can be cut) and a producer, with the books of what they did.

    Attributes:
        length: what a fault multiplies its times by; below 1 in the short form.
    """

    def __init__(self, rng: random.Random, *, length: float = 1.0, rate: float = 150.0, cluster: Cluster | None = None):
        self.rng, self.length = rng, length
        self.cluster = cluster or Cluster("postgres18", CONF)
        self.directory = self.cluster.directory / "chaos"
        self.directory.mkdir(mode=0o755)
        self.books = Books(self.directory)
        self.faults: Counter[str] = Counter()
        self.deaths: dict[int, float] = {}
        self.expected: dict[str, str] = {}
        self.refused = 0
        self.starts: dict[str, Callable[[], subprocess.Popen[str]]] = {}
        self.pools: dict[str, subprocess.Popen[str]] = {}
        self.run(self._prepare())
        self.wire = background.run(Wire(self.cluster.port).open())
        self.wire_url = f"postgresql://postgres@127.0.0.1:{self.wire.port}/postgres?sslmode=disable"
        self.add_pool("a", self.cluster.url)
        self.add_pool("b", self.wire_url)
        self.producer = self.process("tests.chaos.producer", self.directory / "acks", rng.randrange(1000), rate)

    # Processes.

    def env(self, url: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "CURRANT_"))}
        return kept | {
            "CURRANT_DATABASE_URL": url, "PYTHONPATH": str(ROOT), TRACE: str(self.directory / "trace"),
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip

    def process(
        self, module: str, *arguments: object, url: str | None = None, prefix: Sequence[str] = (), **env: str
    ) -> subprocess.Popen[str]:
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", module, *map(str, arguments)],
                env=self.env(url or self.wire_url) | env, cwd=self.directory, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip

    def add_pool(
        self, name: str, url: str, *, workers: int = 8, queue: str = "default", prefix: Sequence[str] = (), **env: str
    ) -> None:
        """Start a pool that is started again whenever it ends, until `drop_pool`."""

        def begin() -> subprocess.Popen[str]:
            words = ("worker", "-m", "tests.chaos.jobs", "--name", name, "--workers", workers, "--queues", queue)
            return self.process("currant_lab", *words, "--json", url=url, prefix=prefix, **env)

        self.starts[name] = begin
        self.pools[name] = begin()

    def await_started(self, name: str) -> None:
        """Wait until a pool has said that it works."""
        out = self.pools[name].stdout
        assert out is not None
        line = out.readline()
        assert "started" in line, (name, line, self.log())

    def drop_pool(self, name: str) -> None:
        del self.starts[name]
        pool = self.pools.pop(name)
        self.kill(pool)

    def kill(self, pool: subprocess.Popen[str]) -> None:
        """SIGKILL, noted for the books."""
        self.deaths.setdefault(pool.pid, time.time())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pool.pid, signal.SIGKILL)
        pool.wait()
        _close(pool)

    def tend(self) -> None:
        """Start again what has died, as a service manager would."""
        for name, pool in list(self.pools.items()):
            if pool.poll() is not None:
                self.deaths.setdefault(pool.pid, time.time())
                _close(pool)
                self.pools[name] = self.starts[name]()

    # The database, from a connection of the driver's own.

    def run(self, coroutine: Any) -> Any:
        return background.run(coroutine)

    def sql(self, text: str, *arguments: object) -> list[Any]:
        """Run SQL as the superuser, on a new connection each time."""

        async def work() -> list[Any]:
            conn = await connect(parse(self.cluster.url), application_name="chaos")
            try:
                return list(await conn.fetch(text, *arguments))
            finally:
                await conn.close()

        return list(self.run(work()))

    async def _prepare(self) -> None:
        conn = await connect(parse(self.cluster.url), application_name="chaos")
        await migrate(conn, "currant")
        await conn.execute(AUDIT)
        await conn.close()

    # Time.

    def sleep(self, seconds: float) -> None:
        """Let the work go on for a while, in the length of this run."""
        end = time.monotonic() + seconds * self.length
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
            self.tend()

    def until(self, what: str, is_so: Callable[[], T], patience: float = PATIENCE_S) -> T:
        deadline = time.monotonic() + patience
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if answer := is_so():
                    return answer
            assert time.monotonic() < deadline, f"{what} never came\n{self.state()}\n{self.log()}"
            time.sleep(0.05)
            self.tend()

    def rest(self) -> None:
        """Pause the producer, wait until everything is final, check the books, go on."""
        self.ask_producer("pause")
        self.until("rest", lambda: self.sql("SELECT NOT EXISTS (SELECT FROM currant.executions) AS e")[0]["e"])

        async def check() -> None:
            conn = await connect(parse(self.cluster.url), application_name="chaos")
            try:
                await self.books.check(conn, self.deaths, self.expected)
            finally:
                await conn.close()

        self.run(check())
        self.ask_producer("go")

    def ask_producer(self, word: str) -> None:
        assert self.producer.stdin is not None
        assert self.producer.stdout is not None
        self.producer.stdin.write(word + "\n")
        self.producer.stdin.flush()
        answer = self.producer.stdout.readline()
        assert answer == word + "\n", f"the producer died: {self.log()}"

    # What to show when it went wrong.

    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-4000:]

    def state(self) -> list[dict[str, Any]]:
        with contextlib.suppress(Exception):
            left = self.sql("SELECT job, status, attempt, token, rescues, claimed_by, due_at FROM currant.executions LIMIT 10")
            pools = self.sql("SELECT id, name, pid, has_lock, now() - seen_at AS age, lost_at, stopped_at FROM currant.pools")
            return [dict(row) for row in (*left, *pools[-8:])]
        return []

    def close(self) -> None:
        for name in list(self.pools):
            self.drop_pool(name)
        self.producer.kill()
        self.producer.wait()
        _close(self.producer)
        background.run(self.wire.close())
        self.refused = (self.directory / "log").read_text(errors="replace").count("refused ")
        self.cluster.destroy()


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


@contextlib.contextmanager
def world(seed: int, **settings: Any) -> Iterator[World]:
    made = World(random.Random(seed), **settings)
    try:
        yield made
    finally:
        made.close()


