from __future__ import annotations

import asyncio
from dataclasses import dataclass

from awa import AsyncClient
from common import Run

WORKERS = 500


@dataclass
class Noop:
    n: int


async def main() -> None:
    run = Run()
    client = AsyncClient(run.database.replace("@/", "@localhost/"))  # it wants a name there, and uses the socket
    await client.migrate()

    @client.task(Noop, queue="bench")
    async def noop(job: object) -> None:
        run.started(job.args.n)  # type: ignore[attr-defined]

    # It polls each 200 ms and holds a worker until its outcome is stored: its own figures are with hundreds of workers.
    await client.start([("bench", WORKERS)])
    await run.measure(
        lambda numbers: client.enqueue_many_copy([Noop(n) for n in numbers], queue="bench"),
        None,  # its own count of what has ended took 42 s for 10,000
        settings=f"enqueue_many_copy, queue storage, {WORKERS} workers",
        caveats="keeps no results; its clock stops at the last start",
    )
    await client.shutdown()


asyncio.run(main())
