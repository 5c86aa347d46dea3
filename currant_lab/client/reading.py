"""Rows of executions, read together: whoever asks while a query is under way shares the next one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

from currant_lab.database.inspect import ExecutionInfo, read
from currant_lab.errors import UnknownExecution

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["Reader"]

_PAGE = 1_000


class Reader:
    """Reads what the database knows of executions. Lives on the background loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: dict[bytes, asyncio.Future[ExecutionInfo | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def load(self, id: bytes) -> ExecutionInfo:
        """The row of one execution as it stands after this call began.

        Raises:
            UnknownExecution: there is none of this id.
        """
        loop = asyncio.get_running_loop()
        future = self._asked.get(id)
        if future is None:
            future = self._asked[id] = loop.create_future()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        # Shielded: one who stops waiting must not take the answer from the others.
        info = await asyncio.shield(future)
        if info is None:
            raise UnknownExecution(f"there is no execution {UUID(bytes=id)} in the database (any more)")
        return info

    async def _run(self) -> None:
        while self._asked:
            asked = self._asked
            self._asked = {}
            ids = list(asked)
            for start in range(0, len(ids), _PAGE):
                await self._answer({own: asked[own] for own in ids[start : start + _PAGE]})

    async def _answer(self, asked: dict[bytes, asyncio.Future[ExecutionInfo | None]]) -> None:
        try:
            found = await read(self._database, list(asked))
        except Exception as error:  # noqa: BLE001 - it belongs to those who asked
            for future in asked.values():
                future.set_exception(error)
            return
        for own, future in asked.items():
            future.set_result(found.get(own))
