"""What a panel shows, as values, and how it is read: the pool's own counters often, the database once a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from currant_lab.database import inspect
from currant_lab.errors import CurrantError
from currant_lab.status import FINAL, Status

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.database.inspect import ExecutionInfo, QueueCount
    from currant_lab.pool.pool import Pool
    from currant_lab.pool.stats import PoolStats

__all__ = ["BatchLine", "FailureGroup", "Reading", "State"]

_LOOK_S = 1.0
_BATCHES = 5
_FAILURES = 200
"""The latest failures that are grouped: a page of the index of what did not succeed."""

_RATE_S = 3.0


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
class FailureGroup:
    """Failures of one job with one type of exception; the sample is the latest."""

    job: str
    type: str
    count: int
    sample: str
    message: str
    traceback: str


@dataclass(frozen=True)
class State:
    """All that a panel shows at one moment."""

    name: str
    is_running: bool
    stats: PoolStats
    rate: float = 0.0
    trouble: str | None = None
    queues: tuple[QueueCount, ...] = ()
    batches: tuple[BatchLine, ...] = ()
    failures: tuple[FailureGroup, ...] = ()
    failed_ids: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits in a queue this pool could be working on."""
        return not self.stats.running and not any(queue.pending for queue in self.queues)


class Reading:
    """Reads a pool's state, on the background loop."""

    def __init__(self, client: Client, pool: Pool) -> None:
        self._client = client
        self._pool = pool
        self._settled: deque[tuple[float, int]] = deque()
        self._looked = 0.0
        self._seen: dict[int, deque[tuple[float, int]]] = {}
        self._known: State | None = None
        self._last_stats: PoolStats | None = None

    async def read(self, *, whole: bool = False) -> State:
        """The state now; what the database knows is at most a second old, and now with `whole`."""
        now = time.monotonic()
        pool, known = self._pool, self._known
        if pool.is_running or self._last_stats is None:
            self._last_stats = pool.stats()
        stats = self._last_stats
        queues = known.queues if known else ()
        batches = known.batches if known else ()
        failures, ids = (known.failures, known.failed_ids) if known else ((), ())
        trouble = pool.trouble
        if whole or now - self._looked >= _LOOK_S:
            self._looked = now
            try:
                queues = tuple(await inspect.queues(self._client.database))
                batches = await self._batches(now, batches)
                failures, ids = await self._failures()
            except CurrantError as error:  # the last picture stays, with the reason why
                trouble = trouble or str(error)
        self._known = State(
            pool.name, pool.is_running, stats, self._rate(now, stats.settled), trouble, queues, batches, failures, ids
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
        for record in await self._client.database.fetch("batches_recent", _BATCHES):
            own = record["id"]
            line = known.get(own)
            if line is None or line.size != record["size"] or line.done < line.size or self._pool.stats().running:
                counts = await inspect.batch_counts(self._client.database, own)
                line = BatchLine(own, record["name"], record["size"], counts)
                line = BatchLine(own, line.name, line.size, counts, self._eta(now, line))
            lines.append(line)
        return tuple(lines)

    def _eta(self, now: float, line: BatchLine) -> float | None:
        seen = self._seen.setdefault(line.id, deque(maxlen=10))
        seen.append((now, line.done))
        done = line.done - seen[0][1]
        return None if done <= 0 else (line.size - line.done) * (now - seen[0][0]) / done

    async def _failures(self) -> tuple[tuple[FailureGroup, ...], tuple[bytes, ...]]:
        found = await inspect.list_executions(self._client.database, status=Status.FAILED, limit=_FAILURES)
        groups: dict[tuple[str, str], list[ExecutionInfo]] = {}
        for info in found:
            groups.setdefault((info.job, info.error.type if info.error else ""), []).append(info)
        return tuple(
            FailureGroup(
                job, kind, len(infos), str(infos[0].uuid),
                infos[0].error.message if infos[0].error else "", infos[0].error.traceback if infos[0].error else "",
            )
            for (job, kind), infos in groups.items()
        ), tuple(info.id for info in found)  # fmt: skip
