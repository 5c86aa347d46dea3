from __future__ import annotations

import asyncio

import procrastinate
from common import Run


async def main() -> None:
    run = Run()
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=run.database, min_size=4, max_size=20))

    @app.task(name="noop")
    async def noop(n: int) -> int:
        return run.started(n)

    async def finished() -> int:
        row = await app.connector.execute_query_one_async(
            "SELECT count(*) AS n FROM procrastinate_jobs WHERE status = 'succeeded'"
        )
        return int(row["n"])

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        worker = asyncio.create_task(
            app.run_worker_async(concurrency=run.workers, wait=True, install_signal_handlers=False)
        )
        await run.measure(
            lambda numbers: noop.batch_defer_async(*({"n": n} for n in numbers)),
            finished,
            settings="batch_defer, LISTEN/NOTIFY, 20 connections",
            caveats="keeps no results",
        )
        worker.cancel()


asyncio.run(main())
