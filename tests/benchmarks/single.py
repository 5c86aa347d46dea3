"""`python -m tests.benchmarks.single`: what one submit costs, from whichever side, and what an idle pool costs.

Each figure is printed beside what was asked for, and, where there is one, beside its floor in the same run: the
driver's own single-row inserts, and an insert with NOTIFY that another connection hears and answers with a claim.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import currant_lab as currant
from currant_lab import job
from currant_lab.client import current
from currant_lab.database.connect import connect
from currant_lab.database.embedded import EmbeddedServer
from currant_lab.database.statements import statement
from currant_lab.ids import new_id, new_ids
from currant_lab.loop import background
from currant_lab.pool.engine import statements
from tests.benchmarks.foundation import idle_transactions, report

SINGLES = 300
LOOP = 1_000
GATHERED = 20_000
BACKLOG = 100_000
RUNS = 3

ELSEWHERE = """
import sys, time
from tests.benchmarks.single import stamp
for _ in range(int(sys.argv[1])):
    time.sleep(0.003)
    begun = time.perf_counter()
    print(stamp.submit().result(10) - begun)
"""


@job(name="single:noop")
async def noop(x: int) -> int:
    return x


@job(name="single:stamp")
async def stamp() -> float:
    return time.perf_counter()  # of the machine, not of the process


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="currant-bench-") as home:
        Path(home).chmod(0o755)
        os.environ["CURRANT_HOME"] = home
        for workers in (100, 1_000):  # first, while autovacuum, whose transactions count too, has nothing to do
            with currant.start(workers=workers):
                idle(workers)
        with currant.start(workers=50):
            noop.map(range(2_000)).results()
            for run in range(1, RUNS + 1):
                print(f"-- run {run}")
                starts(SINGLES)
                many()
            backlog()
        current.get().close()
        EmbeddedServer(Path(home)).stop()


def starts(count: int) -> None:
    """From submit to the handler's first line, in four ways."""
    spread("submit to start, from the pool's process", [started() for _ in range(count)], "p50 < 1, p99 < 5")
    spread("submit to `await` returning", asyncio.run(awaited(count)), "p50 < 2")
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(count)], env=here, check=True, capture_output=True, text=True
    )
    bare = background.run(heard(count))
    other = [float(line) for line in done.stdout.split()]
    ratio = statistics.median(other) / statistics.median(bare)
    spread("submit to start, from another process", other, f"<= 1.2 of the next, is {ratio:.2f}")
    spread("  bare insert, NOTIFY and claim", bare, "")
    with computing():
        spread("submit to start, while a cell computes", [started() for _ in range(count // 3)], "p50 < 15")


def started() -> float:
    begun = time.perf_counter()
    return stamp.submit().result(10) - begun


async def awaited(count: int) -> list[float]:
    """Seconds from `asubmit` until the awaited result is there."""
    seconds = []
    for x in range(count):
        begun = time.perf_counter()
        handle = await noop.asubmit(x)
        await handle
        seconds.append(time.perf_counter() - begun)
    return seconds


async def heard(count: int) -> list[float]:
    """Seconds from a bare insert with NOTIFY until another connection, which hears it, has claimed the row."""
    database = current.get().database
    writing = await connect(database.target, application_name="bench")
    working = await connect(database.target, application_name="bench")
    news: asyncio.Queue[None] = asyncio.Queue()
    await working.add_listener("bare_news", lambda *_: news.put_nowait(None))
    insert = await writing.prepare(statement("execution_submit", database.schema))
    claim = await working.prepare(statements(database.schema)["claim"])
    seconds = []
    try:
        for id in new_ids(count):
            await asyncio.sleep(0.003)
            begun = time.perf_counter()
            async with writing.transaction():
                await insert.fetch(id, "bare", "bare", 0, None, None, b"[]")
                await writing.execute("NOTIFY bare_news")
            await news.get()
            rows = await claim.fetch(["bare"], [-(2**31)], [bytes(16)], [1], ["bare"], 0, True)
            seconds.append(time.perf_counter() - begun)
            if [row["id"] for row in rows] != [id]:
                raise SystemExit("another row was claimed: no figure")
    finally:
        await writing.execute(f"DELETE FROM {database.schema}.executions WHERE job = 'bare'")
        await writing.close()
        await working.close()
    return seconds


@contextmanager
def computing() -> Iterator[None]:
    """Another thread computes in Python, as a cell does, and holds the GIL as long as it may."""
    is_over = threading.Event()

    def compute() -> None:
        while not is_over.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def many() -> None:
    """Submits one after the other, and all at once."""
    bare = rate(LOOP, lambda: background.run(inserted(LOOP)))
    ours = rate(LOOP, lambda: [noop.submit(x) for x in range(LOOP)])
    report("for x in xs: job.submit(x)", ours, "/s", f">= 0.7 of the next, is {ours / bare:.2f}")
    report("  the driver's single-row inserts", bare, "/s")

    async def gathered() -> list[Any]:
        return await asyncio.gather(*(noop.asubmit(x) for x in range(GATHERED)))

    handles: list[Any] = []
    report("asubmit under gather", rate(GATHERED, lambda: handles.extend(asyncio.run(gathered()))), "/s", ">= 20,000")
    for handle in handles:
        handle.wait(60)


async def inserted(count: int) -> None:
    database = current.get().database
    conn = await connect(database.target, application_name="bench")
    one = await conn.prepare(statement("execution_submit", database.schema))
    for _ in range(count):
        await one.fetch(new_id(), "bare", "bare", 0, None, None, b"[1]")
    await conn.execute(f"DELETE FROM {database.schema}.executions WHERE job = 'bare'")
    await conn.close()


def backlog() -> None:
    """What is urgent overtakes what waits; what is not starts in the order of its submits."""
    batch = noop.map(range(BACKLOG))
    urgent = stamp.options(priority=10)
    seconds = []
    for _ in range(20):
        begun = time.perf_counter()
        seconds.append(urgent.submit().result(60) - begun)
    left = batch.counts().get("pending", 0)
    spread(f"priority 10 into a backlog ({left:,} still waited at the end)", seconds, "each < 100")
    batch.results(300)


def idle(workers: int) -> None:
    """A pool that has nothing to do."""
    before, begun = time.process_time(), time.perf_counter()
    found = background.run(idle_transactions(20.0))
    share = (time.process_time() - before) / (time.perf_counter() - begun)
    report(f"idle with {workers:,} workers", found, "transactions/s", "< 0.5")
    report(f"  processor of the process, with {workers:,} workers", share * 100, "% of one", "< 1")


def rate(count: int, work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return count / (time.perf_counter() - begun)


def spread(what: str, seconds: list[float], note: str) -> None:
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    report(f"{what}, p50", p50 * 1e3, "ms", f"p99 {p99 * 1e3:.2f}, most {ordered[-1] * 1e3:.2f}; asked {note or '-'}")


if __name__ == "__main__":
    main()
