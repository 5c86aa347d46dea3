from __future__ import annotations

import asyncio

import psycopg
from common import Run
from oban import Oban, job
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

run = Run()
LIMIT = 500


@job(queue="bench")
async def noop(n: int) -> int:
    return run.started(n)


async def main() -> None:
    pool = AsyncConnectionPool(conninfo=run.database, min_size=4, max_size=20, open=False)
    await pool.open()
    await install(pool)
    looking = await psycopg.AsyncConnection.connect(run.database, autocommit=True)

    async def finished() -> int:
        row = await (await looking.execute("SELECT count(*) FROM oban_jobs WHERE state = 'completed'")).fetchone()
        return int(row[0]) if row else 0

    async with Oban(pool=pool, queues={"bench": LIMIT}) as oban:
        await run.measure(
            lambda numbers: oban.enqueue_many(*(noop.new(n) for n in numbers)),
            finished,
            settings=f"enqueue_many, 20 connections, limit {LIMIT}",
            caveats="keeps no results",
        )
    await pool.close()


asyncio.run(main())
