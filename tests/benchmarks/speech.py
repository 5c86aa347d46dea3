"""What a pool at a given pace says on the events channel, for machines that have no pool as fast."""

from __future__ import annotations

import asyncio
import random
import time

import asyncpg

from currant_lab.events import ClaimBatch, ClaimTally, Event, JobTally, Tally, encode
from currant_lab.latency import Histogram

_EVERY_S = 0.1
_BATCH = 500


def said(per_s: int, number: int, dice: random.Random) -> str:
    """The event of the `number`th tenth of a second."""
    executions = int(per_s * _EVERY_S)
    claims = max(executions // _BATCH, 1)

    def spread(count: int, middle: float) -> list[tuple[int, int]]:
        histogram = Histogram()
        for _ in range(count):
            histogram.record(int(dice.lognormvariate(middle, 0.8)))
        return histogram.counts()

    waits, runs, took = spread(executions, 10.5), spread(executions, 4.0), spread(claims, 8.6)
    outcomes = {"succeeded": executions - 3, "failed": 3}
    sizes, wakes = [(512, claims)], {"capacity": claims}
    claimed = ClaimTally(claims=claims, claimed=executions, sizes=sizes, claim_us=took, wakes=wakes)
    tally = Tally(claims=claims, claimed=executions, sizes=sizes, claim_us=took, wakes=wakes, outcomes=outcomes,
                  wait_us=waits, run_us=runs)  # fmt: skip
    batches = [ClaimBatch("default", _BATCH, int(dice.lognormvariate(8.6, 0.3)), "capacity", 1_000 * place)
               for place in range(min(claims, 16))]  # fmt: skip
    return encode(Event(
        v=1, pool=1, name="fast", sent_at=time.time(), running=90, buffered=700, workers=100, unsettled=400,
        prefetch=1_000, statements=number * 2 * claims, claims=claimed, queues={"default": tally},
        jobs={"fast:noop": JobTally(outcomes=outcomes, wait_us=waits, run_us=runs)}, batches=batches,
    ))  # fmt: skip


async def speak(url: str, per_s: int, seconds: float) -> int:
    """Say it for so long, ten times a second; returns how many events were sent."""
    dice = random.Random(7)
    events = [said(per_s, number, dice) for number in range(20)]
    conn = await asyncpg.connect(url)
    begun, sent = time.monotonic(), 0
    while (now := time.monotonic()) - begun < seconds:
        await conn.execute("SELECT pg_notify('currant_events', $1)", events[sent % len(events)])
        sent += 1
        await asyncio.sleep(max(begun + sent * _EVERY_S - now, 0))
    await conn.close()
    return sent
