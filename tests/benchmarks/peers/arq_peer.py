from __future__ import annotations

import asyncio

from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker
from common import Run

run = Run()
LIMIT = 500


async def noop(ctx: object, n: int) -> int:
    return run.started(n)


async def main() -> None:
    settings = RedisSettings.from_dsn(run.redis)
    pool = await create_pool(settings)
    worker = Worker(
        [func(noop, name="noop")],
        redis_settings=settings,
        max_jobs=LIMIT,
        poll_delay=0.01,
        queue_read_limit=1_000,
        handle_signals=False,
    )
    task = asyncio.create_task(worker.async_run())

    async def enqueue(numbers: range) -> None:
        for start in range(0, len(numbers), 100):
            await asyncio.gather(*(pool.enqueue_job("noop", n) for n in numbers[start : start + 100]))

    async def finished() -> int:
        return worker.jobs_complete

    await run.measure(
        enqueue,
        finished,
        settings=f"{LIMIT} at once, polls each 10 ms, reads 1,000 at once, enqueue under gather",
        caveats="redis without persistence",
    )
    await worker.close()
    task.cancel()


asyncio.run(main())
