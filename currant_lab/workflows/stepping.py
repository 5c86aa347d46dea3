"""The way of every step: it gets its number and is compared with the record; what is new is written; its end is met."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from currant_lab.client.futures import watch
from currant_lab.context import PutAway, Running
from currant_lab.database.record import GIVEN_UP, ClaimLost, NewStep, RecordedStep
from currant_lab.errors import NonDeterministic
from currant_lab.outcomes import ErrorInfo
from currant_lab.workflows.calls import error_of_call, refusal
from currant_lab.workflows.patience import patiently
from currant_lab.workflows.recorder import recorder_of
from currant_lab.workflows.replay import Replay, Step
from currant_lab.workflows.resting import Rest

if TYPE_CHECKING:
    from currant_lab.client.client import Client

__all__ = ["Undo", "Way"]

T = TypeVar("T")

Undo = Callable[[], Awaitable[object]]
"""Cancels what a step has begun."""

_log = logging.getLogger("currant")

_STUCK_S = 30.0
"""A function that is called again and has not come to the next step of its record by then has taken another way."""


class Way:
    """The steps of one call of a workflow's function. Belongs to the loop that the function runs on.

    Attributes:
        client: whose database it is.
        running: the execution.
        rest: what the function waits for.
        replay: the record against what the function does.
    """

    def __init__(self, client: Client, running: Running, recorded: Sequence[RecordedStep]) -> None:
        self.client = client
        self.running = running
        self.rest = Rest(running)
        self.replay = Replay(recorded)
        self._recorder = recorder_of(client)
        self._unsent: dict[int, NewStep] = {}  # begun, and not on their way into the record
        self._aside: set[asyncio.Task[Any]] = set()
        self._broken: NonDeterministic | None = None

    def begin(self, kind: str, name: str, *, ends: bool = True) -> Step:
        """The function comes to a step. With `ends` false it has an answer at once.

        Raises:
            NonDeterministic: the record has another one here.
            PutAway: the function is on its way out.
        """
        if self.rest.is_leaving:
            raise PutAway(self.rest.open_steps)
        if self._broken is not None:
            raise self._broken
        try:
            return self.replay.begin(kind, name, ends=ends)
        except NonDeterministic as error:
            self.break_off(error)

    def break_off(self, error: NonDeterministic) -> NoReturn:
        """From here on every step raises it: a function that catches it must not go on as if nothing had been."""
        self._broken = error
        raise error

    def write_later(self, entry: NewStep) -> None:
        """An entry that may go with what is written next: nothing hangs on it before."""
        self._unsent[entry.number] = entry

    async def write(self, entry: NewStep | None = None) -> None:
        """Write an entry, and all steps that were begun before and are not on record: the record never has a gap.

        Where the execution that it begins is refused, so is the step, on record too: it has had its number.
        """
        entries = dict(self._unsent)
        self._unsent.clear()
        if entry is not None:
            entries[entry.number] = entry
        if not entries:
            return
        new = [entries[n] for n in sorted(entries)]
        try:
            await self._record(new)
        except Exception as error:
            if entry is None or entry.child is None:
                raise
            entry.child, entry.error, entry.is_over = None, error_of_call(error, entry.name), True
            await self._record(new)
            raise refusal(entry.error) from error

    async def _record(self, entries: Sequence[NewStep]) -> None:
        ticket = self._recorder.add(self.running.id, self.running.token, entries)
        await (ticket if isinstance(ticket, asyncio.Future) else watch(ticket))

    async def start(self, step: Step, act: Callable[[], Awaitable[T]], undo: Undo | None = None) -> T:
        """Do what begins a new step. One that the function does not wait for is given up: it has had its number."""
        try:
            with self.rest.working():
                return await act()
        except asyncio.CancelledError as error:
            self._on_cancelled(step, error, undo)
            raise

    async def end_of(self, step: Step, wait: Callable[[], Awaitable[T]], undo: Undo | None = None) -> T:
        """Wait for the end of a step; in a replay, not before its turn.

        A wait that the function itself ends (a timeout, a race that another has won) gives the step up: it is on record
        as such, and what it had begun is cancelled.
        """
        try:
            if step.gate is not None:
                await step.gate
            if step.row is not None and step.row.error is not None and step.row.error.type == GIVEN_UP:
                await asyncio.Event().wait()  # as before, its function ends the wait
            value = await wait()
        except asyncio.CancelledError as error:
            self._on_cancelled(step, error, undo)
            raise
        except BaseException:
            self.replay.saw(step)
            raise
        self.replay.saw(step)
        return value

    def _on_cancelled(self, step: Step, error: asyncio.CancelledError, undo: Undo | None) -> None:
        if self.rest.is_leaving:
            raise PutAway(self.rest.open_steps) from None
        if self.running.ending not in ("lost", "stop") and not self.rest.has_ended and not isinstance(error, ClaimLost):
            self._give_up(step, undo)

    def _give_up(self, step: Step, undo: Undo | None) -> None:
        entry = step.entry()
        entry.error, entry.is_over = ErrorInfo(GIVEN_UP, "its function stopped waiting for it"), True

        async def put_down() -> None:
            await self.write(entry)
            if undo is not None:
                await patiently(undo)

        task = asyncio.ensure_future(put_down())
        self._aside.add(task)
        task.add_done_callback(_heard)

    async def end(self, error: BaseException | None) -> None:
        """The function has returned, or raised `error`: what is not on record yet is written.

        Raises:
            PutAway: it was put away; whatever it did on the way out doesn't count.
            NonDeterministic: it didn't do what is on its record.
        """
        self.rest.end()
        if self._aside:
            await asyncio.wait(self._aside)
        if self.running.ending is None or self.rest.is_leaving:
            await self.write()
        if self.rest.is_leaving:
            raise PutAway(self.rest.open_steps)
        if self._broken is not None:
            raise self._broken
        if error is None:
            self.replay.check_end()

    async def check_progress(self) -> None:
        """Watch over a replay: a function that waits for something else than its steps would wait for ever."""
        given_up = any(row.error is not None and row.error.type == GIVEN_UP for row in self.replay.record)
        while not self.replay.is_live and not given_up:
            before = self.replay.begun
            await asyncio.sleep(_STUCK_S)
            row = self.replay.next_row
            if row is not None and self.replay.begun == before:
                self._broken = NonDeterministic(row.number, f"{row.kind} {row.name}", None)
                return


def _heard(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.debug("a step could not be given up: %s", task.exception())
