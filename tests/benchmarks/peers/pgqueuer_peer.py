from __future__ import annotations

import asyncio

import asyncpg
from common import Run
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

BATCH = 1_000


async def main() -> None:
    run = Run()
    submitting = Queries(AsyncpgDriver(await asyncpg.connect(run.database)))
    looking = await asyncpg.connect(run.database)
    await submitting.install()
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(run.database)))

    @queue.entrypoint("noop")
    async def noop(job: Job) -> None:
        run.started(int(job.payload or b"0"))

    async def enqueue(numbers: range) -> None:
        await submitting.enqueue(["noop"] * len(numbers), [b"%d" % n for n in numbers], [0] * len(numbers))

    async def finished() -> int:
        return int(await looking.fetchval("SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'"))

    worker = asyncio.create_task(queue.qm.run(batch_size=BATCH))
    await run.measure(
        enqueue, finished, settings=f"asyncpg, enqueue in one call, batch_size {BATCH:,}", caveats="keeps no results"
    )
    queue.qm.shutdown.set()
    await asyncio.wait([worker], timeout=5)


asyncio.run(main())
