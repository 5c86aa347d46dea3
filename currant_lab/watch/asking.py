"""Asks the database for snapshots, a part at a time, so that watching costs the same however much there is."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from currant_lab.database import inspect, serving
from currant_lab.watch.snapshot import Gone, Holder, Snapshot

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["Asking"]

_MOST_STEPS = 500
_MOST_GONE = 50
_LEAST = 100
"""What waits is counted one by one up to 20,000 over all queues together, so that many queues cost no more than one;
of each at least so many."""


class Asking:
    """Makes snapshots.

    Each is two statements: what stands in the queues together with the facts, and in turn one of the parts that
    change slowly (pools, those that ended, the oldest that wait, what nobody can run).
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pools: tuple[serving.PoolInfo, ...] = ()
        self._gone: tuple[Gone, ...] = ()
        self._waiting: tuple[serving.Waiting, ...] = ()
        self._oldest: dict[str, float] = {}
        self._parts: list[Callable[[], Awaitable[None]]] = [
            self._ask_pools, self._ask_waiting, self._ask_oldest, self._ask_gone,
        ]  # fmt: skip
        self._turn = 0
        self._limit = inspect.COUNT_LIMIT

    async def whole(self, *, listening: bool) -> Snapshot:
        """A snapshot of which every part is new: six statements.

        Raises:
            DatabaseUnavailable: see `Database.fetch`.
        """
        for part in self._parts:
            await part()
        return await self._snapshot(listening=listening)

    async def next(self, *, listening: bool) -> Snapshot:
        """A snapshot with new counts and one more part that is new.

        Raises:
            DatabaseUnavailable: see `Database.fetch`.
        """
        await self._parts[self._turn]()
        self._turn = (self._turn + 1) % len(self._parts)
        return await self._snapshot(listening=listening)

    async def _snapshot(self, *, listening: bool) -> Snapshot:
        queues = await inspect.queues(self._database, self._limit)
        busy = sum(queue.pending > 0 for queue in queues)
        self._limit = max(inspect.COUNT_LIMIT // max(busy, 1), _LEAST)
        facts = await self._database.fetchrow("watch_facts")
        if facts is None:
            raise AssertionError("watch_facts is one row")
        holder = None
        if facts["age_s"] is not None:
            holder = Holder(
                facts["pid"], facts["application"] or "", facts["username"] or "", facts["state"] or "", facts["age_s"]
            )
        return Snapshot(
            at=facts["at"],
            queues=tuple(queues),
            pools=self._pools,
            gone=self._gone,
            waiting=self._waiting,
            oldest=dict(self._oldest),
            inserted=facts["inserted"],
            holder=holder,
            notifications=facts["notifications"],
            clock_ahead_s=facts["at"] - time.time(),
            listening=listening,
        )

    async def _ask_pools(self) -> None:
        self._pools = tuple(await serving.pools(self._database))

    async def _ask_waiting(self) -> None:
        self._waiting = tuple(await serving.waiting(self._database, self._pools, self._limit))

    async def _ask_oldest(self) -> None:
        found = await self._database.fetch("watch_oldest", _MOST_STEPS)
        self._oldest = {record["queue"]: max(record["age_s"], 0.0) for record in found}

    async def _ask_gone(self) -> None:
        found = await self._database.fetch("watch_gone", _MOST_GONE)
        self._gone = tuple(Gone(**dict(record) | {"queues": tuple(record["queues"])}) for record in found)
