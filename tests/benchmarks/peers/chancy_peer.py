from __future__ import annotations

import asyncio

import psycopg
from chancy import Chancy, Queue, Worker, job
from common import Run

run = Run()


@job(queue="bench")
async def noop(*, n: int) -> int:
    return run.started(n)


async def main() -> None:
    looking = await psycopg.AsyncConnection.connect(run.database, autocommit=True)

    async def finished() -> int:
        row = await (await looking.execute("SELECT count(*) FROM chancy_jobs WHERE state = 'succeeded'")).fetchone()
        return int(row[0]) if row else 0

    async with Chancy(run.database, log=None) as chancy:
        await chancy.migrate()
        executor = "chancy.executors.asyncex.AsyncExecutor"
        await chancy.declare(
            Queue("bench", concurrency=1_000, executor=executor, polling_interval=1, eager_polling=True)
        )
        async with Worker(chancy, register_signal_handlers=False):

            async def enqueue(numbers: range) -> None:
                async for _ in chancy.push_many([noop.job.with_kwargs(n=n) for n in numbers]):
                    pass

            await run.measure(
                enqueue,
                finished,
                settings="AsyncExecutor, concurrency 1,000, eager polling, push_many",
                caveats="writes outcomes once a second, so a crash loses those of the last",
            )


asyncio.run(main())
