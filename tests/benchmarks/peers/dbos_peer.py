from __future__ import annotations

import asyncio

import psycopg
from common import Run
from dbos import DBOS

run = Run()


@DBOS.workflow()
async def noop(n: int) -> int:
    return run.started(n)


async def main() -> None:
    DBOS(
        config={
            "name": "bench",
            "system_database_url": run.database.replace("postgresql://", "postgresql+psycopg://"),
            "log_level": "ERROR",
            "sys_db_pool_size": 20,
        }
    )
    DBOS.launch()
    await DBOS.register_queue_async("bench", worker_concurrency=run.workers, polling_interval_sec=0.1)
    looking = await psycopg.AsyncConnection.connect(run.database, autocommit=True)

    async def finished() -> int:
        found = await looking.execute("SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'")
        row = await found.fetchone()
        return int(row[0]) if row else 0

    async def one(numbers: list[int]) -> None:
        for n in numbers:
            await DBOS.enqueue_workflow_async("bench", noop, n)

    async def enqueue(numbers: range) -> None:
        await asyncio.gather(*(one(list(numbers[i::20])) for i in range(20)))

    await run.measure(
        enqueue,
        finished,
        settings="polls its queue each 0.1 s, 20 connections, 20 enqueue at once",
        caveats="durable workflows, not a bare queue; no bulk enqueue",
    )
    DBOS.destroy()


asyncio.run(main())
