"""`Execution`: what a person holds of one durable run."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from currant_lab.client.chaining import check_here
from currant_lab.client.ending import check_wait, ended_of, error_of, tell_stopped, use_await, value_of
from currant_lab.client.futures import call, watch
from currant_lab.client.graphing import timeline_of_run
from currant_lab.client.recorded import fork, rerun, send_signal, signal, value_of_step
from currant_lab.client.waiting import UNKNOWN
from currant_lab.context import Running, durable, running
from currant_lab.database.inspect import RESULT_INLINE, Ended, ExecutionInfo
from currant_lab.database.record import StepInfo, list_steps
from currant_lab.jobs import version_of_cell
from currant_lab.kernel_loop import hold
from currant_lab.loop import background
from currant_lab.outcomes import ErrorInfo
from currant_lab.parts import EXECUTION
from currant_lab.status import FINAL, Status

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.database.submit import Placement
    from currant_lab.pictures.base import Picture

__all__ = ["Execution", "Known"]


class Known(NamedTuple):
    """What is known of an execution that this process has not just submitted; None stands for what is not."""

    job: str
    queue: str | None = None
    priority: int | None = None


class Execution:
    """One durable run of a job. Two handles of the same execution are equal.

    Waiting works from anywhere: `e.result()` in a cell, a script or a thread, `await e` on any loop. Attributes
    are read from the database when they are asked for, every time until the execution has ended and never after.
    On the pool's own loop they say what `await e.arefresh()` has read last.
    """

    __slots__ = ("__weakref__", "_client", "_ended", "_id", "_info", "_is_whole", "_place")

    def __init__(
        self, client: Client, id: bytes, place: Placement | Known | None = None, ended: Ended | None = None
    ) -> None:
        self._client = client
        self._id = id
        self._place = place
        self._ended = ended
        self._info: ExecutionInfo | None = None
        self._is_whole = True

    @classmethod
    def of_row(cls, client: Client, info: ExecutionInfo, *, is_whole: bool = True) -> Execution:
        """The handle of a row that has just been read. Rows of lists are not whole: they lack the log."""
        handle = cls(client, info.id)
        handle._take(info, is_whole=is_whole)
        return handle

    def __currant_part__(self) -> tuple[str, bytes]:
        """What stands for it in arguments: see `currant_lab.ties`."""
        check_here(self._client)
        return EXECUTION, self._id

    @property
    def id(self) -> UUID:
        """The execution's id, a UUIDv7."""
        return UUID(bytes=self._id)

    @property
    def job(self) -> str:
        """The full name of its job."""
        return self._place.job if self._place is not None else (self._info or self._read()).job

    @property
    def queue(self) -> str:
        """Where it waits, or waited."""
        place = self._place
        return place.queue if place is not None and place.queue is not None else (self._info or self._read()).queue

    @property
    def priority(self) -> int:
        """Higher ones go first."""
        known = None if self._place is None else self._place.priority
        return known if known is not None else (self._info or self._read()).priority

    @property
    def status(self) -> Status:
        """Where it stands now."""
        if self._runs_here() is not None:
            return Status.RUNNING
        return Status(self._ended.status) if self._ended is not None and self._has_ended() else self._read().status

    @property
    def attempt(self) -> int:
        """How many times it has been started."""
        here = self._runs_here()
        if here is not None:
            return here.attempt
        return self._ended.attempt if self._ended is not None and self._has_ended() else self._read().attempt

    def _runs_here(self) -> Running | None:
        """What its own handler knows of it without asking the database, when that is who asks."""
        here = running()
        return here if here is not None and here.id == self._id else None

    @property
    def created_at(self) -> datetime:
        """When it was submitted, by the database's clock."""
        return (self._info or self._read()).created_at

    @property
    def started_at(self) -> datetime | None:
        """When its present or last attempt started; None before the first."""
        return self._read().started_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended; None before that."""
        return self._read().finished_at

    @property
    def error(self) -> ErrorInfo | None:
        """What its last attempt failed with (`.type .message .traceback`), once it has ended."""
        return self._ended.error if self._ended is not None and self._has_ended() else self._read().error

    @property
    def logs(self) -> str:
        """What the handler printed in its last attempt, the newest part of it."""
        if not self._is_whole:
            self._info = None
        return self._read().logs or ""

    @property
    def progress(self) -> float | None:
        """How far it is, 0 to 1, as its handler told; None if it told nothing."""
        return self._read().progress

    @property
    def progress_note(self) -> str | None:
        """The words that came with the progress."""
        return self._read().progress_note

    @property
    def version(self) -> str | None:
        """Which version of the job's source it ran (a hash), once it has ended; of a `%%currant` cell at once."""
        return self._read().source or version_of_cell(self.job)

    @property
    def source(self) -> str | None:
        """The text of the version it ran, once it has ended; of a `%%currant` cell at once."""
        version = self.version
        if version is None:
            return None
        found: str | None = self._owner.run(self._owner.database.fetchval("source_find", version))
        return found

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end, and return what the handler returned.

        Args:
            timeout: seconds to wait at most.

        Raises:
            ExecutionFailed: the handler failed, for good; `ExecutionTimeout` when it ran too long.
            ExecutionCancelled: it was cancelled.
            TimeoutError: it has not ended yet. It goes on.
            UnknownExecution: it is not in the database any more.
            CurrantError: called on the pool's own loop: `await` it there.
        """
        self.wait(timeout)
        payload = self._payload()
        if payload is None:
            payload = self._keep(self._owner.run(self._owner.load_result(self._id)))
        return value_of(self.job, payload)

    def wait(self, timeout: float | None = None) -> Execution:
        """Wait until it has ended, however it did, and return this handle.

        Raises:
            TimeoutError: not after `timeout` seconds. It goes on.
            CurrantError: called on the pool's own loop: `await` it there.
        """
        if self._has_ended():
            return self
        check_wait("`await` the execution")
        try:
            with self._owner.waits.watching([self._id]) as watching:
                hold(watching.signal(), timeout)
        except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
            tell_stopped(interrupt, f"execution {self.id} goes on", f'currant.get("{self.id}").cancel()')
            raise
        except TimeoutError:
            if timeout is None:
                raise
            raise TimeoutError(f"execution {self.id} has not ended after {timeout:g} s; it goes on") from None
        self._ended = watching.take()[-1]
        return self

    def __await__(self) -> Generator[Any, None, Any]:
        run = durable()
        return (self._await() if run is None else run.await_handle(self)).__await__()

    def cancel(self) -> bool:
        """Cancel it: at once while it waits; while it runs its pool is asked to end its handler.

        Returns whether there was something to cancel: False means that it had ended before.
        """
        return self._owner.run(self._owner.cancel_one(self))

    def retry(self) -> None:
        """Run it again, from its first attempt, after it has failed or was cancelled.

        Raises:
            CurrantError: it is in another status.
        """
        self._owner.run(self._owner.retry_one(self))

    @property
    def steps(self) -> list[StepInfo]:
        """The steps of a workflow's run as they stand now, in the order of their begin; of anything else, none."""
        return self._owner.run(list_steps(self._owner.database, self._id))

    def timeline(self) -> Picture:
        """A picture of when the steps of a workflow's run were begun, ran and ended; of a plain job, its attempts.

        Raises:
            CurrantError: Matplotlib is not installed.
            UnknownExecution: it is not in the database any more.
        """
        return timeline_of_run(self)

    def __getitem__(self, step: str | int) -> Any:
        """What a step of a workflow's run answered, by its number or its name: of a name, the last one.

        Raises:
            UnknownExecution: there is no such step.
            CurrantError: it has not ended. What it ended with otherwise is raised too.
        """
        return self._owner.run(value_of_step(self, step))

    def signal(self, name: str, value: Any = True) -> None:
        """Send a signal to a workflow's run: what its `currant.event(name)` returns, now or later.

        Raises:
            NotStorable: the value is not data.
            CurrantError: the run has ended, or has had a signal of that name: the first one counts.
            UnknownExecution: there is no such execution.
        """
        self._owner.run(signal(self, name, value))

    async def asignal(self, name: str, value: Any = True) -> None:
        """`signal` from async code. In a workflow it is a step: sent once."""
        run = durable()
        await (send_signal(self, name, value) if run is None else run.call(send_signal, (self, name, value), {}))

    def fork(self, step: str | int) -> Execution:
        """Begin another run of this workflow, with the same arguments, that goes on from a step: what came before is
        answered from this run's record. This one stays as it is.

        Args:
            step: the number of the first step to be done anew, or its name: of a name, the first one.
        """
        return self._owner.run(fork(self, step))

    def rerun(self, from_step: str | int) -> Execution:
        """Let this run go on from a step, which is done anew with all that came after it; returns this handle.

        Args:
            from_step: its number, or its name: of a name, the first one.

        Raises:
            CurrantError: it runs at the moment: `cancel()` it first.
        """
        self._owner.run(rerun(self, from_step))
        self._forget()
        return self

    def refresh(self) -> Execution:
        """Read it from the database anew, and return this handle. For one that had ended too: somebody may have
        run it again."""
        self._take(self._owner.run(self._owner.load(self._id)))
        return self

    async def acancel(self) -> bool:
        """`cancel` from async code."""
        return await call(self._owner.cancel_one(self))

    async def aretry(self) -> None:
        """`retry` from async code."""
        await call(self._owner.retry_one(self))

    async def arefresh(self) -> Execution:
        """`refresh` from async code."""
        self._take(await call(self._owner.load(self._id)))
        return self

    def __eq__(self, other: object) -> bool:
        return self._id == other._id if isinstance(other, Execution) else NotImplemented

    def __hash__(self) -> int:
        return hash(int.from_bytes(self._id, "big"))  # the same in every process, unlike that of bytes: see `InOrder`

    def __repr__(self) -> str:
        status = self._ended.status if self._ended else self._info.status if self._info else None
        place = self._place or self._info
        of = f" of {place.job}" if place is not None else ""
        return f"<Execution {self.id}{of}{f', {status}' if status else ''}>"

    @property
    def _owner(self) -> Client:
        """The client to ask; in a forked child another than the one the handle was made with."""
        return self._client.of_this_process()

    def _is_pending(self) -> bool:
        """Whether nobody runs it now, though somebody should, as far as was read last."""
        return (self._info or self._read()).status in (Status.PENDING, Status.SCHEDULED)

    def _has_ended(self) -> bool:
        return self._ended is not None and self._ended.status != UNKNOWN

    def _payload(self) -> bytes | None:
        """The encoded result, if it came along; raises what the execution ended with."""
        assert self._ended is not None  # noqa: S101 - the wait is over
        error = error_of(self._ended, self.job if self._ended.status != UNKNOWN else "")
        if error is not None:
            raise error
        return self._ended.result

    def _keep(self, payload: bytes) -> bytes:
        """Remember an encoded result, unless it is large."""
        if self._ended is not None and len(payload) <= RESULT_INLINE:
            self._ended = replace(self._ended, result=payload)
        return payload

    async def _await(self) -> Any:
        if not self._has_ended():
            with self._owner.waits.watching([self._id]) as watching:
                try:
                    await watch(watching.signal())
                except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:  # a kernel's interrupt is either
                    tell_stopped(interrupt, f"execution {self.id} goes on", f'currant.get("{self.id}").cancel()')
                    raise
            self._ended = watching.take()[-1]
        if self._place is None and self._info is None and self._has_ended():
            await self.arefresh()  # for the name of its job
        payload = self._payload()
        if payload is None:
            payload = self._keep(await call(self._owner.load_result(self._id)))
        return value_of(self.job, payload)

    def _read(self) -> ExecutionInfo:
        """The row: the last one once it is final or where reading would block the loop, else a new one."""
        info = self._info
        if info is not None and (info.status in FINAL or background.is_current):
            return info
        if background.is_current:
            raise use_await("`await e.arefresh()` before you look at it")
        self._take(self._owner.run(self._owner.load(self._id)))
        assert self._info is not None  # noqa: S101 - just taken
        return self._info

    def _take(self, info: ExecutionInfo, *, is_whole: bool = True) -> None:
        self._info, self._is_whole = info, is_whole
        news = ended_of(info)
        if news is None or self._ended is None or self._ended.status != news.status:
            self._ended = news  # otherwise the one there may have the result with it

    def _forget(self) -> None:
        """What was known of its end doesn't hold any more."""
        self._ended = self._info = None
