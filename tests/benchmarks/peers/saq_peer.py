from __future__ import annotations

import asyncio

from common import Run
from saq import Queue, Worker

run = Run()


async def noop(ctx: object, *, n: int) -> int:
    return run.started(n)


async def main() -> None:
    queue = Queue.from_url(run.redis)
    worker = Worker(queue, [noop], concurrency=run.workers, dequeue_timeout=1)
    task = asyncio.create_task(worker.start())
    await asyncio.sleep(1)  # jobs that are enqueued while it sweeps at its start are lost at times

    async def enqueue(numbers: range) -> None:
        for start in range(0, len(numbers), 500):
            await asyncio.gather(*(queue.enqueue("noop", n=n, ttl=600) for n in numbers[start : start + 500]))

    async def finished() -> int:
        return queue.complete

    await run.measure(
        enqueue, finished, settings="enqueue under gather, 500 at once", caveats="redis without persistence"
    )
    await worker.stop()
    task.cancel()


asyncio.run(main())
