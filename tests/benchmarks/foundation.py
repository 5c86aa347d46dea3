"""What the foundation promises, as numbers beside their floors: `make bench`.

Each figure is a median of several runs in one process on one server (fsync and synchronous_commit on), printed with the
ratio to what bare statements do in the same run. Nothing here fails by being slow: machines differ, ratios less.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import currant_lab as currant
from currant_lab import job
from currant_lab.bench import floor
from currant_lab.bench.plan import Plan
from currant_lab.client import current
from currant_lab.database.connect import connect
from currant_lab.database.embedded import EmbeddedServer
from currant_lab.loop import background

COUNT = 50_000
RUNS = 3


@job
async def noop(x: int) -> int:
    return x


@job
async def stamp() -> float:
    return time.perf_counter()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    with tempfile.TemporaryDirectory(prefix="currant-bench-") as home:
        Path(home).chmod(0o755)
        os.environ["CURRANT_HOME"] = home
        # First, while autovacuum, whose transactions count too, has nothing to do.
        with currant.start(workers=100):
            report("idle with 100 workers", background.run(idle_transactions(20.0)), "transactions/s", "asked < 0.5")
        with currant.start(workers=50):
            report("import currant_lab, beside asyncio", import_seconds("currant_lab") * 1e3, "ms", "asked < 100")
            report("  import asyncio alone", import_seconds("asyncio") * 1e3, "ms")
            noop.map(range(2_000)).results()
            runs = [(end_to_end(count), background.run(bare_statements(count))) for _ in range(RUNS)]
            ours, floor = (statistics.median(column) for column in zip(*runs, strict=True))
            ratio = statistics.median(own / bare for own, bare in runs)
            report(f"{count:,} no-op async executions, map to all settled", ours, "/s", "asked >= 20,000")
            report("  the same statements alone (COPY, claim, settle by 500)", floor, "/s", f"ratio {ratio:.2f}")
            waits = sorted(submit_to_start() for _ in range(200))
            report("submit to handler start, p50 of 200", waits[100] * 1e3, "ms", "asked < 2")
            report("submit to handler start, p99 of 200", waits[198] * 1e3, "ms")
        current.get().close()
        EmbeddedServer(Path(home)).stop()


def report(what: str, value: float, unit: str, note: str = "") -> None:
    print(f"{what:<62} {value:>12,.2f} {unit:<15} {note}", flush=True)


def end_to_end(count: int) -> float:
    """Executions per second from the first submit to the last result on disk."""
    begun = time.perf_counter()
    results = noop.map(range(count)).results(timeout=300)
    seconds = time.perf_counter() - begun
    if results != list(range(count)):
        raise SystemExit("the results are wrong: no figure")
    return count / seconds


def submit_to_start() -> float:
    """Seconds from the call of submit to the handler's first line, with an idle pool."""
    begun = time.perf_counter()
    return stamp.submit().result(timeout=10) - begun


def import_seconds(module: str) -> float:
    """What an import adds to a bare interpreter, median of 5, bytecode compiled."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        return time.perf_counter() - begun

    run(f"import {module}")
    return statistics.median(run(f"import {module}") for _ in range(5)) - statistics.median(
        run("pass") for _ in range(5)
    )


async def bare_statements(count: int) -> float:
    """Executions per second of one connection that copies, claims and settles, with no pool and no handlers."""
    _, seconds = await floor.bare(current.get().database, Plan(jobs=count), count)
    return count / seconds


async def idle_transactions(seconds: float) -> float:
    """Transactions per second of the whole database while nothing happens, its own two looks left out."""
    look = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    conn = await connect(current.get().database.target, application_name="bench")
    try:
        await conn.execute("VACUUM ANALYZE")  # or autovacuum does it meanwhile, in a transaction for each new table
        await asyncio.sleep(12)  # the start's own transactions are counted late
        before = await conn.fetchval(look)
        await asyncio.sleep(seconds)
        after = await conn.fetchval(look)
    finally:
        await conn.close()
    return max(after - before - 1, 0) / seconds


if __name__ == "__main__":
    main()
