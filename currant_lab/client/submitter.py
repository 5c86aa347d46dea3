"""Single submits, many to a statement: what comes while one is on its way goes together in the next."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from currant_lab.database.submit import NewExecution, insert, insert_again, insert_here
from currant_lab.errors import CurrantError, DatabaseUnavailable
from currant_lab.loop import background, wait

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["Here", "Submitter", "is_passing", "patiently_again"]

_log = logging.getLogger("currant")

_ROWS = 2_000
_BYTES = 4 * 1024 * 1024
"""The most that one statement takes: it answers within some 50 ms."""

_LINGER_S = 0.2

Ticket = concurrent.futures.Future[None] | asyncio.Future[None]


class Here(Protocol):
    """A pool in this process that can run at once what is submitted.

    All but `submit` is called on the background loop."""

    def submit(self, row: NewExecution) -> bool:
        """From any other thread: write it as running and wait until it is on disk; False where nothing was done.

        Raises:
            DatabaseUnavailable: it may have been written or not.
        """

    def reserve(self, row: NewExecution) -> int | None:
        """Keep an idle worker for it; the pool's id, or None."""

    def hand_over(self, row: NewExecution, pool: int, created_at: int, seconds: float) -> None:
        """It is on disk, as running in `pool`; writing took so many seconds."""

    def unreserve(self, row: NewExecution, is_in_doubt: bool) -> None:
        """It was not written as running, or that is not known."""


