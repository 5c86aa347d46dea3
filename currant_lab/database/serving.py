"""Who serves what: the pools that are there, and what waits that none of them can run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from currant_lab.database.inspect import COUNT_LIMIT

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["PoolInfo", "Waiting", "lock_key", "pools", "waiting"]

LEASE_S = 60.0
LEASE_WITHOUT_LOCK_S = 20.0
"""A lease older than this is a dead pool's: the second where its life is not told by a session lock."""


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """A pool that has neither said goodbye nor been declared dead.

    Attributes:
        id: its number, which executions name in `claimed_by`.
        kind: `kernel`, `worker` or `script`.
        jobs: the full names of what it can run.
        workers: how many executions it runs at once, at most.
        running: how many it holds now, prefetched ones included.
        held: whether its lock is held, which says that its process lives.
        age_s: seconds since its lease was renewed.
    """

    id: int
    name: str
    kind: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    jobs: tuple[str, ...]
    workers: int
    has_lock: bool
    started_at: datetime
    age_s: float
    held: bool
    running: int

    @property
    def is_alive(self) -> bool:
        """Whether it seems to be there: a lease in time, and a lock where it has one."""
        if self.has_lock:
            return self.held and self.age_s < LEASE_S
        return self.age_s < LEASE_WITHOUT_LOCK_S


@dataclass(frozen=True, slots=True)
class Waiting:
    """Executions of one job pending in one queue.

    Attributes:
        count: how many; at least so many where `exact` is false.
        known: some live pool has the job.
        heard: some live pool works on the queue.
        served: one pool has both, so that they will run.
        paused: the queue is paused.
    """

    queue: str
    job: str
    count: int
    exact: bool
    known: bool
    heard: bool
    served: bool
    paused: bool


def lock_key(schema: str) -> int:
    """The first key of the advisory locks that the pools of a schema hold: FNV-1a of its name, as the engine's."""
    key = 0x811C9DC5
    for byte in schema.encode():
        key = (key ^ byte) * 0x01000193 & 0xFFFFFFFF
    return key & 0x7FFFFFFF


async def pools(database: Database) -> list[PoolInfo]:
    """The pools that have not ended, the oldest first; dead ones among them until another pool notices."""
    records = await database.fetch("pools_list", lock_key(database.schema))
    return [
        PoolInfo(**dict(record) | {"queues": tuple(record["queues"]), "jobs": tuple(record["jobs"])})
        for record in records
    ]


async def waiting(database: Database, known: Sequence[PoolInfo], limit: int = COUNT_LIMIT) -> list[Waiting]:
    """What is pending, by queue and job, held against what the live pools among `known` can run.

    Counts the first `limit` of each queue.
    """
    alive = [pool for pool in known if pool.is_alive]
    return [
        Waiting(
            queue=record["queue"],
            job=record["job"],
            count=record["count"],
            exact=record["exact"],
            known=any(record["job"] in pool.jobs for pool in alive),
            heard=any(record["queue"] in pool.queues for pool in alive),
            served=any(record["job"] in pool.jobs and record["queue"] in pool.queues for pool in alive),
            paused=record["paused"],
        )
        for record in await database.fetch("waiting_list", limit)
    ]
