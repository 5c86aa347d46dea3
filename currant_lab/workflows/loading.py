"""Records of runs that come back: what is asked for while statements are under way goes together in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from currant_lab.database.record import RecordedStep, read_steps

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["Loader"]

_RUNS = 200
_AT_ONCE = 2
"""Statements under way. A run with a long record holds up those that came with it."""

Asked = tuple[bytes, "asyncio.Future[list[RecordedStep]]"]


class Loader:
    """Reads the records of runs of this process. Lives on the background loop.

    Args:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: deque[Asked] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def steps_of(self, run: bytes) -> list[RecordedStep]:
        """The record of a run.

        Raises:
            DatabaseUnavailable: it can't be read just now.
        """
        loop = asyncio.get_running_loop()
        asked: Asked = run, loop.create_future()
        self._queue.append(asked)
        if len(self._tasks) < _AT_ONCE:
            task = loop.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await asked[1]

    async def _run(self) -> None:
        await asyncio.sleep(0)  # for what others ask for in the same turn of the loop
        while self._queue:
            group = [self._queue.popleft() for _ in range(min(len(self._queue), _RUNS))]
            try:
                found = await read_steps(self._database, [run for run, _ in group])
            except Exception as error:  # noqa: BLE001 - it belongs to those who asked
                _answer(group, error)
            else:
                _answer(group, found)


def _answer(group: Sequence[Asked], answer: dict[bytes, list[RecordedStep]] | Exception) -> None:
    for run, asked in group:
        if asked.done():
            continue
        if isinstance(answer, Exception):
            asked.set_exception(answer)
        else:
            asked.set_result(answer.get(run, []))
