"""A cell that computes, and one whose C call never lets the GIL go: what goes on, and that the lease is kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import Leased
from tests.notebook.conftest import Kernel

SETUP = """
%load_ext currant_lab
import asyncio, ctypes, time
import currant_lab as currant
from currant_lab import job

@job
async def nap(x):
    await asyncio.sleep(0.02)
    return x
"""
COMPUTES = "end = time.monotonic() + 10\nwhile time.monotonic() < end: sum(range(1000))\ncurrant.pool().stats().settled"
HOLDS = "begun = time.monotonic()\nctypes.PyDLL(None).sleep(20)\ntime.monotonic() - begun >= 20"


@pytest.mark.timeout(150)
def test_handlers_run_beside_a_cell_that_computes_and_the_lease_outlives_a_held_gil(
    kernels: Callable[..., Kernel], leased: Leased
) -> None:
    kernel = kernels()
    kernel.run(SETUP)
    kernel.run("%currant start --workers 4")
    kernel.run("b = nap.map(range(4000))")
    with _lease_watched(leased) as lease:
        before = int(kernel.run("currant.pool().stats().settled").text)
        settled = int(kernel.run(COMPUTES).text) - before
        assert settled > 300, "4 workers with naps of 20 ms could do 2,000 in 10 s"
        assert kernel.run(HOLDS).text == "True"
    assert len(lease.ages) > 100
    assert max(lease.ages) < 6, "seconds since the lease was renewed, as the database saw it"
    assert len(lease.renewals) >= 5
    assert kernel.run("b.cancel() > 0, {e.attempt for e in b[:10]}").text == "(True, {1})"
    assert kernel.run("currant.pool().stats().rescued").text == "0"


class _Lease:
    """How old the lease of the only pool was, each time somebody looked."""

    def __init__(self) -> None:
        self.ages: list[float] = []
        self.renewals: set[Any] = set()


@contextmanager
def _lease_watched(leased: Leased) -> Iterator[_Lease]:
    seen, done = _Lease(), threading.Event()
    look = f"SELECT extract(epoch FROM clock_timestamp() - seen_at)::float8, seen_at FROM {leased.schema}.pools"

    async def watch() -> None:
        connection = await leased.connect()
        while not done.is_set():
            for age, when in await connection.fetch(look):
                seen.ages.append(age)
                seen.renewals.add(when)
            await asyncio.sleep(0.1)
        await connection.close()

    watcher = threading.Thread(target=lambda: asyncio.run(watch()))
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
