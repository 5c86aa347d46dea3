"""`Client`: one process's way to one database, on the background loop."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from currant_lab.client import current
from currant_lab.client.batch import Batch
from currant_lab.client.ending import use_await
from currant_lab.client.futures import call
from currant_lab.client.handles import Execution, Known
from currant_lab.client.reading import Reader
from currant_lab.client.submitter import Here, Submitter
from currant_lab.client.waiting import Waits
from currant_lab.context import Running
from currant_lab.database import control, inspect
from currant_lab.database.inspect import Ended, ExecutionInfo
from currant_lab.database.submit import NewExecution, Placement, insert_with
from currant_lab.errors import CurrantError, InvalidArguments, UnknownExecution
from currant_lab.ids import new_id, parse_id
from currant_lab.loop import background
from currant_lab.outcomes import Outcome
from currant_lab.pool.echo import echoes
from currant_lab.settings import Settings
from currant_lab.values import DEFAULT_LIMIT

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["Client"]

T = TypeVar("T")

_log = logging.getLogger("currant")


class Client:
    """Submits, waits, looks and controls. Its public methods block and work from any thread but the background
    loop's; those that begin with `a`, and the coroutines that `call` and `run` take, are for loops.

    Args:
        database: opened on the background loop.
        payload_limit: bytes that the arguments or the result of one execution may have.
        patience: seconds for which submits are tried again while the connection is lost.

    Attributes:
        on_submitted: called on the background loop after a commit of executions that are due at once.
    """

    def __init__(self, database: Database, *, payload_limit: int = DEFAULT_LIMIT, patience: float = 5.0) -> None:
        self.database = database
        self.payload_limit = payload_limit
        self.patience = patience
        self.on_submitted: Callable[[], None] | None = None
        self.waits = Waits(database)
        self.is_closed = False
        self._pid = os.getpid()
        self._reader = Reader(database)
        self._submitter = Submitter(database, patience, self.submitted)
        # Handles of single submits, while a local pool will tell of their end: theirs costs no query then.
        self._live: WeakValueDictionary[bytes, Execution] = WeakValueDictionary()

    @classmethod
    def open(cls, settings: Settings, *, patience: float = 5.0) -> Client:
        """Connect to the database that the settings name; without one, start the embedded server.

        Raises:
            DatabaseUnavailable, SchemaOutdated, SchemaTooNew: see `Database.open`.
        """
        from currant_lab.database.connect import Database
        from currant_lab.database.resolve import resolve

        target, migrate = resolve(settings)
        database = background.run(Database.open(target, settings.schema, migrate=migrate))
        return cls(database, payload_limit=settings.payload_limit, patience=patience)

    @property
    def has_local_pool(self) -> bool:
        """Whether a pool in this process tells `settled` of what it has done."""
        return self.waits.has_local_pool

    @has_local_pool.setter
    def has_local_pool(self, value: bool) -> None:
        self.waits.has_local_pool = value

    @property
    def here(self) -> Here | None:
        """The pool of this process, which starts at once what is submitted while it is idle."""
        return self._submitter.here

    @here.setter
    def here(self, value: Here | None) -> None:
        self._submitter.here = value

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` on the background loop, and wait for it.

        Raises:
            CurrantError: called on that loop, or after `close`.
        """
        if self.is_closed:
            work.close()
            raise CurrantError("this client is closed: currant.start() opens another")
        return background.run(work)

    def close(self) -> None:
        """Wait for the submits that are on their way, end all waits, disconnect. Harmless when called again."""
        if not self.is_closed:
            background.run(self.aclose())

    async def aclose(self) -> None:
        """`close`, on the background loop."""
        if not self.is_closed:
            self.is_closed = True
            await self._submitter.close()
            await self.waits.close()
            await self.database.close()

    def of_this_process(self) -> Client:
        """The client to use: itself, or in a forked child that child's own: connections can't be shared."""
        return self if self._pid == os.getpid() else current.get()

    # What the pool tells, on the background loop.

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """Pass on outcomes that are on disk. Without anybody who waits this is two looks at empty dicts."""
        self.waits.settled(outcomes)
        if self._live:
            for outcome in outcomes:
                handle = self._live.get(outcome.id)
                if handle is not None and outcome.status != "retry":
                    self._live.pop(outcome.id, None)
                    handle._ended = Ended(outcome.id, outcome.status, outcome.attempt, outcome.error, outcome.result)

    def submitted(self, wakes: Sequence[str]) -> None:
        """A commit has sent these wake-ups."""
        if self.on_submitted is not None and any(wake.startswith("+") for wake in wakes):
            self.on_submitted()

    # Submitting: what `Job` uses.

    def submit(self, placement: Placement, args: bytes) -> Execution:
        """Write one execution and wait until it is on disk.

        Raises:
            DatabaseUnavailable: it could not be written.
            CurrantError: called on the pool's own loop: use `asubmit` there.
        """
        if background.is_current:
            raise use_await("use `await job.asubmit(...)`")
        handle, row = self._new(placement, args)
        self._submitter.submit(row)
        return handle

    async def asubmit(self, placement: Placement, args: bytes) -> Execution:
        """`submit` from any loop. Many at once share statements."""
        ticket: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        handle, row = self._new(placement, args)
        self._submitter.add(row, ticket)
        await ticket
        return handle

    async def submit_with(self, connection: Any, placement: Placement, args: bytes) -> Execution:
        """Write one execution in the transaction of an asyncpg connection, on that connection's loop."""
        row = NewExecution.make(new_id(), placement, args)
        await insert_with(connection, self.database.schema, row)
        return Execution(self, row.id, placement)

    def _new(self, placement: Placement, args: bytes) -> tuple[Execution, NewExecution]:
        if self.is_closed:
            raise CurrantError("this client is closed: currant.start() opens another")
        row = NewExecution.make(new_id(), placement, args)
        echoes.note([row.id])
        handle = Execution(self, row.id, placement)
        self.follow(handle)
        return handle, row

    def follow(self, handle: Execution) -> None:
        """What a local pool tells of its end goes to this handle: a wait for it costs no query then."""
        if self.has_local_pool:
            self._live[handle._id] = handle

    # Looking.

    def get(self, id: str | UUID | bytes) -> Execution:
        """The execution of that id.

        Raises:
            UnknownExecution: there is none.
            InvalidArguments: this is no id.
        """
        return Execution.of_row(self, self.run(self.load(_id(id))))

    async def aget(self, id: str | UUID | bytes) -> Execution:
        """`get` from async code."""
        return Execution.of_row(self, await call(self.load(_id(id))))

    def of_running(self, running: Running) -> Execution:
        """The handle of the execution whose handler is running."""
        return Execution(self, running.id, Known(running.job, running.queue))

    def executions(
        self,
        status: str | None = None,
        job: str | None = None,
        queue: str | None = None,
        limit: int = 100,
        before: Execution | None = None,
    ) -> list[Execution]:
        """Executions, newest first: see `inspect.list_executions`. `before` is the last of the page before."""
        last = None if before is None else before._id
        found = self.run(
            inspect.list_executions(self.database, status=status, job=job, queue=queue, limit=limit, before=last)
        )
        return [Execution.of_row(self, info, is_whole=False) for info in found]

    def batch(self, name: str) -> Batch:
        """The batch of that name, with all its executions.

        Raises:
            UnknownExecution: there is none.
        """
        return self.run(self.find_batch(name))

    async def find_batch(self, name: str) -> Batch:
        """`batch`, on the background loop."""
        info = await inspect.find_batch(self.database, name)
        ids = await inspect.batch_ids(self.database, info.id)
        return Batch(self, Known(info.job), b"".join(ids), name=name, number=info.id)

    def queues(self) -> list[inspect.QueueCount]:
        """What stands in each queue: see `inspect.queues`."""
        return self.run(inspect.queues(self.database))

    def finished(self) -> inspect.Finished:
        """How much history there is: see `inspect.finished`."""
        return self.run(inspect.finished(self.database))

    async def load(self, id: bytes) -> ExecutionInfo:
        """The row of one execution, on the background loop."""
        return await self._reader.load(id)

    async def load_result(self, id: bytes) -> bytes:
        """The encoded result of an execution that succeeded, on the background loop.

        Raises:
            UnknownExecution: it was pruned meanwhile.
        """
        found = await inspect.results(self.database, [id])
        if id not in found:
            raise UnknownExecution(f"there is no result of {UUID(bytes=id)} in the database (any more)")
        return found[id]

    # Controlling.

    def cancel(self, ids: Sequence[str | UUID | bytes]) -> control.Cancelled:
        """Cancel executions: see `control.cancel`."""
        return self.run(self.cancel_many([_id(one) for one in ids]))

    def retry(self, ids: Sequence[str | UUID | bytes]) -> tuple[bytes, ...]:
        """Run failed and cancelled executions again; returns the ids of those it was done for."""
        return self.run(self.retry_many([_id(one) for one in ids]))

    def pause(self, queue: str) -> None:
        """Let nothing be claimed from a queue any more, by any pool."""
        self.run(control.pause(self.database, queue))

    def resume(self, queue: str) -> bool:
        """Let a paused queue go on; returns whether it was paused."""
        return self.run(control.resume(self.database, queue))

    def prune(self, older_than: timedelta) -> control.Pruned:
        """Remove what finished longer ago than `older_than`: see `control.prune`."""
        return self.run(control.prune(self.database, older_than))

    async def cancel_many(self, ids: Sequence[bytes]) -> control.Cancelled:
        """Cancel, and tell those who wait in this process; on the background loop."""
        done = await control.cancel(self.database, ids)
        self.waits.deliver(Ended(own, "cancelled", 0) for own in done.ended)
        return done

    async def retry_many(
        self, ids: Sequence[bytes], statuses: Sequence[str] = ("failed", "cancelled")
    ) -> tuple[bytes, ...]:
        """Run again, and wake the local pool; on the background loop."""
        again = await control.retry(self.database, ids, statuses)
        if again:
            self.submitted(["+"])
        return again

    async def cancel_one(self, handle: Execution) -> bool:
        """Cancel one execution, on the background loop."""
        done = await self.cancel_many([handle._id])
        if not done.ended and not done.asked:
            await self.load(handle._id)  # raises for one that doesn't exist
            return False
        handle._forget()
        return True

    async def retry_one(self, handle: Execution) -> None:
        """Run one execution again, on the background loop."""
        if not await self.retry_many([handle._id]):
            info = await self.load(handle._id)
            raise CurrantError(
                f"execution {handle.id} is {info.status}: only what has failed or was cancelled is run again"
            )
        handle._forget()
        self.follow(handle)


def _id(value: str | UUID | bytes) -> bytes:
    try:
        return parse_id(value)
    except ValueError as error:
        raise InvalidArguments(str(error)) from None
