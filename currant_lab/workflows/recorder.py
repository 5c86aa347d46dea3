"""Steps on their way into the record: what comes while one statement is under way goes together in the next."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from currant_lab.database.record import ClaimLost, NewStep, write_steps
from currant_lab.errors import DatabaseUnavailable
from currant_lab.loop import background
from currant_lab.workflows.loading import Loader
from currant_lab.workflows.patience import PAUSE_S

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.database.submit import NewExecution

__all__ = ["Recorder", "recorder_of"]

_log = logging.getLogger("currant")

_STEPS = 1_000

Ticket = concurrent.futures.Future[None] | asyncio.Future[None]
Entry = tuple[bytes, int, Sequence[NewStep], Ticket]


class Recorder:
    """Writes the steps of all runs of this process. Lives on the background loop; `add` may be called from any thread.

    An outage is no failure of a workflow: what can't be written is tried again until it can.

    Args:
        client: whose connections it writes through.

    Attributes:
        loader: reads what was written.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.loader = Loader(client.database)
        self._queue: deque[Entry] = deque()
        self._task: asyncio.Task[None] | None = None
        self._in_doubt: set[bytes] = set()  # executions of a write that was given up: the server may yet do it

    def add(self, run: bytes, token: int, steps: Sequence[NewStep]) -> Ticket:
        """Write steps of a run with the next statement.

        Returns what resolves when they are on disk, or raises `ClaimLost` where the run is another's by now; any other
        error is of one of the executions they begin.
        """
        is_here = background.is_current
        ticket: Ticket = asyncio.get_running_loop().create_future() if is_here else concurrent.futures.Future()
        self._queue.append((run, token, steps, ticket))
        if is_here:
            self._start()
        else:
            background.call_soon(self._start)
        return ticket

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        await asyncio.sleep(0)  # for what others add in the same turn of the loop
        while self._queue:
            group = self._next_group()
            try:
                await self._write(group)
            except DatabaseUnavailable as error:
                _log.info("steps of workflows can't be recorded just now: %s", error)
                self._queue.extendleft(reversed(group))
                await asyncio.sleep(PAUSE_S)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait for the tickets
                await self._one_by_one(group, error)

    async def _write(self, group: Sequence[Entry]) -> None:
        """Write, tell, and start at once what a pool of this process keeps a worker for."""
        here = self.client.here
        kept: dict[bytes, tuple[NewExecution, int]] = {}
        if here is not None:
            for child in _children(group):
                pool = here.reserve(child)
                if pool is None:
                    break
                kept[child.id] = child, pool
        sent = time.perf_counter()
        is_in_doubt = True
        started: dict[bytes, int] = {}
        try:
            pools = {id: pool for id, (_, pool) in kept.items()}
            written = await write_steps(self.client.database, [entry[:3] for entry in group], pools)
            is_in_doubt, started = False, written.started
        finally:
            for id, (child, pool) in kept.items():
                assert here is not None  # noqa: S101 - it has kept them
                if id in started:
                    here.hand_over(child, pool, started[id], time.perf_counter() - sent)
                else:
                    here.unreserve(child, is_in_doubt)
                    if is_in_doubt:
                        self._in_doubt.add(id)
        for child in _children(group) if self._in_doubt else ():
            if child.id in self._in_doubt:
                self._in_doubt.discard(child.id)
                if here is not None and child.id not in started:
                    here.unreserve(child, is_in_doubt=True)  # by now it is known to be there, whoever was to run it
        self.client.submitted(written.wakes)
        for run, _, _, ticket in group:
            _resolve(ticket, None if run in written.held else ClaimLost())

    async def _one_by_one(self, group: Sequence[Entry], error: Exception) -> None:
        """One of many can't be written: the others can."""
        if len(group) == 1:
            _resolve(group[0][3], error)
            return
        for entry in group:
            try:
                await self._write([entry])
            except DatabaseUnavailable:
                self._queue.appendleft(entry)
            except Exception as own:  # noqa: BLE001 - as above
                _resolve(entry[3], own)

    def _next_group(self) -> list[Entry]:
        """As many as fit, no two entries of one claim with different tokens."""
        group: list[Entry] = []
        tokens: dict[bytes, int] = {}
        size = 0
        while self._queue and size < _STEPS:
            run, token, steps, _ = self._queue[0]
            if tokens.setdefault(run, token) != token:
                break
            group.append(self._queue.popleft())
            size += len(steps)
        return group


def _children(group: Sequence[Entry]) -> Iterator[NewExecution]:
    """The executions that steps begin and that could start at once."""
    for _, _, steps, _ in group:
        for step in steps:
            if step.child is not None and step.child.is_due:
                yield step.child


def _resolve(ticket: Ticket, error: BaseException | None) -> None:
    if ticket.done():
        return
    if error is None:
        ticket.set_result(None)
    else:
        ticket.set_exception(error)


_last: Recorder | None = None


def recorder_of(client: Client) -> Recorder:
    """The recorder that writes through this client's connections: a process has one client at a time."""
    global _last
    if _last is None or _last.client is not client:
        _last = Recorder(client)
    return _last
