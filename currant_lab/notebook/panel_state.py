"""What a panel shows, as values, and how it is read: the pool's own counters often, the database once a second.

The counters are the pool's since its start, without a query or a connection; a `watch.board.Board` would tell of all
pools of the last minutes. Batches and failures are those of this notebook's jobs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from currant_lab.database import inspect
from currant_lab.errors import CurrantError
from currant_lab.jobs import registry
from currant_lab.status import FINAL
from currant_lab.watch.listing import Listing
from currant_lab.watch.rows import FailureGroup

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.database.inspect import QueueCount
    from currant_lab.pool.pool import Pool
    from currant_lab.pool.stats import PoolStats

__all__ = ["BATCHES", "BatchLine", "Eta", "Look", "Reading", "State"]

BATCHES = 5
_FAILURES = 1_000
"""The latest failures that are grouped: a page of the index of what did not succeed."""

_RATE_S = 3.0
_SLOWEST_S = 5.0
_SHARE = 20


@dataclass(frozen=True)
class BatchLine:
    """A batch: how many of its executions stand where, and the seconds it will still take at its present rate."""

    id: int
    name: str
    size: int
    counts: Mapping[str, int]
    eta_s: float | None = None

    @property
    def done(self) -> int:
        """How many have ended."""
        return sum(self.counts.get(status, 0) for status in FINAL)


@dataclass(frozen=True)
class State:
    """All that a panel shows at one moment."""

    name: str
    is_running: bool
    is_stopped: bool
    stats: PoolStats
    rate: float = 0.0
    trouble: str | None = None
    queues: tuple[QueueCount, ...] = ()
    batches: tuple[BatchLine, ...] = ()
    failures: tuple[FailureGroup, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits in a queue this pool could be working on."""
        return not self.stats.running and not any(queue.pending for queue in self.queues)


class Eta:
    """How long something will still take, at the rate of the last few looks."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=10)

    def look(self, now: float, done: int, total: int) -> float | None:
        """The seconds until all are done; None while nothing tells."""
        self._seen.append((now, done))
        began, before = self._seen[0]
        return None if done <= before else (total - done) * (now - began) / (done - before)


class Look:
    """When to ask the database: soon after something has happened, ever less often while nothing does, and never for
    more than a twentieth of the time.

    Args:
        every_s: seconds between looks while things happen.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._pause_s = 0.0
        self._looked = -1e9
        self._settled = -1

    def is_due(self, settled: int, *, whole: bool = False) -> bool:
        """Whether to look now. `settled` is what the local pool has settled: more of it is a happening."""
        if whole:
            return True
        if settled != self._settled:
            self._settled, self._pause_s = settled, min(self._pause_s, self._every_s)
        return time.monotonic() - self._looked >= self._pause_s

    def looked(self, began: float, *, changed: bool) -> None:
        """A look that began then has brought a change or none."""
        self._looked = time.monotonic()
        pause = self._every_s if changed else min(max(2 * self._pause_s, self._every_s), _SLOWEST_S)
        self._pause_s = max(pause, _SHARE * (self._looked - began))


class Reading:
    """Reads a pool's state, on the background loop."""

    def __init__(self, client: Client, pool: Pool) -> None:
        self._client = client
        self._pool = pool
        self._settled: deque[tuple[float, int]] = deque()
        self._look = Look(1.0)
        self._etas: dict[int, Eta] = {}
        self._known: State | None = None
        self._last_stats: PoolStats | None = None

    async def read(self, *, whole: bool = False) -> State:
        """The state now; what the database knows is a second old while things happen, and of now with `whole`."""
        now = time.monotonic()
        pool, known = self._pool, self._known
        if pool.is_running or self._last_stats is None:
            self._last_stats = pool.stats()
        stats = self._last_stats
        queues, batches, failures = (known.queues, known.batches, known.failures) if known else ((), (), ())
        trouble = pool.trouble
        if self._look.is_due(stats.settled + stats.running, whole=whole):
            before = (queues, batches, failures)
            try:
                queues = tuple(await inspect.queues(self._client.database))
                batches = await self._batches(now, batches)
                failures = await self._failures()
            except CurrantError as error:  # the last picture stays, with the reason why
                trouble = trouble or str(error)
            self._look.looked(now, changed=before != (queues, batches, failures))
        rate = self._rate(now, stats.settled)
        self._known = State(
            pool.name, pool.is_running, pool.is_stopped, stats, rate, trouble, queues, batches, failures
        )
        return self._known

    def _rate(self, now: float, settled: int) -> float:
        seen = self._settled
        seen.append((now, settled))
        while len(seen) > 2 and now - seen[0][0] > _RATE_S:
            seen.popleft()
        spent = now - seen[0][0]
        return (settled - seen[0][1]) / spent if spent > 0 else 0.0

    async def _batches(self, now: float, before: tuple[BatchLine, ...]) -> tuple[BatchLine, ...]:
        known = {line.id: line for line in before}
        lines = []
        jobs, prefix = sorted(registry.names()), f"{self._pool.name}:"
        for record in await self._client.database.fetch("batches_recent", BATCHES, jobs, prefix):
            own, size = record["id"], record["size"]
            line = known.get(own)
            if line is None or line.size != size or line.done < size or self._pool.stats().running:
                counts = await inspect.batch_counts(self._client.database, own)
                line = BatchLine(own, record["name"] or record["job"].rpartition(":")[2], size, counts)
                eta = self._etas.setdefault(own, Eta()).look(now, line.done, size)
                line = BatchLine(own, line.name, size, counts, eta)
            lines.append(line)
        self._etas = {line.id: self._etas[line.id] for line in lines if line.id in self._etas}
        return tuple(lines)

    async def _failures(self) -> tuple[FailureGroup, ...]:
        jobs, prefix = registry.names(), f"{self._pool.name}:"
        found = await Listing(self._client.database).failures(_FAILURES)
        return tuple(group for group in found if group.job in jobs or group.job.startswith(prefix))
