"""How long an answer of the database may take before the connection is given up. Imports no driver."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

__all__ = ["ANSWER_S", "in_transaction", "limited"]

ANSWER_S = 30.0
"""A statement that writes a few rows and takes longer means a connection that is not to be trusted: the engine's
`WORK_LIMIT`."""


@contextlib.asynccontextmanager
async def limited(conn: Any, limit: float | None = None) -> AsyncIterator[None]:
    """Give the connection up when what is done in the block takes longer, by default than `ANSWER_S`.

    Raises:
        TimeoutError: it did; the connection is closed by then. Whether the statement ran can't be told.
    """
    seconds = ANSWER_S if limit is None else limit
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        conn.terminate()
        raise TimeoutError(f"nothing was heard of it for {seconds:g} s") from None


@contextlib.asynccontextmanager
async def in_transaction(conn: Any) -> AsyncIterator[None]:
    """A transaction whose beginning and end are `limited`; what is done in it has to be limited on its own."""
    transaction = conn.transaction()
    async with limited(conn):
        await transaction.start()
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # what went wrong first is told; the connection may be gone
            async with limited(conn):
                await transaction.rollback()
        raise
    async with limited(conn):
        await transaction.commit()
