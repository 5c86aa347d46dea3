"""What it costs to be watched: `python -m tests.benchmarks.watching`, figures beside what is asked.

The dashboard runs in a terminal of its own beside one pool that does nothing but no-op jobs, and is started and ended
between the runs, so that each run with it stands beside one without. Then it hears what a pool at 40,000 executions a
second would say, then follows a busy pool for ten minutes, then a database with a million waiting and ten million
finished executions. Small numbers make it a test: `tests/watch/test_watching.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from currant_lab.database.migrate import migrate
from currant_lab.database.url import parse
from currant_lab.loop import background
from tests.benchmarks.speech import speak
from tests.servers import Cluster, clean_environment

VIEWS = ("overview", "claims", "latency")
PARTS = ("attached", "spoken", "memory", "crowded")

POOL = """
import sys, time, currant_lab as currant
from currant_lab import job

@job(name="watched:noop")
async def noop(x: int) -> int:
    return x

with currant.start(workers=100, name="watched"):
    noop.map(range(2_000)).results()
    print("ready", flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        count = int(line)
        noop.map(range(count)).results(timeout=300)
        print(count / (time.perf_counter() - begun), flush=True)
"""


class Pool:
    """A process with one pool; `run` gives executions per second from the first submit to the last result on disk."""

    def __init__(self, url: str) -> None:
        env = clean_environment() | {"CURRANT_DATABASE_URL": url}
        self.process = subprocess.Popen(
            [sys.executable, "-c", POOL], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def run(self, count: int) -> float:
        assert self.process.stdin is not None
        print(count, file=self.process.stdin, flush=True)
        return float(self._answer())

    def end(self) -> None:
        self.process.communicate(timeout=60)

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the pool has ended: no figures")
        return line


class Dashboard:
    """The dashboard in a terminal of 120 x 36 that is read by a thread."""

    def __init__(self, url: str, directory: str, view: str = "overview", schema: str = "currant") -> None:
        self._file = Path(directory) / f"gauges-{time.monotonic_ns()}"
        self._file.touch()
        self._said = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        words = [sys.executable, "-m", "tests.benchmarks.watched_app", url, schema, view, str(self._file)]
        env = clean_environment() | {"TERM": "xterm-256color", "CURRANT_TUI_CONFIG": f"{directory}/none.toml"}
        self.process = subprocess.Popen(words, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        threading.Thread(target=self._drain, daemon=True).start()
        self.wait(1)

    def read(self) -> list[dict[str, Any]]:
        """The gauges of each second so far."""
        text = self._file.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait(self, seconds: int) -> list[dict[str, Any]]:
        """The gauges of the next so many seconds."""
        before = len(self.read())
        while len(found := self.read()) < before + seconds:
            if self.process.poll() is not None:
                raise SystemExit(f"the dashboard has ended: no figures\n{self._said.decode(errors='replace')}")
            time.sleep(0.05)
        return found[before:]

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def end(self) -> None:
        self.press("q")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while said := os.read(self._master, 65_536):
                self._said = (self._said + said)[-4_000:]


@contextlib.contextmanager
def dashboard(url: str, directory: str, view: str = "overview", schema: str = "currant") -> Iterator[Dashboard]:
    """One that is ended at the end."""
    shown = Dashboard(url, directory, view, schema)
    try:
        yield shown
    finally:
        shown.end()


def report(what: str, value: float, unit: str, asked: str = "") -> None:
    print(f"{what:<66} {value:>11,.2f} {unit:<10} {asked}", flush=True)


def attached(url: str, directory: str, jobs: int, rounds: int) -> None:
    """Throughput with and without it, in turn; what the app's loop and CPU say meanwhile."""
    pool = Pool(url)
    ratios: list[float] = []
    rates: list[float] = []
    gauges: dict[str, list[dict[str, Any]]] = {view: [] for view in VIEWS}
    for number in range(rounds):
        view = VIEWS[number % len(VIEWS)]
        alone = [pool.run(jobs)]
        with dashboard(url, directory, view) as shown:
            before = len(shown.read())
            watched = pool.run(jobs)
            gauges[view] += shown.read()[before:]
        alone.append(pool.run(jobs))
        rates.append(watched)
        ratios.append(watched / statistics.mean(alone))
        beside = f"{alone[0]:>9,.0f} {watched:>9,.0f} {alone[1]:>9,.0f} /s"
        print(f"  {view:<9} {beside}  ratio {ratios[-1]:.3f}", flush=True)
    pool.end()
    report("executions per second while watched, median", statistics.median(rates), "/s")
    report("  beside the same without", statistics.median(ratios), "ratio", "asked >= 0.97")
    for view, lines in gauges.items():
        if lines:
            tell_gauges(view, lines)


def tell_gauges(view: str, lines: Sequence[dict[str, Any]]) -> None:
    """What the gauges of some seconds say."""
    report(f"  {view}: CPU, mean", statistics.mean(line["cpu"] for line in lines) * 100, "% of core", "asked < 25")
    for name, gauge, asked in (("p99", "late_p99_ms", ""), ("worst", "late_ms", "asked < 50")):
        late = statistics.median(line[gauge] for line in lines)
        report(f"  {view}: loop late, {name} of each second, median", late, "ms", asked)
    report(f"  {view}: loop late, worst of all", max(line["late_ms"] for line in lines), "ms")
    report(f"  {view}: pictures", statistics.mean(line["painted"] for line in lines), "/s")


def spoken(url: str, directory: str, per_s: int, seconds: float) -> None:
    """CPU and the loop's delay on each page while events come as of a pool at that pace, whatever this machine can."""
    print(f"events as of a pool at {per_s:,} executions/s:")
    for view in VIEWS:
        with dashboard(url, directory, view) as shown:
            before = len(shown.read())
            background.run(speak(url, per_s, seconds))
            lines = shown.read()[before:]
            tell_gauges(view, lines)
            events = (lines[-1]["events"] - lines[0]["events"]) / sum(line["seconds"] for line in lines[1:])
            report(f"  {view}: events read", events, "/s")


def memory(url: str, directory: str, jobs: int, seconds: float) -> None:
    """Whether the app grows while it watches a busy pool, turning through its pages."""
    pool = Pool(url)
    with dashboard(url, directory) as shown:
        end = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < end:
            pool.run(jobs)
            turn += 1
            shown.press("123"[turn % 3])
        lines = shown.wait(1) and shown.read()
    pool.end()
    sizes = [line["rss"] / 2**20 for line in lines]
    part = max(len(sizes) // 10, 1)
    for name, some in (("first tenth", sizes[:part]), ("half way", sizes[len(sizes) // 2 :][:part]),
                       ("last tenth", sizes[-part:])):  # fmt: skip
        report(f"memory over {len(sizes)} s, {name}", statistics.mean(some), "MiB")
    report("  loop late, p99 of a second, median", statistics.median(line["late_p99_ms"] for line in lines), "ms")
    report("  CPU, mean", statistics.mean(line["cpu"] for line in lines) * 100, "% of core", "asked < 25")


def crowded(url: str, directory: str, waiting: int, finished: int, seconds: int) -> dict[str, float]:
    """With much in the database: its statements, how many there are while nobody touches a key, and transactions."""
    background.run(fill(url, waiting, finished))
    held = 0
    with dashboard(url, directory) as shown:
        shown.wait(3)
        quiet = shown.wait(seconds)
        for key in "12345678":
            shown.press(key)
            shown.wait(1)
            held = max(held, background.run(transactions_held(url, seconds=1.0)))
        every = shown.read()
    statements = sum(len(line["statements"]) for line in quiet) / sum(line["seconds"] for line in quiet)
    slowest: dict[str, list[float]] = {}
    for line in every:
        for name, took in line["statements"]:
            slowest.setdefault(name, []).append(took * 1e3)
    for name, times in sorted(slowest.items(), key=lambda pair: -max(pair[1])):
        median = statistics.median(times)
        report(f"  {name}, {len(times)} times, median {median:.1f} ms, worst", max(times), "ms")
    worst = max(max(times) for times in slowest.values())
    report(f"{waiting:,} waiting, {finished:,} finished: slowest statement", worst, "ms", "asked < 100")
    report("statements while nobody touches a key", statements, "/s", "asked <= 2")
    report("transactions seen open between statements", held, "", "asked 0")
    report("what waits, as shown", every[-1]["waiting"], "")
    return {"worst_ms": worst, "per_s": statements, "held": held, "waiting": every[-1]["waiting"]}


async def transactions_held(url: str, seconds: float) -> int:
    """The most sessions of the dashboard that were seen idle in a transaction."""
    conn = await asyncpg.connect(url)
    most, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name LIKE 'currant-watch%' AND state LIKE 'idle in transaction%'"))  # fmt: skip
    await conn.close()
    return most


async def fill(url: str, waiting: int, finished: int) -> None:
    """Executions that wait and that have finished, in five queues."""
    conn = await asyncpg.connect(url)
    await conn.execute(
        "INSERT INTO currant.executions (id, job, queue, args)"
        f" SELECT currant.first_id(now() - n * interval '1 ms'), 'crowd:one', 'q' || n % 5, '[]'"
        f" FROM generate_series(1, {waiting}) AS n", timeout=600)  # fmt: skip
    part = 1_000_000
    for start in range(0, finished, part):
        await conn.execute(
            "INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, claimed_by,"
            " created_at, claimed_at, started_at, finished_at, args)"
            " SELECT currant.first_id(now() - n * interval '10 ms'), 'crowd:' || n % 7, 'q' || n % 5, 0,"
            " CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'succeeded' END, 1, 1, 0, 1, now() - n * interval '10 ms',"
            " now() - n * interval '10 ms', now() - n * interval '10 ms', now() - n * interval '10 ms', '[]'"
            f" FROM generate_series({start + 1}, {min(start + part, finished)}) AS n", timeout=900)  # fmt: skip
        print(f"  {min(start + part, finished):,} finished", end="\r", file=sys.stderr, flush=True)
    await conn.execute("VACUUM ANALYZE", timeout=900)
    await conn.close()


@contextlib.contextmanager
def server() -> Iterator[str]:
    """A cluster with the schema."""
    cluster = Cluster("postgres18", conf="shared_buffers = 256MB\nmax_wal_size = 4GB\n")
    try:
        background.run(_migrate(cluster.url))
        yield cluster.url
    finally:
        cluster.destroy()


async def _migrate(url: str) -> None:
    from currant_lab.database.connect import connect

    conn = await connect(parse(url), application_name="watching")
    await migrate(conn, "currant")
    await conn.close()


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one of the parts")
    parser.add_argument("--jobs", type=int, default=100_000, help="executions of a run")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--finished", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=int, default=30, help="of watching quietly")
    args = parser.parse_args(words)
    parts = [args.only] if args.only else list(PARTS)
    with tempfile.TemporaryDirectory(prefix="currant-watching-") as directory, server() as url:
        if "attached" in parts:
            attached(url, directory, args.jobs, args.rounds)
        if "spoken" in parts:
            spoken(url, directory, 40_000, args.seconds)
        if "memory" in parts:
            memory(url, directory, args.jobs, args.minutes * 60)
        if "crowded" in parts:
            crowded(url, directory, args.waiting, args.finished, args.seconds)


if __name__ == "__main__":
    main()
