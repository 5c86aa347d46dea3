"""Workflows with some of everything. In the processes of a chaotic world they are put away as soon as they wait."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any
from uuid import uuid4

import currant_lab as currant
from currant_lab import ExecutionFailed, workflow
from currant_lab.workflows import resting
from tests.chaos.chains import barred, breaks, crawl, link, shaky, weld, worth
from tests.chaos.jobs import TRACE, answer, trace

if TRACE in os.environ:
    resting.LONG_S, resting.SHORT_S = 0.08, 0.04

NOWHERE = "/nowhere/at/all"
NOBODY = -1
"""What `errand` has for a signal that never came."""


def effect(x: int) -> list[Any]:
    """A call in place: told apart from every other one by a word of its own, which goes into the trace too."""
    nonce = uuid4().hex
    trace("call", nonce)
    time.sleep(0.05)  # a pool may die in it
    return [answer(x), nonce]


@workflow
async def part(x: int) -> dict[str, int]:
    """A workflow of another's: two steps, the second of which waits for an execution beside it."""
    token = trace("begin")
    first = await link.asubmit(x, [])
    await currant.sleep(0.06)
    second = await link.run(x, [first])
    trace("end")
    return {"sum": worth(second), "token": token}


@workflow
async def errand(x: int, base: list[Any]) -> dict[str, Any]:
    """`right_errand` says what the sum is."""
    token = trace("begin")
    first = await weld.run(x, [])
    many = await shaky.map_run([x, x + 1, x + 2])
    called, _ = await currant.step(effect, x)
    below, late = await asyncio.gather(part.run(x), crawl.run(x))
    said = await currant.event("go")
    maybe = await currant.event("maybe", timeout=0.08, default=NOBODY)
    last = await link.run(x, [many, base])
    trace("end")
    total = worth([first, below, late, last]) + called + said
    return {"sum": total, "maybe": maybe, "token": token}


def right_errand(x: int, base: int, said: int) -> int:
    own, many = answer(x), sum(map(answer, (x, x + 1, x + 2)))
    return own + right_part(x) + own + (own + many + base) + own + said


def right_part(x: int) -> int:
    return 2 * answer(x)


@workflow
async def mended(x: int) -> dict[str, Any]:
    """Steps that fail or take too long, and what makes up for it."""
    token = trace("begin")
    made = await link.run(x, [])
    late = 0
    try:
        await asyncio.wait_for(crawl.run(x), 0.06)
        late = 1
    except TimeoutError:
        pass
    try:
        await breaks.run(x)
    except ExecutionFailed:
        made = await weld.run(x, [made])
    ends = await link.map_run([x, x + 1], [[], [made]])
    failed = await barred.map_run([x], [NOWHERE], on_error="return")
    await currant.sleep(0.05)
    trace("end")
    return {"sum": worth(ends) + len(failed), "late": late, "token": token}


def right_mended(x: int) -> int:
    return answer(x) + answer(x + 1) + 2 * answer(x) + 1
