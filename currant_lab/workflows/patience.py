"""An outage of the database is no failure of a workflow: what can't be asked just now is asked again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from currant_lab.client.futures import call
from currant_lab.errors import DatabaseUnavailable

__all__ = ["PAUSE_S", "patiently", "patiently_ask"]

T = TypeVar("T")

PAUSE_S = 0.5

_log = logging.getLogger("currant")


async def patiently(act: Callable[[], Awaitable[T]]) -> T:
    """What `act` brings, however long the database is away."""
    while True:
        try:
            return await act()
        except DatabaseUnavailable as error:
            _log.info("a workflow waits for the database: %s", error)
            await asyncio.sleep(PAUSE_S)


async def patiently_ask(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The same for what belongs to the background loop."""
    return await patiently(lambda: call(ask()))
