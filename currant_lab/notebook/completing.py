"""Completion of `%currant`: words, flags, queues, jobs and ids, from what was seen last. No query on Tab."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from currant_lab.client import current
from currant_lab.client.client import Client
from currant_lab.client.handles import Execution
from currant_lab.database import inspect
from currant_lab.errors import CurrantError
from currant_lab.jobs import registry, session_of_cell
from currant_lab.loop import background
from currant_lab.notebook import words
from currant_lab.session import running_pool
from currant_lab.status import Status

__all__ = ["Completer"]

_REFRESH_S = 5.0
_IDS = 50


class Completer:
    """Keeps a snapshot, renewed after a cell at most every 5 s while there is a connection anyway."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._queues: list[str] = []
        self._ids: list[str] = []
        self._jobs: list[str] = []
        self._when = 0.0
        self._is_looking = False

    def install(self) -> None:
        """Answer for `%currant` and `%%currant`."""
        for word in ("%currant", "%%currant"):
            self._shell.set_hook("complete_command", self.complete, str_key=word)
        self._shell.events.register("post_run_cell", self.refresh)

    def remove(self) -> None:
        """Answer no more."""
        table = self._shell.strdispatchers["complete_command"]
        for word in ("%currant", "%%currant"):
            table.strs.pop(word, None)
        self._shell.events.unregister("post_run_cell", self.refresh)

    def refresh(self, *_: object) -> None:
        """After a cell: look, in the background, if the last look was long ago."""
        client = current.peek()
        if client is None or self._is_looking or time.monotonic() - self._when < _REFRESH_S:
            return
        self._is_looking = True
        background.submit(self._look(client))

    async def _look(self, client: Client) -> None:
        try:
            async with asyncio.timeout(_REFRESH_S):
                found = await inspect.list_executions(client.database, limit=_IDS)
                self._queues = [queue.name for queue in await inspect.queues(client.database)]
            self._ids = [str(info.uuid) for info in found]
            self._jobs = sorted({info.job for info in found})
        except (CurrantError, TimeoutError):
            pass  # what was known is still the best there is
        finally:
            self._when = time.monotonic()
            self._is_looking = False

    def complete(self, _: Any, event: Any) -> list[str]:
        """What may stand where the cursor is."""
        before = event.text_until_cursor.split()
        symbol = event.symbol
        if before and not event.text_until_cursor[-1].isspace():
            before = before[:-1]
        return sorted(word for word in self._candidates(before, symbol) if word.startswith(symbol))

    def _candidates(self, before: list[str], symbol: str) -> Iterable[str]:
        command, *rest = before or ["%currant"]
        if command == "%currant" and not rest:
            return words.known_words()
        word = rest[0] if command == "%currant" else None
        last = rest[-1] if rest else ""
        values = self._values(word, last)
        if values is not None:
            return values
        if symbol.startswith("-"):
            return words.flags(word)
        return [*self._arguments(word), *words.flags(word)]

    def _values(self, word: str | None, flag: str) -> Iterable[str] | None:
        """What may follow a flag; None where it takes nothing, or anything."""
        match flag:
            case "--queue" | "--queues":
                return self._known_queues()
            case "--job":
                return self._known_jobs()
            case "--status":
                return [str(status) for status in Status]
            case "--executor":
                return ["process", "thread"]
            case "--loop":
                return ["kernel", "thread"]
            case "--again":
                return self._ids
        return None

    def _arguments(self, word: str | None) -> list[str]:
        if word in ("pause", "resume"):
            return self._known_queues()
        if word in ("show", "logs", "retry", "cancel", "signal", "fork"):
            held = [name for name, value in self._shell.user_ns.items() if isinstance(value, Execution)]
            return [*(name for name in held if not name.startswith("_")), *self._ids]
        if word == "submit":
            return [f"{name.rpartition(':')[2]}(" for name in registry.names() if session_of_cell(name) is None]
        return []

    def _known_queues(self) -> list[str]:
        pool = running_pool()
        return sorted({"default", *self._queues, *(pool.queues if pool is not None else ())})

    def _known_jobs(self) -> list[str]:
        return sorted({*self._jobs, *registry.names()})
