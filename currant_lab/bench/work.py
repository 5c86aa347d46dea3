"""The jobs that are measured, and how often they were started in this process."""

from __future__ import annotations

import asyncio
import itertools
import time

from currant_lab.client.job import job

__all__ = ["noop", "noop_sync", "shaped", "shaped_sync", "starts"]

_starts = itertools.count()
"""`next` on it is one step of C, so that threads don't lose any."""


def starts() -> int:
    """How many handlers have been started here since the last call; another call starts from 0."""
    global _starts
    before, _starts = _starts, itertools.count()
    return next(before)


@job
async def noop(n: int) -> int:
    """Nothing, asynchronously."""
    next(_starts)
    return n


@job
def noop_sync(n: int) -> int:
    """Nothing, in a thread."""
    next(_starts)
    return n


@job
async def shaped(n: int, payload: str, job_time_ms: float, result_size: int) -> str:
    """Waits, and returns that many bytes."""
    next(_starts)
    if job_time_ms:
        await asyncio.sleep(job_time_ms / 1e3)
    return str(n).rjust(result_size, "x")


@job
def shaped_sync(n: int, payload: str, job_time_ms: float, result_size: int) -> str:
    """The same in a thread."""
    next(_starts)
    if job_time_ms:
        time.sleep(job_time_ms / 1e3)
    return str(n).rjust(result_size, "x")
