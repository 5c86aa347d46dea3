"""Workflows that are put away: their rows are given back, to come again when what they wait for has happened."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from currant_lab.database import record
from currant_lab.database.connect import Database
from currant_lab.errors import DatabaseUnavailable
from currant_lab.pool.attempt import Attempt
from currant_lab.pool.engine import Engine

__all__ = ["Away"]

_log = logging.getLogger("currant")

_PAUSE_S = 0.5
_LOCKED_PAUSE_S = 0.02
_RUNS = 500
_LOG_CHARACTERS = 4 * 1024 * 1024
"""The most that one statement takes: it answers within some 50 ms."""


class Away:
    """Gives rows back, patiently, many in a statement. Lives on the pool's loop.

    The engine forgets the claim first: the row may be claimed again, by this very pool, the moment it is given back.
    Until then it is this pool's, and what happens to a dead pool's executions happens to it.
    """

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine
        self._queue: deque[record.Leaving] = deque()
        self._task: asyncio.Task[None] | None = None

    def put_away(self, attempt: Attempt) -> None:
        """Give back what `attempt` had, now that its function is away."""
        claimed = attempt.claimed
        self._engine.put_away(claimed.id, claimed.token)
        self._queue.append(record.Leaving(claimed.id, claimed.token, attempt.open_steps, attempt.log.text()))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self, timeout: float) -> None:
        """Wait for what is on its way, at most `timeout` seconds."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=timeout)

    async def _run(self) -> None:
        await asyncio.sleep(0)  # for what leaves in the same turn of the loop
        while self._queue:
            group = self._next_group()
            try:
                locked = await self._give_back(group)
            except DatabaseUnavailable as error:
                _log.info("workflows can't be put away just now: %s", error)
                self._queue.extendleft(reversed(group))
                await asyncio.sleep(_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - a deadlock, say; nobody else will give the rows back
                _log.warning("putting %d workflows away failed, will try each again: %s", len(group), error)
                await self._one_by_one(group)
            else:
                self._queue.extend(locked)
                if locked and len(locked) == len(self._queue):
                    await asyncio.sleep(_LOCKED_PAUSE_S)

    async def _give_back(self, group: Sequence[record.Leaving]) -> list[record.Leaving]:
        """Returns those whose rows are locked by somebody just now."""
        statuses = await record.put_away(self._database, group)
        _log.debug("%d workflows are put away", len(statuses))
        return [one for one in group if statuses.get(one.run) == "locked"]

    async def _one_by_one(self, group: Sequence[record.Leaving]) -> None:
        """One of many can't be put away: the others can."""
        for one in group:
            try:
                again = await self._give_back([one])
            except Exception as error:  # noqa: BLE001 - as above
                if not isinstance(error, DatabaseUnavailable):
                    _log.warning("putting %s away failed, will try again: %s", UUID(bytes=one.run), error)
                again = [one]
            self._queue.extend(again)
        if self._queue:
            await asyncio.sleep(_PAUSE_S)

    def _next_group(self) -> list[record.Leaving]:
        group: list[record.Leaving] = []
        size = 0
        while self._queue and len(group) < _RUNS and size < _LOG_CHARACTERS:
            one = self._queue.popleft()
            group.append(one)
            size += len(one.printed or "")
        return group
