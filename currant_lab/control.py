"""What a person does to a running system: one place for the terminal, the notebook and the command line.

Each action is one statement per chunk that takes only what its transition exists for (see `status.step`): an
execution that has moved on meanwhile is left as it is, and not counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec

from currant_lab.database import control, record
from currant_lab.errors import CurrantError, InvalidArguments, UnknownExecution
from currant_lab.ids import new_id
from currant_lab.jobs import check_name
from currant_lab.status import FINAL, Action, Record, Status, TransitionError, step
from currant_lab.values import encode_result
from currant_lab.watch.listing import Listing

if TYPE_CHECKING:
    from currant_lab.database.connect import Database
    from currant_lab.watch.criteria import Filter

__all__ = ["Act", "Control", "Done", "open_to"]

Act = Literal["cancel", "retry", "reprioritise", "run_now"]
"""What may be done to executions."""

_CHUNK = 5_000
"""Rows of one statement: see `database.control`."""

_AT_ONCE = 20_000
"""Executions found by one look, which takes all that run or are scheduled: those have no place to go on from once
some have been acted upon."""

_Do = Callable[[Sequence[bytes]], Awaitable["Done"]]
_Told = Callable[[int], None]


class Done(msgspec.Struct, frozen=True):
    """What came of an action: `changed` executions; their ids, but not those of a whole filter's."""

    changed: int
    ids: tuple[bytes, ...] = ()


def open_to(act: Act) -> tuple[Status, ...]:
    """The statuses in which an execution may be acted upon so."""
    if act == "reprioritise":
        return tuple(status for status in Status if status not in FINAL and status is not Status.RUNNING)
    action = {"cancel": Action.CANCEL, "retry": Action.REVIVE, "run_now": Action.PROMOTE}[act]
    return tuple(status for status in Status if _exists(status, action))


def _exists(status: Status, action: Action) -> bool:
    try:
        step(Record(status), action)
    except TransitionError:
        return False
    return True


class Control:
    """Acts on the executions and queues of one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._listing = Listing(database)

    async def may_write(self) -> bool:
        """Whether this role may change anything here."""
        return await self.refusal() is None

    async def refusal(self) -> str | None:
        """Why nothing may be changed here, in words; None when it may.

        Raises:
            DatabaseUnavailable: nobody answers.
        """
        facts = await self.database.fetchrow("connection_facts", self.database.schema)
        if facts is None:
            return None
        if facts["replica"]:
            return "this server is a read-only replica"
        if facts["read_only"]:
            return "this database is read-only (default_transaction_read_only is on)"
        return f"this user lacks rights: {facts['lacking']}" if facts["lacking"] else None

    async def pause(self, queue: str) -> None:
        """Let nothing be claimed from a queue any more; what runs goes on.

        Raises:
            InvalidArguments: no queue can have that name.
            DatabaseUnavailable: nobody answers, or the role lacks the right; so for every action here.
        """
        await control.pause(self.database, queue)

    async def resume(self, queue: str) -> bool:
        """Let a paused queue go on; returns whether it was paused.

        Raises:
            InvalidArguments: no queue can have that name.
        """
        return await control.resume(self.database, queue)

    async def cancel(self, ids: Sequence[bytes]) -> Done:
        """Cancel: what waits ends at once, what runs is asked to end."""
        done = await control.cancel(self.database, ids)
        return _done(done.ended + done.asked)

    async def retry(self, ids: Sequence[bytes]) -> Done:
        """Run what failed or was cancelled again, from its first attempt."""
        return _done(await control.retry(self.database, ids))

    async def reprioritise(self, ids: Sequence[bytes], priority: int) -> Done:
        """Give those that have not started another priority.

        Raises:
            InvalidArguments: it is not between -32768 and 32767.
        """
        if isinstance(priority, bool) or not isinstance(priority, int) or not -32768 <= priority <= 32767:
            raise InvalidArguments(f"a priority is between -32768 and 32767, not {priority!r}")
        return await self._statement("act_reprioritise", ids, priority)

    async def run_now(self, ids: Sequence[bytes]) -> Done:
        """Let what is scheduled run now."""
        return await self._statement("act_run_now", ids)

    async def signal(self, run: bytes, name: str, value: Any = True) -> None:
        """Send a signal to a workflow's run: what its `currant.event(name)` returns.

        Raises:
            InvalidArguments: nothing can have that name.
            NotStorable: the value is not data.
            CurrantError: the run has ended, or has had a signal of that name: the first one counts.
            UnknownExecution: there is no such run.
        """
        await record.send_signal(self.database, run, check_name("signal", name), encode_result(value))

    async def fork(self, run: bytes, step: int) -> bytes:
        """Begin another run of a workflow that goes on from a step of this one, which stays as it is; returns its id.

        Raises:
            UnknownExecution: there is no such run.
        """
        copy = new_id()
        if not await record.fork(self.database, run, copy, step):
            raise UnknownExecution(f"there is no execution {UUID(bytes=run)} in the database (any more)")
        return copy

    async def rerun(self, run: bytes, step: int) -> None:
        """Let a run of a workflow go on from a step: what it has on record from there on is done anew.

        Raises:
            UnknownExecution: there is no such run.
            CurrantError: it runs at the moment.
        """
        was = await record.rerun(self.database, run, step)
        if was is None:
            raise UnknownExecution(f"there is no execution {UUID(bytes=run)} in the database (any more)")
        if was == Status.RUNNING:
            raise CurrantError(f"execution {UUID(bytes=run)} runs at the moment: cancel it first")

    async def cancel_matching(self, filter: Filter, *, told: _Told | None = None) -> Done:
        """Cancel all that a filter means, as of when it is looked at; `told` hears how many so far."""
        return await self._matching(filter, open_to("cancel"), self.cancel, told)

    async def retry_matching(self, filter: Filter, *, told: _Told | None = None) -> Done:
        """Run all again that a filter means."""
        return await self._matching(filter, open_to("retry"), self.retry, told)

    async def reprioritise_matching(self, filter: Filter, priority: int, *, told: _Told | None = None) -> Done:
        """Give all that a filter means another priority."""
        return await self._matching(filter, open_to("reprioritise"), lambda ids: self.reprioritise(ids, priority), told)

    async def run_now_matching(self, filter: Filter, *, told: _Told | None = None) -> Done:
        """Let all run now that a filter means and that are scheduled."""
        return await self._matching(filter, open_to("run_now"), self.run_now, told)

    async def _statement(self, name: str, ids: Sequence[bytes], *more: Any) -> Done:
        changed: list[bytes] = []
        for start in range(0, len(ids), _CHUNK):
            records = await self.database.fetch(name, list(ids[start : start + _CHUNK]), *more)
            changed += [record["id"] for record in records]
        return _done(changed)

    async def _matching(self, filter: Filter, statuses: Sequence[Status], act: _Do, told: _Told | None) -> Done:
        """From the newest to the oldest, so that nothing is met twice and nothing new is taken."""
        wanted = filter.only(*statuses)
        changed, place = 0, None
        if wanted is None:
            return Done(0)
        while True:
            found = await self._listing.scan(wanted, after=place, most=_AT_ONCE)
            if found.ids:
                changed += (await act(found.ids)).changed
                if told is not None:
                    told(changed)
            if found.next is None:
                return Done(changed)
            place = found.next


def _done(ids: Sequence[bytes]) -> Done:
    return Done(len(ids), tuple(ids))
