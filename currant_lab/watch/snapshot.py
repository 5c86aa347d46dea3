"""What the database says of itself: the truth that a board is held against."""

from __future__ import annotations

from dataclasses import dataclass

from currant_lab.database.inspect import QueueCount
from currant_lab.database.serving import PoolInfo, Waiting

__all__ = ["Gone", "Holder", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Holder:
    """The oldest transaction that is open: what it can still see, no vacuum removes.

    Attributes:
        pid: its server process; None for a prepared one.
        application: what its program calls itself.
        state: as "idle in transaction".
        age_s: how long it has been open.
    """

    pid: int | None
    application: str
    username: str
    state: str
    age_s: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A pool that ended within the last ten minutes; `lost`: it did not say goodbye."""

    id: int
    name: str
    kind: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    workers: int
    lost: bool
    ago_s: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One picture. Its cost does not grow with what waits or has finished.

    Attributes:
        at: when, in seconds since 1970 by the database's clock.
        queues: every queue with something in it, or paused.
        pools: those that have not ended.
        gone: those that ended lately.
        waiting: what is pending, by queue and job, held against what live pools can run.
        oldest: per queue how long its oldest pending execution has waited, in seconds.
        inserted: executions ever inserted, as the server's statistics count them: for rates.
        holder: a transaction open for more than a minute, if any.
        notifications: how full the server's notification queue is, 0 to 1.
        clock_ahead_s: the database's clock against this machine's.
    """

    at: float
    queues: tuple[QueueCount, ...] = ()
    pools: tuple[PoolInfo, ...] = ()
    gone: tuple[Gone, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    oldest: dict[str, float] | None = None
    inserted: int = 0
    holder: Holder | None = None
    notifications: float = 0.0
    clock_ahead_s: float = 0.0
    listening: bool = True
