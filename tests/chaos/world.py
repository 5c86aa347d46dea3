"""The world that is broken: a server, pools and a producer, each in processes of its own."""

from __future__ import annotations

import contextlib
import ctypes
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
from tests.chaos.books import Books
from tests.chaos.cluster import ChaosCluster
from tests.chaos.facts import AUDIT
from tests.chaos.jobs import TRACE
from tests.client.proxy import Wire

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
"""How long a world may take to come to rest after a fault."""

MODULES = ("-m", "tests.chaos.jobs", "-m", "tests.chaos.chains", "-m", "tests.chaos.flows")

# Runs that were begun without being acknowledged have nobody who signals to them.
SIGNAL_TO_STRAYS = """
SELECT currant.signal(e.id, 'go', '1') FROM currant.executions AS e
 WHERE e.job = 'tests.chaos.flows:errand'
   AND NOT EXISTS (SELECT FROM currant.signals AS g WHERE g.execution = e.id AND g.name = 'go')
"""

WEAVES = 8.0
"""Chains, graphs and workflows begun a second: a third of all executions."""

LEASE_S = 60
"""After so long a lease is dead whatever the lock says (`native/src/rescue.rs`)."""


class World:
    """Two pools (`a` on the socket, `b` over a wire that can be cut) and a producer, with the books of what they did.

    Attributes:
        is_audited: triggers keep what happens to every row.
        length: what a fault multiplies its times by; below 1 in the short form.
        is_mixed: more than one fault is at work: what only a lone fault promises is not asked for.
        on_tick: called again and again while time passes.
        reached: how far faults that have a limit to reach got.
    """

    def __init__(
        self, rng: random.Random, *, length: float = 1.0, rate: float = 150.0, is_audited: bool = True
    ) -> None:
        self.rng, self.length, self.rate, self.is_audited = rng, length, rate, is_audited
        self.cluster = ChaosCluster()
        self.directory = self.cluster.directory / "chaos"
        self.directory.mkdir(mode=0o755)
        self.books = Books(self.directory)
        self.is_mixed = False
        self.on_tick: Callable[[], None] = _nothing
        self.reached: Counter[str] = Counter()
        self.said: list[str] = []
        self.deaths: dict[int, float] = {}
        self.expected: dict[str, str] = {}
        self.starts: dict[str, Callable[[], subprocess.Popen[str]]] = {}
        self.pools: dict[str, subprocess.Popen[str]] = {}
        self.producers: dict[str, subprocess.Popen[str]] = {}
        self.run(self._prepare())
        self.wire = background.run(Wire(self.cluster.port).open())
        self.wire_url = f"postgresql://postgres@127.0.0.1:{self.wire.port}/postgres?sslmode=disable"
        self.add_pool("a", self.cluster.url)
        self.add_pool("b", self.wire_url)
        self.add_producer("main")
        if is_audited:
            self.add_weaver()

    def say(self, text: str) -> None:
        """Say something once."""
        if text not in self.said:
            self.said.append(text)
            print(text, flush=True)

    def note_reached(self, what: str, count: int) -> None:
        self.reached[what] += count

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
                preexec_fn=_die_with_parent,
            )  # fmt: skip

    def add_pool(
        self, name: str, url: str, *, workers: int = 8, queue: str = "default", prefix: Sequence[str] = (), **env: str
    ) -> None:
        """Start a pool that is started again whenever it ends, until `drop_pool`."""

        def begin() -> subprocess.Popen[str]:
            words = ("worker", *MODULES, "--name", name, "--workers", workers, "--queues", queue)
            return self.process("currant_lab", *words, "--json", url=url, prefix=prefix, **env)

        self.starts[name] = begin
        self.pools[name] = begin()

    def await_started(self, name: str) -> None:
        """Wait until a pool has said that it works."""
        out = self.pools[name].stdout
        assert out is not None
        line = out.readline()
        assert "started" in line, (name, line, self.log())

    def add_producer(self, name: str, **env: str) -> None:
        words = (self.directory / "acks", len(self.producers) * 1_000 + self.rng.randrange(1_000), self.rate)
        self.producers[name] = self.process("tests.chaos.producer", *words, **env)

    def add_weaver(self) -> None:
        """What submits chains and workflows: it pauses and goes on as the producers do."""
        words = (self.directory / "woven", 500_000 + self.rng.randrange(1_000), WEAVES)
        self.producers["weaver"] = self.process("tests.chaos.weaver", *words)

    def drop_producer(self, name: str) -> None:
        self.ask_producer(name, "pause")
        producer = self.producers.pop(name)
        producer.kill()
        producer.wait()
        _close(producer)

    def age_lease(self, name: str) -> None:
        """Make the lease of a pool that can't renew it as old as one that is dead."""
        self.sql("UPDATE currant.pools SET seen_at = seen_at - $1 * interval '1 s' WHERE name = $2", LEASE_S, name)

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
        self.on_tick()
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
        if self.is_audited:
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

    def rest(self, before_check: Callable[[], object] | None = None) -> None:
        """Pause the producers, wait until everything is final, check the books, go on."""
        for name in self.producers:
            self.ask_producer(name, "pause")
        self.until("rest", self._is_at_rest)

        if before_check is not None:
            before_check()

        async def check() -> None:
            conn = await connect(parse(self.cluster.url), application_name="chaos")
            try:
                await self.books.check(conn, self.deaths, self.expected)
            finally:
                await conn.close()

        self.run(check())
        for name in self.producers:
            self.ask_producer(name, "go")

    def _is_at_rest(self) -> bool:
        self.sql(SIGNAL_TO_STRAYS)
        return not self.sql("SELECT FROM currant.executions LIMIT 1")

    def ask_producer(self, name: str, word: str) -> None:
        producer = self.producers[name]
        assert producer.stdin is not None
        assert producer.stdout is not None
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            producer.stdin.write(word + "\n")
            producer.stdin.flush()
            answer = producer.stdout.readline()
        assert answer == word + "\n", f"a producer died: {answer or producer.stdout.read()} {self.log()}"

    # What to show when it went wrong.

    def log(self) -> str:
        return self.tail("log", 4_000)

    def tail(self, name: str, length: int = 300_000) -> str:
        """The end of one of the files."""
        path = self.directory / name
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - length))
            return file.read().decode(errors="replace")

    def state(self) -> list[dict[str, Any]]:
        with contextlib.suppress(Exception):
            left = self.sql(
                "SELECT id, job, status, attempt, token, rescues, claimed_by, due_at, waits_for FROM currant.executions"
                " ORDER BY id LIMIT 20"
            )
            pools = self.sql(
                "SELECT id, name, pid, has_lock, now() - seen_at AS age, lost_at, stopped_at"
                " FROM currant.pools ORDER BY id"
            )
            return [dict(row) for row in (*left, *pools[-8:])]
        return []

    def close(self) -> None:
        for name in list(self.pools):
            self.drop_pool(name)
        for producer in self.producers.values():
            producer.kill()
            producer.wait()
            _close(producer)
        background.run(self.wire.close())
        self.cluster.destroy()

    @property
    def refused(self) -> int:
        """How many submits were refused while the database was away."""
        return (self.directory / "log").read_text(errors="replace").count("refused ")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # 1 is PR_SET_PDEATHSIG


def _nothing() -> None:
    pass


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