class Submitter:
    """Writes single executions. Lives on the background loop; `add` may be called from any thread.

    Args:
        database: where to.
        patience: seconds to go on trying while the connection is lost.
        after: called on the loop with the wake-ups of each commit.

    Attributes:
        here: the pool of this process, if there is one.
    """

    def __init__(self, database: Database, patience: float, after: Callable[[Sequence[str]], None]) -> None:
        self.here: Here | None = None
        self._database = database
        self._patience = patience
        self._after = after
        self._queue: deque[tuple[NewExecution, Ticket]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_called = False
        self._is_closing = False
        self._more = asyncio.Event()
        self._in_flight: list[tuple[NewExecution, Ticket]] = []
        # Those that another way has been tried for, and may be there.
        self._in_doubt: set[bytes] = set()

    def submit(self, row: NewExecution) -> None:
        """Write `row` and wait until it is on disk, from any thread but the loop's; without a turn of it, where the
        pool of this process has an idle worker for it."""
        here, is_in_doubt = self.here, False
        if here is not None and row.is_due:
            try:
                if here.submit(row):
                    return
            except CurrantError:  # whatever it was: if it lasts, the other way will tell
                is_in_doubt = True
        ticket: concurrent.futures.Future[None] = concurrent.futures.Future()
        if is_in_doubt:
            self._in_doubt.add(row.id)
        self.add(row, ticket)
        wait(ticket)

    def add(self, row: NewExecution, ticket: Ticket) -> None:
        """Write `row` with the next statement; `ticket` resolves when it is on disk. A ticket that is cancelled
        before the statement goes out takes its row with it."""
        self._queue.append((row, ticket))
        if not self._is_called:  # one wake-up of the loop for all that come before it looks
            self._is_called = True
            if background.is_current:
                self._start()
            else:
                background.call_soon(self._start)

    async def close(self) -> None:
        """Wait for what is on its way."""
        self._is_closing = True
        self._more.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    def _start(self) -> None:
        self._is_called = False
        self._more.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Write group after group. The connection is kept a moment longer than there is something to write: taking
        it anew for each of many submits in a row would cost a quarter of their time."""
        while self._queue:
            self._in_flight = []
            try:
                async with self._database.acquire() as conn:
                    while await self._await_group():
                        if self._is_in_doubt():
                            await self._write_again()
                        elif not await self._write_here(conn):
                            self._done(await insert(self._database, conn, [row for row, _ in self._in_flight]))
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait for the tickets
                # Without a connection there is no group yet, and one has to be told.
                self._in_flight = self._in_flight or self._next_group()
                await self._after_error(error)

    async def _write_here(self, conn: Any) -> bool:
        """Write a single one as running already, if a pool in this process has an idle worker for it: it starts as
        soon as it is on disk. Whether that was done."""
        here, rows = self.here, [row for row, _ in self._in_flight]
        if here is None or len(rows) > 1 or not rows[0].is_due:
            return False
        row = rows[0]
        pool = here.reserve(row)
        if pool is None:
            return False
        sent = time.perf_counter()
        try:
            created_at = await insert_here(self._database, conn, row, pool)
        except BaseException:
            here.unreserve(row, is_in_doubt=True)
            raise
        if created_at is None:
            here.unreserve(row, is_in_doubt=False)
        else:
            here.hand_over(row, pool, created_at, time.perf_counter() - sent)
        self._done([])
        return True

    async def _await_group(self) -> bool:
        """Take the next group, waiting a moment for one; whether there is one."""
        self._in_flight = self._next_group()
        if not self._in_flight and not self._is_closing:
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER_S):
                    await self._more.wait()
            self._in_flight = self._next_group()
        return bool(self._in_flight)

    def _done(self, sent: Sequence[str]) -> None:
        group, self._in_flight = self._in_flight, []
        self._in_doubt.difference_update(row.id for row, _ in group)
        _resolve([ticket for _, ticket in group], None)
        self._after(sent)

    async def _after_error(self, error: Exception) -> None:
        """While the connection is lost, insert again: rows that got through before it broke are found."""
        rows = [row for row, _ in self._in_flight]
        if rows and isinstance(error, DatabaseUnavailable) and is_passing(error):
            async for _ in patiently_again(self._patience):
                try:
                    return await self._write_again()
                except Exception as again:  # noqa: BLE001 - as above
                    error = again
                    if not (isinstance(again, DatabaseUnavailable) and is_passing(again)):
                        break
        group, self._in_flight = self._in_flight, []
        self._in_doubt.difference_update(row.id for row, _ in group)
        return _resolve([ticket for _, ticket in group], error)

    def _is_in_doubt(self) -> bool:
        return len(self._in_flight) == 1 and self._in_flight[0][0].id in self._in_doubt

    async def _write_again(self) -> None:
        """Write what may be there already."""
        rows = [row for row, _ in self._in_flight]
        sent = await insert_again(self._database, rows)
        if self.here is not None and len(rows) == 1:
            self.here.unreserve(rows[0], is_in_doubt=True)  # by now it is known to be there
        self._done(sent)

    def _next_group(self) -> list[tuple[NewExecution, Ticket]]:
        group: list[tuple[NewExecution, Ticket]] = []
        size = 0
        while self._queue and len(group) < _ROWS and size < _BYTES:
            is_alone = self._queue[0][0].ties is not None or self._queue[0][0].id in self._in_doubt
            if is_alone and group:
                break  # one that waits for others may be refused, and goes alone
            row, ticket = self._queue.popleft()
            if is_alone:
                return [] if ticket.cancelled() else [(row, ticket)]
            if not ticket.cancelled():
                group.append((row, ticket))
                size += len(row.args)
        return group


def is_passing(error: DatabaseUnavailable) -> bool:
    """Whether trying again may help: the connection broke, or can't be made just now."""
    from currant_lab.database.reasons import CONNECTION_LOST

    return isinstance(error.__cause__ or error.__context__, CONNECTION_LOST)


class patiently_again:  # noqa: N801 - reads as what it does
    """`async for _ in patiently_again(5)`: once after a moment, then ever more slowly, for 5 seconds in all."""

    def __init__(self, patience: float) -> None:
        self._deadline = asyncio.get_running_loop().time() + patience
        self._pause = 0.02

    def __aiter__(self) -> patiently_again:
        return self

    async def __anext__(self) -> None:
        rest = self._deadline - asyncio.get_running_loop().time()
        if rest <= 0:
            raise StopAsyncIteration
        import random  # 2 ms, and only an outage needs it

        await asyncio.sleep(min(rest, self._pause * random.uniform(0.5, 1)))  # noqa: S311
        self._pause = min(self._pause * 2, 1.0)


def _resolve(tickets: Sequence[Ticket], error: Exception | None) -> None:
    """Resolve tickets: a thread's at once, those of a loop together in one call to it."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = defaultdict(list)
    here = asyncio.get_running_loop()
    for ticket in tickets:
        if isinstance(ticket, asyncio.Future) and ticket.get_loop() is not here:
            by_loop[ticket.get_loop()].append(ticket)
        else:
            _settle(ticket, error)
    for loop, futures in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_all, futures, error)
        except RuntimeError:
            _log.debug("a loop was closed while %d of its submits were on their way", len(futures))


def _settle_all(futures: Sequence[Ticket], error: Exception | None) -> None:
    for future in futures:
        _settle(future, error)


def _settle(ticket: Ticket, error: Exception | None) -> None:
    if ticket.done():
        return
    if error is None:
        ticket.set_result(None)
    else:
        # Each gets an error of its own: a traceback must not grow with every one who raises it.
        own = type(error)(*error.args) if isinstance(error, CurrantError) else error
        own.__cause__ = error.__cause__
        ticket.set_exception(own)
