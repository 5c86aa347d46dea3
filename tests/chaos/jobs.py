"""Jobs that leave a trace of their own: what really ran, written where no database has a hand in it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import time

from currant_lab import context, current, job

TRACE = "CHAOS_TRACE"
"""The environment variable with the path of the trace."""


def answer(x: int) -> int:
    """The right result."""
    return 3 * x + 1


def trace(*words: str) -> int:
    """Append one line, whole even when many processes do so at once; returns the token."""
    here = context.running()
    assert here is not None
    word, *more = words
    line = f"{' '.join((word, here.id.hex(), str(here.token), str(here.attempt), str(os.getpid()), *more))}\n".encode()
    file = os.open(os.environ[TRACE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, line)
    finally:
        os.close(file)
    return here.token


@job
async def quick(x: int) -> list[int]:
    token = trace("begin")
    trace("end")
    return [answer(x), token]


@job
def plain(x: int) -> list[int]:
    token = trace("begin")
    time.sleep(0.01)
    trace("end")
    return [answer(x), token]


@job
async def slow(x: int) -> list[int]:
    token = trace("begin")
    await asyncio.sleep(0.4)
    trace("end")
    return [answer(x), token]


@job(retries=5, backoff=0.05)
async def flaky(x: int) -> list[int]:
    token = trace("begin")
    if current().attempt == 1:
        raise OSError("not yet")
    trace("end")
    return [answer(x), token]


@job
async def doomed(x: int) -> None:
    """Kills its process every time."""
    trace("begin")
    os.kill(os.getpid(), signal.SIGKILL)


@job
def hog(x: int, seconds: float) -> list[int]:
    """Holds the GIL: `PyDLL` calls C without letting it go."""
    token = trace("begin")
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    trace("end")
    return [answer(x), token]


@job
def deaf(x: int, path: str) -> list[int]:
    """Holds the GIL until somebody opens this FIFO."""
    token = trace("begin")
    os.close(ctypes.PyDLL(None).open(path.encode(), os.O_RDONLY))
    trace("end")
    return [answer(x), token]


@job
def glutton(x: int) -> None:
    """Takes memory until it is killed for it."""
    trace("begin")
    taken = []
    while True:
        taken.append(bytearray(os.urandom(1) * 4_000_000))


@job
async def patient(x: int, path: str) -> list[int]:
    """Runs until a file appears."""
    token = trace("begin")
    while not os.path.exists(path):  # noqa: PTH110
        await asyncio.sleep(0.02)
    trace("end")
    return [answer(x), token]
