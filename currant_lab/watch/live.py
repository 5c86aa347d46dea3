"""A board that follows a database: events as they come, snapshots every second or two."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from currant_lab.errors import CurrantError, DatabaseUnavailable
from currant_lab.events import decode
from currant_lab.watch.asking import Asking
from currant_lab.watch.board import Board

if TYPE_CHECKING:
    from currant_lab.database.connect import Database
    from currant_lab.pool.listener import Listener
    from currant_lab.settings import Settings

__all__ = ["Live"]

_log = logging.getLogger(__name__)

EVERY_S = 0.1
SLOWEST_S = 0.25
FRAME_SHARE = 20
"""Changes are told of at most ten times a second; less often, four times at least, where what is done with them takes
more than a twentieth of a core: who watches must not slow down what is watched ..."""
AGE_S = 1.0
"""... and at least once, since ages move."""
SNAPSHOT_S = 2.0
SHARE = 20
"""A snapshot is taken every two seconds, or, where it takes long, after twenty times as long as it took."""
RETRY_S = 1.0


class Live:
    """Follows a database, until closed.

    Losing the connection is told by `board.header`; it is made again by itself, and the last picture stays.

    Attributes:
        board: the state; changed only between two changes that `changes` tells of.
        database: for lists and acting, once open.
        settings: as they were given.
    """

    def __init__(self, settings: Settings, board: Board | None = None) -> None:
        self.board = board or Board()
        self.database: Database | None = None
        self.settings = settings
        self._asking: Asking | None = None
        self._listener: Listener | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._dropped = 0
        self._ahead_s = 0.0
        self._suspended = False

    async def open(self) -> None:
        """Connect, take the first snapshot, and follow.

        Raises:
            DatabaseUnavailable: it can't be reached, and why.
            SchemaOutdated, SchemaTooNew: see `currant migrate`.
        """
        from currant_lab.database.connect import Database
        from currant_lab.database.resolve import resolve

        target, migrate = await asyncio.to_thread(resolve, self.settings)
        self.database = await Database.open(
            target, self.settings.schema, migrate=migrate, size=2, application_name="currant-watch",
            read_only=not migrate,
        )  # fmt: skip
        major, minor = self.database.server_version
        self.board.describe(database=str(target), server_version=f"{major}.{minor}", schema=self.settings.schema)
        self._asking = Asking(self.database)
        await self._listen()
        self._take_in(await self._asking.whole(listening=self._is_listening))
        self._begin(self._hear(), self._ask())

    async def changes(self) -> AsyncIterator[None]:
        """Yields when the board has changed: at most ten times a second, at least once. Ends when closed."""
        while self._tasks or self._suspended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGE_S):
                    await self._changed.wait()
            self._changed.clear()
            self.board.advance(self._now())
            begun = time.thread_time()
            yield
            await asyncio.sleep(EVERY_S)
            spent = time.thread_time() - begun
            await asyncio.sleep(max(min(FRAME_SHARE * spent, SLOWEST_S) - EVERY_S, 0))

    async def suspend(self) -> None:
        """Stop following: a LISTEN that nobody drains would hold vacuum back."""
        self._suspended = True
        await self._end()

    async def resume(self) -> None:
        """Follow again, from a whole new snapshot."""
        if not self._suspended:
            return
        self._suspended = False
        await self._listen()
        self._begin(self._hear(), self._ask(whole=True))

    async def close(self) -> None:
        """Stop following and disconnect. Harmless when done again."""
        self._suspended = False
        await self._end()
        if self.database is not None:
            await self.database.close()
            self.database = None
        self._changed.set()

    @property
    def _is_listening(self) -> bool:
        return self._listener is not None and self._listener.connected

    def _begin(self, *follow: Coroutine[Any, Any, None]) -> None:
        self._tasks = [asyncio.create_task(one) for one in follow]

    async def _end(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()

    def _now(self) -> float:
        """The database's clock, as far as the last snapshot tells."""
        return time.time() + self._ahead_s

    async def _listen(self) -> None:
        """LISTEN, where the server lets us: not behind a transaction pooler; then snapshots alone tell."""
        from currant_lab.pool.listener import Listener

        if self.database is None or self.database.pooled:
            return
        try:
            self._listener = await Listener.open(self.database.target, [f"{self.database.schema}_events"])
        except DatabaseUnavailable as error:
            _log.info("no events are heard, only snapshots tell: %s", error)
        else:
            self._dropped = self._listener.dropped

    async def _hear(self) -> None:
        listener = self._listener
        if listener is None:
            return
        async for _, payload in listener:
            event = decode(payload)
            if event is not None:
                self.board.fold(event, self._now())
                self._changed.set()
            if listener.dropped != self._dropped:
                self.board.dropped(listener.dropped - self._dropped, self._now())
                self._dropped = listener.dropped

    async def _ask(self, *, whole: bool = False) -> None:
        pause = 0.0 if whole else SNAPSHOT_S
        while self._asking is not None:
            await asyncio.sleep(pause)
            begun = time.monotonic()
            try:
                ask = self._asking.whole if whole else self._asking.next
                snapshot = await ask(listening=self._is_listening)
            except CurrantError as error:
                self.board.lost(str(error), self._now())
                self._changed.set()
                whole, pause = True, RETRY_S
                continue
            whole, pause = False, max(SNAPSHOT_S, SHARE * (time.monotonic() - begun))
            self._take_in(snapshot)

    def _take_in(self, snapshot: Any) -> None:
        self._ahead_s = snapshot.clock_ahead_s
        self.board.reconcile(snapshot)
        self._changed.set()
