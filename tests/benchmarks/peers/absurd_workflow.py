"""`steady URL STEPS SIGNALS`, `leave URL STEPS`, `resume URL`: see tests/benchmarks/workflows.py."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from absurd_sdk import AsyncAbsurd


async def noop() -> int:
    return 1


def made(url: str) -> AsyncAbsurd:
    app = AsyncAbsurd(url, queue_name="bench")

    @app.register_task(name="chain")
    async def chain(params: dict[str, Any], ctx: Any) -> list[float]:
        for n in range(params["steps"]):
            await ctx.step(f"noop {n}", noop)
        done = await ctx.step("done", clock)
        await ctx.await_event(params["event"])
        return [done, time.time()]

    return app


async def clock() -> float:
    return time.time()


def work(url: str) -> asyncio.Task[None]:
    return asyncio.create_task(made(url).start_worker(concurrency=50, batch_size=50, poll_interval=0.01))


async def result(url: str, task: str) -> list[float]:
    """Looks each 5 ms, on a connection of its own."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as looking:
        while True:
            found = await looking.execute(
                "SELECT completed_payload FROM absurd.t_bench WHERE task_id = %s AND state = 'completed'", (task,)
            )
            if row := await found.fetchone():
                return row[0]
            await asyncio.sleep(0.005)


async def steady(url: str, steps: int, signals: int) -> None:
    client = made(url)
    await client.create_queue()
    worker = work(url)

    async def run(steps: int, event: str, pause: float) -> tuple[list[float], float]:
        task = await client.spawn("chain", {"steps": steps, "event": event})
        if pause:
            await asyncio.sleep(pause)
        sent = time.time()
        await client.emit_event(event, 1)
        return await result(url, str(task["task_id"])), sent

    await run(50, "warm", 0)
    (done, _), started = await run(steps, "chain", 0)
    (_, passed), sent = await run(steps, "long", 1 + 2 * (done - started))
    back_s = passed - sent
    delays = []
    for n in range(signals):
        (_, passed), sent = await run(1, f"signal {n}", 1)
        delays.append(passed - sent)
    found = {"steps_per_s": steps / (done - started), "signal_ms": statistics.median(delays) * 1e3, "back_s": back_s}
    print(json.dumps(found), flush=True)
    worker.cancel()


async def leave(url: str, steps: int) -> None:
    client = made(url)
    work(url)
    await client.spawn("chain", {"steps": steps, "event": "left"})
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as looking:
        while True:
            found = await looking.execute("SELECT count(*) FROM absurd.t_bench WHERE state = 'sleeping'")
            if (await found.fetchone())[0]:
                break
            await asyncio.sleep(0.1)
    print("ready", flush=True)
    await asyncio.sleep(600)


async def resume(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as looking:
        (task,) = await (
            await looking.execute("SELECT task_id FROM absurd.t_bench WHERE state = 'sleeping'")
        ).fetchone()
    started = time.time()
    worker = work(url)
    await made(url).emit_event("left", 1)
    print(json.dumps({"resume_s": (await result(url, str(task)))[1] - started}), flush=True)
    worker.cancel()


async def main() -> None:
    mode, url, *more = sys.argv[1:]
    if mode == "steady":
        control = Path(sys.executable).parent / "absurdctl"
        subprocess.run([control, "init", "--database", url], check=True, stdout=subprocess.DEVNULL)
    await {"steady": steady, "leave": leave, "resume": resume}[mode](url, *map(int, more))


asyncio.run(main())
