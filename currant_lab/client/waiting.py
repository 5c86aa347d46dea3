"""Who waits for which execution, and how the news reaches them.

The local pool tells of what it has settled, in bulk. For all else the database is asked: at once when a wait begins,
then whenever pools say on the events channel that something happened, and now and then regardless.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from currant_lab.database.inspect import Ended, ended, unknown
from currant_lab.errors import CurrantError, DatabaseUnavailable
from currant_lab.loop import background
from currant_lab.outcomes import Outcome

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["UNKNOWN", "Waits", "Watch"]

_log = logging.getLogger("currant")

UNKNOWN = "unknown"
"""The status of an execution that is in neither table: pruned, or of a transaction that was rolled back."""

_FINAL = frozenset({"succeeded", "failed", "cancelled"})
_PAGE = 2_000
_BEAT_S = 0.1
"""At most ten looks a second, and at most a tenth of the time spent on looking."""
_LOCAL_BEAT_S = 1.0
"""Where a pool in this process tells most of the news itself."""
_SWEEP_S = 2.0
"""All that is waited for is looked at this often, whatever was or wasn't said."""
_LOCAL_SWEEP_S = 5.0
_DEAF_SWEEP_S = 0.5
_KEEP_EARS_S = 30.0
_GIVE_UP_S = 30.0
"""So long may the database be away before those who wait are told."""


class Watch:
    """One wait, for any number of executions. Filled on the background loop, emptied by whoever waits.

    Args:
        count: how many it is about.
        each: wake the waiter at everything that ends, not only when all has ended or something has gone wrong.

    Attributes:
        remaining: how many have not ended.
        has_failures: something has ended in another way than `succeeded`.
    """

    def __init__(self, count: int, *, each: bool) -> None:
        self.remaining = count
        self.has_failures = False
        self._each = each
        self._error: Exception | None = None
        self._arrived: deque[Ended] = deque()
        self._lock = threading.Lock()
        self._signal: concurrent.futures.Future[None] | None = None

    def signal(self) -> concurrent.futures.Future[None]:
        """A future that resolves when there is something to `take`. One waiter at a time."""
        signal: concurrent.futures.Future[None] = concurrent.futures.Future()
        with self._lock:
            if self._error is not None:
                signal.set_exception(self._error)
            elif self.remaining == 0 or (self._each and self._arrived):
                signal.set_result(None)
            else:
                self._signal = signal
        return signal

    def take(self) -> list[Ended]:
        """What has ended since the last call."""
        with self._lock:
            taken = list(self._arrived)
            self._arrived.clear()
        return taken

    def deliver(self, news: Sequence[Ended]) -> None:
        """Add ends; on the background loop."""
        has_failures = any(one.status != "succeeded" for one in news)
        with self._lock:
            self._arrived.extend(news)
            self.remaining -= len(news)
            self.has_failures = self.has_failures or has_failures
            if self._signal is None or not (self._each or self.remaining == 0 or has_failures):
                return
            signal, self._signal = self._signal, None
        signal.set_result(None)

    def fail(self, error: Exception) -> None:
        """End the wait with an error; on the background loop."""
        with self._lock:
            self._error = error
            signal, self._signal = self._signal, None
        if signal is not None:
            signal.set_exception(error)


