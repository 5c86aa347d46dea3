"""Jobs that take what others returned, and jobs that fail until they may not."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from currant_lab import current, job
from tests.chaos.jobs import answer, trace


def worth(above: Any) -> int:
    """What parents are worth together, however they are nested: lists `[value, token]`, and runs of `flows`."""
    if isinstance(above, dict):
        return int(above["sum"])
    if len(above) == 2 and all(isinstance(one, int) for one in above):
        return int(above[0])
    return sum(map(worth, above))


@job
async def link(x: int, above: list[Any]) -> list[int]:
    token = trace("begin")
    value = answer(x) + worth(above)
    trace("end")
    return [value, token]


@job
def weld(x: int, above: list[Any]) -> list[int]:
    """As `link`, in a thread."""
    token = trace("begin")
    value = answer(x) + worth(above)
    trace("end")
    return [value, token]


@job
async def crawl(x: int) -> list[int]:
    token = trace("begin")
    await asyncio.sleep(0.15)
    trace("end")
    return [answer(x), token]


@job(retries=5, backoff=0.02)
async def shaky(x: int) -> list[int]:
    """Fails at first, and is tried again soon."""
    token = trace("begin")
    if current().attempt <= 2:
        raise OSError("not yet")
    trace("end")
    return [answer(x), token]


@job
async def barred(x: int, path: str) -> list[int]:
    """Fails until a file is there."""
    token = trace("begin")
    if not os.path.exists(path):  # noqa: PTH110
        raise LookupError("it is barred")
    trace("end")
    return [answer(x), token]


@job
async def breaks(x: int) -> None:
    trace("begin")
    raise ArithmeticError("it breaks")
