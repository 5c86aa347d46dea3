"""Makes the recording that the pictures are drawn from: `python -m tests.tui.lively FILE [SECONDS]`.

A real run of a minute and a half: three pools of which one is killed, jobs that fail, a burst, a queue that nobody
serves, one that is paused, and jobs that no pool knows. Only the names of the machine are replaced.
"""

from __future__ import annotations

import asyncio
import math
import random
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from currant_lab.database.connect import connect
from currant_lab.database.migrate import migrate
from currant_lab.database.url import parse
from currant_lab.settings import load
from currant_lab.watch.live import Live
from currant_lab.watch.recording import RecordedBoard, Recorder
from currant_lab.watch.snapshot import Snapshot
from tests.servers import Cluster, clean_environment

SECONDS = 95
KILLED_AT = 0.65  # of the time
DATABASE = "postgresql://lab@db.example/jobs"

JOBS = """
import asyncio, random, time
from currant_lab import job

@job(name="crawl:fetch", queue="crawl", retries=2, backoff=0.5)
async def fetch(page: int) -> dict:
    await asyncio.sleep(random.lognormvariate(-3.4, 0.7))
    if page % 29 == 7:
        raise ConnectionResetError("the other side hung up")
    return {"page": page}

@job(name="crawl:parse", queue="crawl", priority=5)
async def parse(page: int) -> int:
    return page

@job(name="mail:send", queue="mail")
async def send(to: int) -> str:
    await asyncio.sleep(random.uniform(0.004, 0.02))
    if to % 53 == 0:
        raise ValueError(f"no such address: user{to}@example.org")
    return "sent"

@job(name="reports:render", queue="reports", timeout=30)
def render(month: int) -> int:
    time.sleep(random.uniform(0.2, 0.9))
    return month

@job(name="mail:digest", queue="mail", priority=-1)
async def digest(to: int) -> None:
    await asyncio.sleep(0.05)
"""

POOLS = (("crawler", "crawl", 24, 4711), ("newsletter", "mail,default", 8, 4723), ("reports", "reports", 4, 902))


class Disguised(RecordedBoard):
    """A recorded board that gives this machine's names other ones."""

    def reconcile(self, snapshot: Snapshot) -> None:
        pids = {name: pid for name, _, _, pid in POOLS}

        def known(pool: Any) -> Any:
            host = "lab-2" if pool.name == "reports" else "lab-1"
            kind = "worker" if pool.name == "reports" else "kernel"
            return replace(pool, host=host, pid=pids.get(pool.name, 1), kind=kind)

        super().reconcile(
            replace(snapshot, pools=tuple(map(known, snapshot.pools)), gone=tuple(map(known, snapshot.gone)))
        )


async def make(path: Path, seconds: float = SECONDS) -> None:
    cluster = Cluster("postgres18")
    try:
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "lively_jobs.py").write_text(JOBS)
            await _run(path, cluster, directory, seconds)
    finally:
        cluster.destroy()


async def _run(path: Path, cluster: Cluster, directory: str, seconds: float) -> None:
    conn = await connect(parse(cluster.url), application_name="lively")
    await migrate(conn, "currant")
    env = clean_environment() | {"CURRANT_DATABASE_URL": cluster.url, "PYTHONPATH": directory}
    pools = [_pool(name, queues, workers, env) for name, queues, workers, _ in POOLS]
    recorder = Recorder(path)
    recorder.board = Disguised(recorder)
    live = Live(load(database=cluster.url), recorder.board)
    await live.open()
    major, minor = live.database.server_version if live.database else (0, 0)
    recorder.board.describe(database=DATABASE, server_version=f"{major}.{minor}", schema="currant")
    recorder.start()
    following = asyncio.create_task(_follow(live))
    try:
        await _work(conn, pools, seconds)
    finally:
        following.cancel()
        await live.close()
        await recorder.close()
        for pool in pools:
            pool.send_signal(signal.SIGTERM)
            pool.wait(20)
        await conn.close()


def _pool(name: str, queues: str, workers: int, env: dict[str, str]) -> subprocess.Popen[bytes]:
    words = ["worker", "-m", "lively_jobs", "--queues", queues, "--workers", str(workers), "--name", name]
    return subprocess.Popen(
        [sys.executable, "-m", "currant_lab", *words], env=env, cwd=env["PYTHONPATH"], stdout=subprocess.DEVNULL
    )


async def _follow(live: Live) -> None:
    async for _ in live.changes():
        pass


async def _work(conn: Any, pools: list[subprocess.Popen[bytes]], seconds: float) -> None:
    dice = random.Random(11)
    number = 0

    async def submit(job: str, queue: str, count: int, delay: float = 0.0, priority: int = 0) -> None:
        nonlocal number
        await conn.execute(
            "SELECT currant.submit($1, jsonb_build_array(n), $2, $3, make_interval(secs => $4))"
            " FROM generate_series($5::int, $6::int) n",
            job, queue, priority, delay, number + 1, number + count,
        )  # fmt: skip
        number += count

    await submit("billing:charge", "billing", 1_204)
    await submit("crawl:thumbnail", "crawl", 120)
    await submit("mail:digest", "mail", 340, delay=600)
    await submit("mail:send", "newsletter", 45)
    await conn.execute("INSERT INTO currant.queues (name, paused_at) VALUES ('newsletter', now())")
    begun = asyncio.get_running_loop().time()
    while (passed := asyncio.get_running_loop().time() - begun) < seconds:
        wave = 1 + math.sin(passed / 7)
        await submit("crawl:fetch", "crawl", int(70 * wave + dice.randrange(30)))
        await submit("crawl:parse", "crawl", int(60 * wave), priority=5)
        await submit("mail:send", "mail", dice.randrange(20, 60))
        if dice.random() < 0.4:
            await submit("mail:digest", "mail", dice.randrange(30))
        if dice.random() < 0.7:
            await submit("reports:render", "reports", dice.randrange(6))
        if 38 < passed < 39.5:
            await submit("crawl:fetch", "crawl", 6_000)
        if passed > seconds * KILLED_AT:
            pools[2].kill()
        await asyncio.sleep(0.25)


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1]), *map(float, sys.argv[2:])))