class Waits:
    """All waits of this process. Everything but `watching` belongs to the background loop."""

    def __init__(self, database: Database) -> None:
        self.has_local_pool = False
        self._database = database
        self._waiting: dict[bytes, tuple[Watch, ...]] = {}
        self._unchecked: list[bytes] = []
        self._missing: set[bytes] = set()
        self._task: asyncio.Task[None] | None = None
        self._ears: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._has_news = False
        self._is_listening = False

    @contextlib.contextmanager
    def watching(self, ids: Sequence[bytes], *, each: bool = False) -> Iterator[Watch]:
        """A watch on `ids`, for the length of a block; from any thread or loop."""
        watch = Watch(len(ids), each=each)
        background.call_soon(self._begin, watch, ids)
        try:
            yield watch
        finally:
            if watch.remaining:
                background.call_soon(self._end, watch, ids)

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """Pass on what the local pool has settled and the database has on disk."""
        waiting = self._waiting
        if waiting:
            self.deliver(
                [
                    Ended(outcome.id, outcome.status, outcome.attempt, outcome.error, outcome.result)
                    for outcome in outcomes
                    if outcome.id in waiting and outcome.status in _FINAL
                ]
            )

    async def close(self) -> None:
        """End all waits with an error."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._close_ears()
        self._fail_all(CurrantError("the client was closed while this wait went on"))

    def deliver(self, news: Iterable[Ended]) -> None:
        """Pass on what has ended: each watch is told once of all that concerns it."""
        told: dict[Watch, list[Ended]] = {}
        for one in news:
            for watch in self._waiting.pop(one.id, ()):
                told.setdefault(watch, []).append(one)
        for watch, arrived in told.items():
            watch.deliver(arrived)

    def _begin(self, watch: Watch, ids: Sequence[bytes]) -> None:
        waiting = self._waiting
        for own in ids:
            others = waiting.get(own)
            waiting[own] = (watch,) if others is None else (*others, watch)
        self._unchecked += ids
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def _end(self, watch: Watch, ids: Iterable[bytes]) -> None:
        for own in ids:
            rest = tuple(other for other in self._waiting.get(own, ()) if other is not watch)
            if rest:
                self._waiting[own] = rest
            else:
                self._waiting.pop(own, None)

    def _fail_all(self, error: Exception) -> None:
        watches = {watch for watches in self._waiting.values() for watch in watches}
        self._waiting.clear()
        self._unchecked.clear()
        for watch in watches:
            watch.fail(error)

    async def _run(self) -> None:
        """Look, as long as anybody waits and a little longer."""
        loop = asyncio.get_running_loop()
        swept = idle_since = loop.time()
        trouble_since: float | None = None
        while self._waiting or loop.time() - idle_since < _KEEP_EARS_S:
            started = loop.time()
            is_due = started - swept >= self._sweep_interval()
            try:
                await self._look(is_due)
                trouble_since, swept = None, started if is_due else swept
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must not be left hanging
                trouble_since, swept = trouble_since or started, 0.0
                self._on_trouble(error, started - trouble_since)
            if self._waiting:
                idle_since = loop.time()
                self._listen()
            # A look that failed has cost the database nothing, however long it took to fail.
            spent = loop.time() - started if trouble_since is None else 0.0
            await self._pause(spent, sweep_at=swept + self._sweep_interval())
        await self._close_ears()
        if self._waiting:  # somebody came while the ears were closing
            self._task = loop.create_task(self._run())

    def _sweep_interval(self) -> float:
        if self.has_local_pool:
            return _LOCAL_SWEEP_S
        return _SWEEP_S if self._is_listening else _DEAF_SWEEP_S

    def _on_trouble(self, error: Exception, lasted: float) -> None:
        from currant_lab.database.reasons import is_refusal

        if lasted > _GIVE_UP_S or is_refusal(error):
            self._fail_all(error)
        else:
            _log.info("waiting goes on without the database: %s", error)

    async def _pause(self, spent: float, sweep_at: float) -> None:
        """Until there is a new wait; or news, but no sooner than the beat; or the time of the next sweep."""
        loop = asyncio.get_running_loop()
        beat = _LOCAL_BEAT_S if self.has_local_pool else _BEAT_S
        await self._sleep_until(loop.time() + max(beat, 9 * spent), news=False)
        await self._sleep_until(sweep_at if self._waiting else loop.time() + _KEEP_EARS_S, news=True)
        self._has_news = False

    async def _sleep_until(self, moment: float, *, news: bool) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(moment):
                while not (self._unchecked or (news and self._has_news)):
                    self._wake.clear()
                    await self._wake.wait()

    async def _look(self, everything: bool) -> None:
        """Ask the database about those who are new, and the oldest; or about everything that is waited for.

        What ends does so roughly in the order of the ids: a page of which little has ended is the last one, and
        who ended out of order behind it is found by the next sweep.
        """
        new, self._unchecked = self._unchecked, []
        if everything:
            await self._look_at(list(self._waiting), least=0)
        elif new:
            await self._look_at([own for own in new if own in self._waiting], least=1)
        else:
            await self._look_at(list(self._waiting), least=_PAGE // 2)

    async def _look_at(self, ids: list[bytes], *, least: int) -> None:
        """Page by page, until one has brought less than `least`."""
        for start in range(0, len(ids), _PAGE):
            page = [own for own in ids[start : start + _PAGE] if own in self._waiting]
            if not page:
                continue
            found = await ended(self._database, page)
            self.deliver(found)
            if least == 0 and len(found) < len(page):
                await self._look_for_missing([own for own in page if own in self._waiting])
            if len(found) < least:
                return

    async def _look_for_missing(self, ids: list[bytes]) -> None:
        """An execution that is nowhere at two sweeps is unknown. At one, its submit may just not be committed."""
        if not ids:
            return
        gone = await unknown(self._database, ids)
        for own in ids:
            if own not in gone:
                self._missing.discard(own)
            elif own in self._missing:
                self._missing.discard(own)
                self.deliver([Ended(own, UNKNOWN, 0)])
            else:
                self._missing.add(own)

    def _listen(self) -> None:
        if self._ears is None or self._ears.done():
            self._ears = asyncio.get_running_loop().create_task(self._hear())

    async def _hear(self) -> None:
        from currant_lab.pool.listener import Listener

        try:
            listener = await Listener.open(self._database.target, [f"{self._database.schema}_events"])
        except DatabaseUnavailable as error:
            _log.info("no events are heard, so the database is asked twice a second: %s", error)
            await asyncio.sleep(_GIVE_UP_S)
            return
        try:
            self._is_listening = True
            self._on_news()  # what happened before the ears were open
            async for _ in listener:
                self._on_news()
        finally:
            self._is_listening = False
            await listener.close()

    def _on_news(self) -> None:
        self._has_news = True
        self._wake.set()

    async def _close_ears(self) -> None:
        if self._ears is not None:
            self._ears.cancel()
            await asyncio.wait({self._ears})
