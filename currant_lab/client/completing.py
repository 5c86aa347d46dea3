"""The executions of a batch in the order in which they end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from currant_lab.client.ending import check_wait
from currant_lab.client.futures import watch
from currant_lab.context import Durable, durable
from currant_lab.errors import ExecutionCancelled, ExecutionFailed
from currant_lab.kernel_loop import hold

if TYPE_CHECKING:
    from currant_lab.client.batch import Batch
    from currant_lab.client.handles import Execution
    from currant_lab.client.waiting import Watch

__all__ = ["Completed"]


class Completed:
    """What `Batch.as_completed` returns: loop over it with `for`, or on any loop with `async for`."""

    def __init__(self, batch: Batch, timeout: float | None) -> None:
        self._batch = batch
        self._timeout = timeout

    def __iter__(self) -> Iterator[Execution]:
        check_wait("loop with `async for`")
        batch = self._batch
        missing = batch._missing()
        yield from self._ended_before(missing)
        deadline = self._deadline()
        with batch._owner.waits.watching(missing, each=True) as watching:
            while True:
                yield from self._arrived(watching)
                if watching.remaining == 0:
                    break
                try:
                    hold(watching.signal(), self._rest(deadline))
                except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
                    batch._tell_stopped(interrupt)
                    raise
                except TimeoutError:
                    raise TimeoutError(batch._late(watching)) from None
            yield from self._arrived(watching)

    async def __aiter__(self) -> AsyncIterator[Execution]:
        batch = self._batch
        run = durable()
        if run is not None:  # the order is on record: each is a step
            waits = [asyncio.ensure_future(_ended(run, handle)) for handle in batch]  # begun in this order
            for ended in asyncio.as_completed(waits, timeout=self._timeout):
                yield await ended
            return
        missing = batch._missing()
        for handle in self._ended_before(missing):
            yield handle
        deadline = self._deadline()
        with batch._owner.waits.watching(missing, each=True) as watching:
            while True:
                for handle in self._arrived(watching):
                    yield handle
                if watching.remaining == 0:
                    break
                try:
                    await watch(watching.signal(), self._rest(deadline))
                except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
                    batch._tell_stopped(interrupt)
                    raise
                except TimeoutError:
                    raise TimeoutError(batch._late(watching)) from None
            for handle in self._arrived(watching):
                yield handle

    def _ended_before(self, missing: list[bytes]) -> Iterator[Execution]:
        waited_for = frozenset(missing)
        return (self._batch._handle(own) for own in self._batch._each_id() if own not in waited_for)

    def _arrived(self, watching: Watch) -> list[Execution]:
        news = watching.take()
        self._batch._remember(news)
        return [self._batch._handle(one.id) for one in news]

    def _deadline(self) -> float | None:
        return None if self._timeout is None else time.monotonic() + self._timeout

    @staticmethod
    def _rest(deadline: float | None) -> float | None:
        return None if deadline is None else max(deadline - time.monotonic(), 0.0)


async def _ended(run: Durable, handle: Execution) -> Execution:
    with contextlib.suppress(ExecutionFailed, ExecutionCancelled):  # who asks for its result is told
        await run.await_handle(handle)
    return handle
