"""What the peers' scripts share. They run in environments of their own, so this knows the standard library only."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

_PATIENCE_S = 240.0
_LOOK_S = 0.01


class Run:
    """One run of one peer: how many jobs, where, and which of them were started how often.

    The words of the process: the database's URL, redis's URL, jobs, workers.

    Attributes:
        warmup: jobs that are run first and left out.
        count: handlers that have started, the warm-up's too.
    """

    def __init__(self) -> None:
        self.database, self.redis, jobs, workers = sys.argv[1:5]
        self.jobs, self.workers = int(jobs), int(workers)
        self.warmup = max(self.jobs // 10, 1)
        self._starts = [0] * (self.warmup + self.jobs)
        self.count = 0

    def started(self, number: int) -> int:
        """What the job does: note its number, and return it."""
        self._starts[number] += 1
        self.count += 1
        return number

    async def measure(
        self,
        enqueue: Callable[[range], Awaitable[Any]],
        finished: Callable[[], Awaitable[int]] | None,
        *,
        started: Callable[[], int] | None = None,
        **said: Any,
    ) -> None:
        """Warm up, then time from the first submit until the store says that all have ended; print what was found.

        Args:
            enqueue: submits jobs with these numbers.
            finished: how many have ended well, by the peer's own store; None stops the clock when the last handler has
                started, which favours the peer: for one whose store is too slow to ask.
            started: how many handlers have started; by default those that `started` noted here.
            said: settings and caveats for the table.
        """
        finished = finished or self._started
        await enqueue(range(self.warmup))
        await self._until(finished, self.warmup)
        begun = time.monotonic()
        await enqueue(range(self.warmup, self.warmup + self.jobs))
        submitted = time.monotonic() - begun
        if started is None:
            while self.count < len(self._starts):  # a look at the store would take time from those who work
                await self._beat(begun)
        await self._until(finished, len(self._starts), begun)
        seconds = time.monotonic() - begun
        await asyncio.sleep(0.3)  # for what would start twice
        wrong = [n for n, count in enumerate(self._starts) if count != 1] if started is None else []
        if wrong or (started is not None and started() != len(self._starts)):
            raise SystemExit(f"{len(wrong) or started} jobs were not started exactly once")
        found = {
            "per_second": self.jobs / seconds,
            "enqueued_per_second": self.jobs / submitted,
            "jobs": self.jobs,
            **said,
        }
        print(json.dumps(found), flush=True)

    async def _started(self) -> int:
        return self.count

    async def _until(self, finished: Callable[[], Awaitable[int]], count: int, begun: float | None = None) -> None:
        begun = begun or time.monotonic()
        while await finished() < count:
            await self._beat(begun)

    async def _beat(self, begun: float) -> None:
        if time.monotonic() - begun > _PATIENCE_S:
            raise SystemExit(f"not done after {_PATIENCE_S:.0f} s: {self.count} of {len(self._starts)} have started")
        await asyncio.sleep(_LOOK_S)
