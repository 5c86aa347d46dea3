"""`python -m tests.benchmarks.standing`: what throughput becomes with much waiting, much finished, an open snapshot.

All rates are of work that waits already: its queue is paused, filled, and let go. Read the ratios to the plain runs: a
machine changes its speed from minute to minute.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import currant_lab as currant
from currant_lab import job
from currant_lab.client import current
from currant_lab.database.connect import connect
from currant_lab.database.embedded import EmbeddedServer
from currant_lab.loop import background
from currant_lab.pool.pool import Pool
from tests.benchmarks.foundation import report

COUNT = 100_000

FINISHED = """
INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, created_at, claimed_at,
                             started_at, finished_at, args, result)
SELECT currant.new_id(), 'bench:finished', 'default', 0, 'succeeded', 1, 1, 0, now(), now(), now(), now(), '[1]', '1'
  FROM generate_series(1, $1)
"""


@job(name="standing:noop")
async def noop(x: int) -> int:
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--finished", type=int, default=10_000_000)
    parser.add_argument("--held", type=float, default=600.0, help="seconds for which a snapshot is held open")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="currant-bench-") as home:
        Path(home).chmod(0o755)
        os.environ["CURRANT_HOME"] = home
        with currant.start(workers=50) as pool:
            drained(pool, 20_000)
            plain = [drained(pool, COUNT) for _ in range(3)]
            report(f"{COUNT:,} that wait", statistics.median(plain), "/s", spread(plain))
            beside(plain, f"of {asked.waiting:,} that wait, all", drained(pool, asked.waiting))
            held(pool, asked.held)
            background.run(finish(asked.finished))
            for _ in range(3):
                beside(plain, f"with {asked.finished:,} finished", drained(pool, COUNT))
        current.get().close()
        EmbeddedServer(Path(home)).stop()


def drained(pool: Pool, count: int) -> float:
    """Executions per second of so many that wait when their queue is let go, until the last is on disk."""
    pool.pause("default")
    noop.map(range(count))
    before = pool.stats().settled
    begun = time.perf_counter()
    pool.resume("default")
    while pool.stats().settled - before < count:
        time.sleep(0.002)
    return count / (time.perf_counter() - begun)


def held(pool: Pool, seconds: float) -> None:
    """With a snapshot open all the while: vacuum removes nothing, and what was claimed stays in front of the index."""
    rates = []
    with snapshot():
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            rates.append(drained(pool, COUNT))
            spent = time.perf_counter() - begun
            if len(rates) % 10 == 1:
                report(f"  a snapshot held for {spent:.0f} s, {len(rates) * COUNT:,} done meanwhile", rates[-1], "/s")
    after = drained(pool, COUNT)
    last = statistics.median(rates[-5:])
    report(
        f"a snapshot held for {seconds:.0f} s: the last five runs", last, "/s", f"{last / after:.2f} of one after it"
    )


@contextmanager
def snapshot() -> Iterator[None]:
    database = current.get().database
    conn = background.run(connect(database.target, application_name="holder"))
    background.run(conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"))
    yield
    background.run(conn.close())


async def finish(count: int) -> None:
    """That many more finished executions, vacuumed and analysed."""
    database = current.get().database
    conn = await connect(database.target, application_name="bench")
    statement = FINISHED.replace("currant", database.schema)
    for start in range(0, count, 500_000):
        await conn.execute(statement.replace("$1", str(min(500_000, count - start))), timeout=600)
    await conn.execute(f"VACUUM ANALYZE {database.schema}.history", timeout=1_200)
    await conn.close()
    await asyncio.sleep(2)


def beside(plain: list[float], what: str, rate: float) -> None:
    """Report a rate beside the plain runs."""
    report(what, rate, "/s", f"{rate / statistics.median(plain):.2f} of the plain runs; asked >= 0.9")


def spread(rates: list[float]) -> str:
    return ", ".join(f"{rate:,.0f}" for rate in rates)


if __name__ == "__main__":
    main()
