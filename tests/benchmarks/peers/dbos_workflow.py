"""`steady URL STEPS SIGNALS`, `leave URL STEPS`, `resume URL`: see tests/benchmarks/workflows.py."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time

from dbos import DBOS, SetWorkflowID


@DBOS.step()
async def noop(n: int) -> int:
    return n


@DBOS.workflow()
async def chain(steps: int) -> list[float]:
    for n in range(steps):
        await noop(n)
    done = time.time()
    await DBOS.recv_async("go", timeout_seconds=600)
    return [done, time.time()]


def launch(url: str) -> None:
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url.replace("postgresql://", "postgresql+psycopg://"),
            "log_level": "ERROR",
        }
    )
    DBOS.launch()


async def begin(id: str, steps: int) -> object:
    with SetWorkflowID(id):
        return await DBOS.start_workflow_async(chain, steps)


async def steady(steps: int, signals: int) -> None:
    await (await begun("warm", 50)).get_result()
    started = time.time()
    handle = await begin("chain", steps)
    await DBOS.send_async("chain", 1, "go")
    done, _ = await handle.get_result()
    delays = []
    for n in range(signals):
        handle = await begin(f"signal {n}", 1)
        await asyncio.sleep(1)
        sent = time.time()
        await DBOS.send_async(f"signal {n}", 1, "go")
        delays.append((await handle.get_result())[1] - sent)
    print(
        json.dumps({"steps_per_s": steps / (done - started), "signal_ms": statistics.median(delays) * 1e3}), flush=True
    )


async def begun(id: str, steps: int) -> object:
    handle = await begin(id, steps)
    await DBOS.send_async(id, 1, "go")
    return handle


async def leave(steps: int) -> None:
    await begin("left", steps)
    while len(await DBOS.list_workflow_steps_async("left")) < steps:
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    print("ready", flush=True)
    await asyncio.sleep(600)


async def resume(url: str) -> None:
    started = time.time()
    launch(url)
    await DBOS.send_async("left", 1, "go")
    handle = await DBOS.retrieve_workflow_async("left")
    print(json.dumps({"resume_s": (await handle.get_result())[1] - started}), flush=True)


async def main() -> None:
    mode, url, *more = sys.argv[1:]
    if mode == "resume":
        await resume(url)
    else:
        launch(url)
        await {"steady": steady, "leave": leave}[mode](*map(int, more))
    DBOS.destroy()


asyncio.run(main())
