"""`Run`: one call of a workflow's function. Its steps are recorded when they begin, and answer from the record."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from currant_lab.context import Running
from currant_lab.database.record import RecordedStep
from currant_lab.workflows import children, in_place, waits
from currant_lab.workflows.maps import Maps
from currant_lab.workflows.patience import patiently_ask
from currant_lab.workflows.recorder import recorder_of
from currant_lab.workflows.stepping import Way

if TYPE_CHECKING:
    from currant_lab.client.batch import Batch, OnError
    from currant_lab.client.client import Client
    from currant_lab.client.handles import Execution
    from currant_lab.client.job import Job

__all__ = ["Run"]


class Run:
    """What the function of a workflow talks to. Its methods belong to the loop that the function runs on."""

    def __init__(self, client: Client, running: Running, recorded: Sequence[RecordedStep]) -> None:
        self._way = Way(client, running, recorded)
        self._maps = Maps(self._way)
        self._loaded_at = time.monotonic()
        self._places = itertools.count()
        self.is_replay = bool(recorded)

    @classmethod
    async def load(cls, client: Client, running: Running) -> Run:
        """The run of an execution that has just been claimed, with its record. One of the first claim has none."""
        recorded: list[RecordedStep] = []
        if running.token > 1:
            recorded = await patiently_ask(lambda: recorder_of(client).loader.steps_of(running.id))
        made = cls(client, running, recorded)
        await made._maps.load(recorded)
        return made

    async def run_job(self, job: Job[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Submit one execution, and wait for its result."""
        return await children.run_one(self._way, job, args, kwargs)

    async def map_job(self, job: Job[..., Any], iterables: tuple[Iterable[Any], ...], on_error: OnError) -> list[Any]:
        """Submit a map, and wait for its results, in order."""
        return await self._maps.run(job, iterables, on_error)

    async def submit_job(self, job: Job[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Execution:
        """Submit one execution, and go on."""
        return await children.submit_one(self._way, job, args, kwargs)

    async def submit_map(self, job: Job[..., Any], iterables: tuple[Iterable[Any], ...]) -> Batch:
        """Submit a map, and go on."""
        return await self._maps.submit(job, iterables)

    async def await_handle(self, handle: Execution) -> Any:
        """Wait for an execution that is there already."""
        return await children.await_there(self._way, handle)

    async def await_batch(self, batch: Batch, on_error: OnError) -> list[Any]:
        """Wait for a batch that is there already."""
        return await self._maps.await_there(batch, on_error)

    async def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function in place, and keep what it returns or raises."""
        return await in_place.call(self._way, function, args, kwargs)

    async def event(self, name: str, timeout: float | None, default: Any, type: Any) -> Any:
        """Wait for a signal."""
        return await waits.event(self._way, name, timeout, default, type)

    async def sleep(self, seconds: float) -> None:
        """Wait for a moment."""
        await waits.sleep(self._way, seconds, self._loaded_at)

    def note(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        """A value that is made once."""
        return in_place.note(self._way, kind, name, make)

    def patched(self, name: str) -> bool:
        """Whether this run began after a change."""
        return in_place.is_patched(self._way, name)

    def next_place(self) -> int:
        """How many coroutines have been made for it."""
        return next(self._places)

    async def end(self, error: BaseException | None) -> None:
        """The function has returned, or raised `error`: see `Way.end`."""
        await self._way.end(error)

    def check_progress(self) -> Coroutine[Any, Any, None]:
        """See `Way.check_progress`."""
        return self._way.check_progress()
