"""Pools, batches and executions in a cell: live until they are over, where somebody looks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from currant_lab import session
from currant_lab.client.batch import Batch
from currant_lab.client.graphing import StepReading
from currant_lab.client.handles import Execution
from currant_lab.errors import CurrantError
from currant_lab.notebook import pages
from currant_lab.notebook.living import Living, Shown, can_live
from currant_lab.notebook.panel_state import Eta, Look
from currant_lab.notebook.sessions import interrupted
from currant_lab.notebook.views import View
from currant_lab.pool.pool import Pool
from currant_lab.status import FINAL

__all__ = ["live"]


def live(shown: Any) -> None:
    """Show a pool, a batch or an execution live in the cell that runs.

    Raises:
        NotImplementedError: it is over, or nothing may live here: IPython then shows it as it stands.
    """
    if not can_live():
        raise NotImplementedError
    make: Callable[[Any], Living | None] = next(make for kind, make in _MAKERS if isinstance(shown, kind))
    try:
        living = make(shown)
    except CurrantError:
        living = None
    if living is None:
        raise NotImplementedError
    living.show()


def _of_view(view: View, text: str, *, is_over: bool) -> Shown:
    rest = repr(view).partition("\n")[2]  # the object's own repr says what the title does
    return Shown((view._repr_html_(),), f"{text}\n{rest}" if rest else text, is_over)


class _PoolReading:
    """A pool, without a query. What it was when it stopped stays."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._last = pages.pool(pool)

    def shown(self) -> Shown:
        pool = self._pool
        if pool.is_running:
            self._last = pages.pool(pool)
        if not pool.is_stopped:
            return _of_view(self._last, repr(pool), is_over=False)
        view = replace(self._last, title=f"{pages.pool_title(pool)} (stopped)", notes=())
        return _of_view(view, repr(pool), is_over=True)

    async def read(self, whole: bool) -> Shown:
        return self.shown()


class _BatchReading:
    """How far a batch is: a count whenever something has happened."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._look = Look(0.25)
        self._eta = Eta()
        self._counts = batch.counts()
        self._shown = self.shown()

    def shown(self) -> Shown:
        batch, counts = self._batch, self._counts
        done = sum(counts.get(status, 0) for status in FINAL)
        eta_s = self._eta.look(time.monotonic(), done, len(batch))
        return _of_view(pages.batch_of(batch, counts, eta_s), repr(batch), is_over=done >= sum(counts.values()))

    async def read(self, whole: bool) -> Shown:
        if self._look.is_due(_settled_here(), whole=whole):
            began, before = time.monotonic(), self._counts
            self._counts = await self._batch._counts()
            self._look.looked(began, changed=self._counts != before)
            self._shown = self.shown()
        return self._shown


class _ExecutionReading:
    """Where an execution stands: its row, and the steps of a run, whenever something has happened."""

    def __init__(self, execution: Execution) -> None:
        self._client = execution._owner
        self._id = execution._id
        self._look = Look(0.5)
        self._steps = StepReading(self._client, self._id)
        self._state: object = None
        self._shown = self._client.run(self._load())

    def shown(self) -> Shown:
        return self._shown

    async def _load(self, *, whole: bool = False) -> Shown:
        # A handle of its own: the one that a person holds changes only when they ask it something.
        info = await self._client.load(self._id)
        handle = Execution.of_row(self._client, info)
        drawn = await self._steps.graph(info, whole=whole)
        self._state = info, self._steps.log.steps  # not what is shown: the time that a step takes passes anyway
        return _of_view(pages.execution_of(handle, drawn=drawn), repr(handle), is_over=handle.status in FINAL)

    async def read(self, whole: bool) -> Shown:
        if self._look.is_due(_settled_here(), whole=whole):
            began, before = time.monotonic(), self._state
            self._shown = await self._load(whole=whole)
            self._look.looked(began, changed=self._state != before)
        return self._shown


def _settled_here() -> int:
    pool = session.running_pool()
    return 0 if pool is None else pool.stats().settled


def _living(reading: _PoolReading | _BatchReading | _ExecutionReading) -> Living | None:
    first = reading.shown()
    return None if first.is_over else Living(reading.read, first)


def _execution(shown: Execution) -> Living | None:
    return None if interrupted(shown._owner, [shown]) else _living(_ExecutionReading(shown))


_MAKERS: tuple[tuple[type, Callable[[Any], Living | None]], ...] = (
    (Pool, lambda pool: _living(_PoolReading(pool))),
    (Batch, lambda batch: _living(_BatchReading(batch))),
    (Execution, _execution),
)
