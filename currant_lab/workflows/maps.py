"""Steps that are whole maps."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from currant_lab.client.batch import Batch, OnError
from currant_lab.client.futures import arun_steps, call
from currant_lab.client.handles import Known
from currant_lab.client.mapping import WHOLE, map_steps
from currant_lab.database import inspect, record
from currant_lab.database.record import GIVEN_UP, RecordedStep, StepMapWriter
from currant_lab.errors import DatabaseUnavailable, NonDeterministic
from currant_lab.values import encode_result
from currant_lab.workflows.calls import error_of_call, refusal
from currant_lab.workflows.children import await_there, check_awaited
from currant_lab.workflows.patience import patiently, patiently_ask
from currant_lab.workflows.replay import Step
from currant_lab.workflows.stepping import Way

if TYPE_CHECKING:
    from currant_lab.client.job import Job
    from currant_lab.database.connect import Database
    from currant_lab.database.submit import BatchWriter, Placement

__all__ = ["Maps"]

_PAGE = 2_000

_log = logging.getLogger("currant")


class Maps:
    """The maps of one call of a workflow's function."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._loaded: dict[int, Batch] = {}

    async def load(self, recorded: Sequence[RecordedStep]) -> None:
        """Read the results of the maps whose end the function has seen: they answer in their turn, without a pause."""
        seen = {number for row in recorded for number in row.seen}
        for row in recorded:
            if row.batch is not None and row.number in seen:
                batch = self._loaded[row.number] = await self._recorded(row)
                missing = batch._missing()
                for start in range(0, len(missing), _PAGE):
                    page = missing[start : start + _PAGE]
                    batch._remember(await patiently_ask(lambda page=page: inspect.ended(self._database, page)))  # type: ignore[misc]

    async def run(self, job: Job[..., Any], iterables: tuple[Iterable[Any], ...], on_error: OnError) -> list[Any]:
        """Submit a map, and wait for its results, in order."""
        Batch._check(on_error)
        step = self._way.begin("map", job.name)
        batch = await self._batch(step, job, iterables)
        return await self._way.end_of(step, lambda: self._results(step, batch, on_error), batch.acancel)

    async def await_there(self, batch: Batch, on_error: OnError) -> list[Any]:
        """Wait for a batch that is there already.

        Raises:
            InvalidArguments: it is in another database.
        """
        check_awaited(batch._owner)
        number = batch._number
        if number is None or not len(batch):  # a part of one: each execution is a step
            waits = [await_there(self._way, handle) for handle in batch]
            return list(await asyncio.gather(*waits, return_exceptions=on_error == "return"))
        step = self._way.begin("result", batch.job)
        if step.row is None:
            entry = step.entry()
            ids = list(batch._each_id())
            entry.awaits, entry.awaits_to, entry.awaits_batch = min(ids), max(ids), number
            await self._way.start(step, lambda: self._way.write(entry))
        elif step.row.batch != number:
            self._way.break_off(NonDeterministic(step.number, f"result {step.row.name}", f"that of batch {number}"))
        known = self._loaded.get(step.number, batch)
        return await self._way.end_of(step, lambda: self._results(step, known, on_error))

    async def submit(self, job: Job[..., Any], iterables: tuple[Iterable[Any], ...]) -> Batch:
        """Submit a map, and go on."""
        return await self._batch(self._way.begin("submit", job.name, ends=False), job, iterables)

    async def _results(self, step: Step, batch: Batch, on_error: OnError) -> list[Any]:
        if not batch._missing():
            return await patiently(lambda: batch._results(on_error))
        with self._way.rest.waiting(step.number):
            return await patiently(lambda: batch._results(on_error))

    @property
    def _database(self) -> Database:
        return self._way.client.database

    async def _batch(self, step: Step, job: Job[..., Any], iterables: tuple[Iterable[Any], ...]) -> Batch:
        """The map that a step has begun, or begins."""
        row = step.row
        if row is not None and row.batch is None and row.error is not None and row.error.type != GIVEN_UP:
            raise refusal(row.error)
        if row is not None:
            return self._loaded.get(step.number) or await self._recorded(row)
        return await self._way.start(step, lambda: self._begin(step, job, iterables), lambda: self._cancel(step))

    async def _begin(self, step: Step, job: Job[..., Any], iterables: tuple[Iterable[Any], ...]) -> Batch:
        way = self._way
        await way.write()
        whole = tuple(one if isinstance(one, WHOLE) else iter(one) for one in iterables)

        def writer(database: Database, place: Placement, name: str | None) -> BatchWriter:
            made = StepMapWriter(database, place, name)
            made.run, made.token, made.step = way.running.id, way.running.token, step.entry()
            return made

        placement = job._placement()
        entry = step.entry()
        try:
            batch = await arun_steps(map_steps(way.client, job.spec, placement, whole, None, writer))
        except DatabaseUnavailable as error:  # one that is too long to be kept: what it iterates over is used up
            _log.info("the database went away during a long map: its workflow begins it again: %s", error)
            raise way.rest.give_back() from None
        except Exception as error:  # it was refused, or what it iterates over raised
            entry.error, entry.is_over = error_of_call(error, step.name), True
            await way.write(entry)
            raise refusal(entry.error) from error
        if not len(batch):
            entry.result, entry.is_over = encode_result([]), True
            await way.write(entry)
        return batch

    async def _cancel(self, step: Step) -> None:
        """Cancel what a step that was given up while it began may have written all the same."""
        row = await call(record.step_value(self._database, self._way.running.id, step.number))
        if row is not None and row["batch"] is not None:
            ids = await call(inspect.batch_ids(self._database, row["batch"]))
            await call(self._way.client.cancel_many(ids))

    async def _recorded(self, row: RecordedStep) -> Batch:
        number = row.batch
        ids: list[bytes] = []
        if number is not None:
            ids = await patiently_ask(lambda: inspect.batch_ids(self._database, number))
        return Batch(self._way.client, Known(row.name), b"".join(ids), name=None, number=number)
