"""Before a handler that takes the results of other executions can start, they are read."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from currant_lab.errors import DatabaseUnavailable, NotStorable
from currant_lab.jobs import JobSpec, Policy
from currant_lab.outcomes import Outcome
from currant_lab.pool.attempt import Attempt
from currant_lab.pool.engine import Claimed
from currant_lab.ties import MOST_BYTES

__all__ = ["Fetch", "Gathering"]

Fetch = Callable[[Sequence[bytes]], Awaitable[dict[bytes, bytes]]]
"""Reads encoded results, by id."""

_log = logging.getLogger("currant")

_PAGE = 500
_PAUSE_S = 0.5


class Gathering(Attempt):
    """Holds the worker while results are read; then `then` goes on with them, or the attempt has failed."""

    __slots__ = ("fetch", "ids", "task", "then")

    def __init__(
        self,
        claimed: Claimed,
        spec: JobSpec,
        policy: Policy,
        done: Callable[[Attempt, Outcome | None], None],
        ids: Sequence[bytes],
        fetch: Fetch,
        then: Callable[[Mapping[bytes, bytes]], None],
    ) -> None:
        super().__init__(claimed, spec, policy, done)
        self.ids = ids
        self.fetch = fetch
        self.then = then

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.task = loop.create_task(self._run(), context=contextvars.Context())

    def interrupt(self) -> None:
        self.task.cancel()

    async def _run(self) -> None:
        try:
            found = await self._read()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the claim needs an outcome
            self.finish(self.failed(error))
        else:
            self.then(found)

    async def _read(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for start in range(0, len(self.ids), _PAGE):
            found |= await self._page(self.ids[start : start + _PAGE])
            if (size := sum(map(len, found.values()))) > MOST_BYTES:
                raise NotStorable(
                    f"the results this takes have more than {size:,} bytes, and {MOST_BYTES:,} are allowed: "
                    "keep large data in files or tables and pass where it is"
                )
        return found

    async def _page(self, ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """Patiently: an outage is no failure of this execution, and the claim is watched by others."""
        while True:
            try:
                return await self.fetch(ids)
            except DatabaseUnavailable as error:
                _log.info("results that %s takes can't be read just now: %s", self.claimed.job, error)
                await asyncio.sleep(_PAUSE_S)
