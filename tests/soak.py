"""`python -m tests.soak MINUTES`: steady work for as long as wanted, with pools that come and go; memory, connections
and the hot table have to stay flat. Ends with 1 when they don't, or when the books are wrong.

History grows by what has run; a janitor prunes it, as `currant prune` does.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from currant_lab.database import control
from currant_lab.database.connect import Database
from currant_lab.database.url import parse
from currant_lab.loop import background
from tests.chaos.faults.handlers import PAGE
from tests.chaos.world import World

RATE = 1_500.0
"""What a producer aims at; one that submits one by one reaches some hundreds."""

OTHERS = ("second", "third")
SAMPLE_S = 5.0
KEEP_S = 60
GROWTH = 1.25
"""The last third may have so much more than the second: a leak of 1 % a minute is found within half an hour."""


@dataclass(frozen=True)
class Sample:
    memory_mb: float
    connections: int
    table_mb: float
    history_mb: float
    ended: int


def sample(world: World, ended: int) -> Sample:
    pool = world.pools["a"]
    memory = int(Path(f"/proc/{pool.pid}/statm").read_text().split()[1]) * PAGE / 2**20
    (row,) = world.sql(
        "SELECT pg_total_relation_size('currant.executions') / 1048576.0 AS executions,"
        " (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
        "   WHERE inhparent = 'currant.history'::regclass) / 1048576.0 AS history,"
        " (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'currant%') AS connections"
    )
    return Sample(memory, row["connections"], float(row["executions"]), float(row["history"]), ended)


def is_flat(name: str, values: list[float], slack: float) -> bool:
    """Whether the last third is about as high as the second one; the first is the warming up."""
    third = len(values) // 3
    middle, last = median(values[third : 2 * third]), median(values[2 * third :])
    flat = last <= middle * GROWTH + slack
    print(f"  {name}: {middle:.1f}, then {last:.1f} {'flat' if flat else 'NOT FLAT'}")
    return flat


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    world = World(random.Random(1), rate=RATE, is_audited=False)
    samples: list[Sample] = []
    database = background.run(Database.open(parse(world.cluster.url), "currant", migrate=False))
    try:
        world.await_started("a")
        for name in OTHERS:
            world.add_producer(name)
        started = pruned = 0.0
        started, removed = time.monotonic(), 0
        while time.monotonic() < started + 60 * minutes:
            world.sleep(SAMPLE_S)
            now = time.monotonic() - started
            if now - pruned > KEEP_S / 2:
                pruned = now
                removed += background.run(control.prune(database, timedelta(seconds=KEEP_S))).executions
                world.kill(world.pools["b"])  # and comes again
            (row,) = world.sql("SELECT count(*) AS n FROM currant.history")
            samples.append(sample(world, row["n"] + removed))
            if len(samples) % 12 == 1:
                print(f"{now:6.0f} s  {samples[-1]}", flush=True)
        for name in ("main", *OTHERS):
            world.ask_producer(name, "pause")
        world.until("rest", lambda: not world.sql("SELECT FROM currant.executions LIMIT 1"))
        (row,) = world.sql(
            "SELECT count(*) AS n, count(*) FILTER (WHERE status <> 'succeeded') AS bad FROM currant.history"
        )
    finally:
        background.run(database.close())
        world.close()
    ended = row["n"] + removed
    print(f"{minutes:g} minutes, {ended:,} executions, {ended / (60 * minutes):,.0f} a second; {row['bad']} failed")
    checks = [
        is_flat("memory of a pool (MB)", [one.memory_mb for one in samples], 3),
        is_flat("connections", [float(one.connections) for one in samples], 2),
        is_flat("hot table with its indexes (MB)", [one.table_mb for one in samples], 4),
        is_flat("history, pruned (MB)", [one.history_mb for one in samples], 20),
    ]
    return 0 if all(checks) and row["bad"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
