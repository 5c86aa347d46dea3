"""Single submits, many to a statement: what comes while one is on its way goes together in the next."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

from currant_lab.database.connect import Database
from currant_lab.database.reasons import CONNECTION_LOST
from currant_lab.database.submit import NewExecution, insert, insert_again
from currant_lab.errors import CurrantError, DatabaseUnavailable
from currant_lab.loop import background

__all__ = ["Submitter", "is_passing", "patiently_again"]

_log = logging.getLogger("currant")

_ROWS = 2_000
_BYTES = 4 * 1024 * 1024
"""The most that one statement takes: it answers within some 50 ms."""

Ticket = concurrent.futures.Future[None] | asyncio.Future[None]


class Submitter:
    """Writes single executions. Lives on the background loop; `add` may be called from any thread.

    Args:
        database: where to.
        patience: seconds to go on trying while the connection is lost.
        after: called on the loop with the wake-ups of each commit.
    """

    def __init__(self, database: Database, patience: float, after: Callable[[Sequence[str]], None]) -> None:
        self._database = database
        self._patience = patience
        self._after = after
        self._queue: deque[tuple[NewExecution, Ticket]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_called = False

    def add(self, row: NewExecution, ticket: Ticket) -> None:
        """Write `row` with the next statement; `ticket` resolves when it is on disk. A ticket that is cancelled
        before the statement goes out takes its row with it."""
        self._queue.append((row, ticket))
        if not self._is_called:  # one wake-up of the loop for all that come before it looks
            self._is_called = True
            background.call_soon(self._start)

    async def close(self) -> None:
        """Wait for what is on its way."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def _start(self) -> None:
        self._is_called = False
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._queue:
            group = self._next_group()
            if not group:
                continue
            rows = [row for row, _ in group]
            try:
                sent = await self._write(rows)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait for the tickets
                _resolve([ticket for _, ticket in group], error)
            else:
                _resolve([ticket for _, ticket in group], None)
                self._after(sent)

    def _next_group(self) -> list[tuple[NewExecution, Ticket]]:
        group: list[tuple[NewExecution, Ticket]] = []
        size = 0
        while self._queue and len(group) < _ROWS and size < _BYTES:
            row, ticket = self._queue.popleft()
            if not ticket.cancelled():
                group.append((row, ticket))
                size += len(row.args)
        return group

    async def _write(self, rows: Sequence[NewExecution]) -> list[str]:
        """Insert, and while the connection is lost, again: rows that got through before it broke are found."""
        try:
            return await insert(self._database, rows)
        except DatabaseUnavailable as error:
            if not is_passing(error):
                raise
            first = error
        async for _ in patiently_again(self._patience):
            try:
                return await insert_again(self._database, rows)
            except DatabaseUnavailable as error:
                if not is_passing(error):
                    raise
                first = error
        raise first


def is_passing(error: DatabaseUnavailable) -> bool:
    """Whether trying again may help: the connection broke, or can't be made just now."""
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
        await asyncio.sleep(min(rest, self._pause * random.uniform(0.5, 1)))  # noqa: S311
        self._pause = min(self._pause * 2, 1.0)


def _resolve(tickets: Sequence[Ticket], error: Exception | None) -> None:
    """Resolve tickets: a thread's at once, those of a loop together in one call to it."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = defaultdict(list)
    for ticket in tickets:
        if isinstance(ticket, asyncio.Future):
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
