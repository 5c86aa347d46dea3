from __future__ import annotations

import asyncio

from common import Run
from streaq import Worker

run = Run()
worker = Worker(redis_url=run.redis, concurrency=run.workers, handle_signals=False)


@worker.task
async def noop(n: int) -> int:
    return run.started(n)


async def main() -> None:
    task = asyncio.create_task(worker.run_async())
    await asyncio.sleep(1)  # it says nowhere that it has connected

    async def enqueue(numbers: range) -> None:
        await worker.enqueue_many([noop.enqueue(n) for n in numbers])

    async def finished() -> int:
        return worker.counters["completed"]

    await run.measure(enqueue, finished, settings="enqueue_many", caveats="redis without persistence")
    task.cancel()


asyncio.run(main())
