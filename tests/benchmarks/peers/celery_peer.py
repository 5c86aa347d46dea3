from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import redis
from celery import Celery

# The worker's process imports this file too: it has the addresses by its environment.
BROKER = os.environ.get("PEER_REDIS") or sys.argv[2]
app = Celery("celery_peer", broker=f"{BROKER}/1", backend=f"{BROKER}/2")
app.conf.update(
    worker_prefetch_multiplier=100,
    task_acks_late=False,
    task_ignore_result=False,
    broker_connection_retry_on_startup=True,
    worker_send_task_events=False,
)


@app.task(name="noop")
def noop(n: int) -> int:
    return n


async def main() -> None:
    from common import Run

    run = Run()
    results = redis.Redis.from_url(f"{BROKER}/2")
    words = [sys.executable, "-m", "celery", "-A", "celery_peer", "worker", "--pool", "prefork", "--concurrency", "2"]
    words += ["--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    environment = os.environ | {"PEER_REDIS": BROKER, "C_FORCE_ROOT": "1"}
    worker = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    try:
        while not app.control.ping(timeout=0.5):
            pass

        async def enqueue(numbers: range) -> None:
            with app.producer_or_acquire() as producer:
                for n in numbers:
                    noop.apply_async((n,), producer=producer)

        async def finished() -> int:
            return int(results.dbsize())

        def started() -> int:
            stats = app.control.inspect(timeout=5).stats() or {}
            return sum(sum(worker["total"].values()) for worker in stats.values())

        await run.measure(
            enqueue,
            finished,
            started=started,
            settings="prefork with 2 processes, prefetch 100, one producer connection",
            caveats="redis without persistence; two worker processes, plain functions",
        )
    finally:
        worker.terminate()
        worker.wait(20)


if __name__ == "__main__":
    asyncio.run(main())
