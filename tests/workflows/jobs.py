"""Jobs and workflows for workers in processes of their own, which are killed. A function is put away at once here:
what is to be shown is that it comes back."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.workflows import resting

MODULE = __name__

QUICKLY = "TEST_PUT_AWAY_QUICKLY"
"""The environment variable by which a worker is told so."""

if os.environ.get(QUICKLY):
    resting.LONG_S, resting.SHORT_S = 0.1, 0.05


@job
async def double(x: int) -> int:
    return 2 * x


@job
def add(x: int, y: int) -> int:
    time.sleep(0.002)
    return x + y


@job
async def slowly(x: int) -> int:
    await asyncio.sleep(0.3)
    return x


@job
async def depth(above: list[int]) -> int:
    return 1 + max(above, default=0)


def cube(x: int) -> int:
    return x**3


@workflow
async def part(x: int) -> int:
    first = await add.run(x, 1)
    await currant.sleep(0.1)
    return await double.run(first)


@workflow
async def whole(x: int) -> dict[str, Any]:
    """Some of everything; `right` says what it returns."""
    one = await add.run(x, 1)
    many = await double.map_run(range(x, x + 5))
    late, below, both = await asyncio.gather(slowly.run(one), part.run(x), add.run(one, x))
    called = await currant.step(cube, x)
    await currant.sleep(0.2)
    said = await currant.event("go")
    begun = await double.asubmit(said)
    fanned = await slowly.map_run(range(3))
    return {"x": x, "sums": [one, late, both, sum(many), below, called, await begun, sum(fanned)]}


def right(x: int, said: int) -> dict[str, Any]:
    """What `whole(x)` returns when `said` is signalled."""
    one = x + 1
    sums = [one, one, one + x, sum(2 * n for n in range(x, x + 5)), 2 * (x + 1), x**3, 2 * said, 3]
    return {"x": x, "sums": sums}


STEPS = 11
"""Steps of a run of `whole`."""

EXECUTIONS = 1 + 1 + 5 + 3 + 2 + 1 + 3
"""What a run of `whole` puts into history: itself, its children, and the two of `part`."""
