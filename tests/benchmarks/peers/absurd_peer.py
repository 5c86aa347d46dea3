from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psycopg
from absurd_sdk import AsyncAbsurd
from common import Run

PRODUCERS = 10


async def main() -> None:
    run = Run()
    control = Path(sys.executable).parent / "absurdctl"
    subprocess.run([control, "init", "--database", run.database], check=True, stdout=subprocess.DEVNULL)
    app = AsyncAbsurd(run.database, queue_name="bench")
    await app.create_queue()

    @app.register_task(name="noop")
    async def noop(params: dict[str, int], ctx: object) -> int:
        return run.started(params["n"])

    producers = [AsyncAbsurd(run.database, queue_name="bench") for _ in range(PRODUCERS)]
    looking = await psycopg.AsyncConnection.connect(run.database, autocommit=True)

    async def finished() -> int:
        row = await (await looking.execute("SELECT count(*) FROM absurd.t_bench WHERE state = 'completed'")).fetchone()
        return int(row[0]) if row else 0

    async def one(producer: AsyncAbsurd, numbers: range) -> None:
        for n in numbers:
            await producer.spawn("noop", {"n": n}, queue="bench")

    async def enqueue(numbers: range) -> None:
        await asyncio.gather(*(one(producer, numbers[i::PRODUCERS]) for i, producer in enumerate(producers)))

    worker = asyncio.create_task(app.start_worker(concurrency=run.workers, batch_size=run.workers, poll_interval=0.01))
    await run.measure(
        enqueue,
        finished,
        settings=f"claims {run.workers} at once, polls each 10 ms, {PRODUCERS} connections spawn at once",
        caveats="durable tasks, not a bare queue; no bulk enqueue",
    )
    worker.cancel()


asyncio.run(main())
