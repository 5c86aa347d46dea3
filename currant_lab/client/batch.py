"""`Batch`: what a person holds of a whole map."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from currant_lab.client.chaining import check_here
from currant_lab.client.completing import Completed
from currant_lab.client.drawing import latency_of, read_spans, timeline_of
from currant_lab.client.ending import check_wait, error_of, tell_stopped, value_of
from currant_lab.client.frame import frame_of
from currant_lab.client.futures import call, watch
from currant_lab.client.handles import Execution, Known
from currant_lab.client.waiting import UNKNOWN, Watch
from currant_lab.context import durable
from currant_lab.database import inspect
from currant_lab.database.inspect import Ended
from currant_lab.errors import CurrantError, InvalidArguments
from currant_lab.kernel_loop import hold
from currant_lab.parts import BATCH
from currant_lab.status import Status

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.database.submit import Placement
    from currant_lab.pictures.base import Picture
    from currant_lab.pictures.spans import Span

__all__ = ["Batch"]

_PAGE = 2_000
_RESULT_PAGE = 200
_KEPT_BYTES = 64 * 1024 * 1024
"""Encoded results that a batch keeps at most; what is beyond is read again when it is asked for."""

OnError = Literal["raise", "return"]


class Batch(Sequence[Execution]):
    """The executions of one map, in the order of its inputs.

    Holds 16 bytes an execution, and makes the handles when they are asked for; how executions ended is remembered
    once it is known. `b[3]`, `b[10:20]` (a batch of those), `for e in b` and `len(b)` work as with a list.

    Attributes:
        name: what it was called in `map(..., batch=name)`, or None.
    """

    __slots__ = ("_client", "_ended", "_ids", "_kept", "_number", "_place", "name")

    def __init__(
        self, client: Client, place: Placement | Known, ids: bytes, *, name: str | None, number: int | None
    ) -> None:
        self.name = name
        self._client = client
        self._place = place
        self._ids = ids
        self._number = number  # of the row in `batches`, if these are all of its executions
        self._ended: dict[bytes, Ended] = {}
        self._kept = 0

    def __currant_part__(self) -> tuple[str, bytes]:
        """What stands for it in arguments: see `currant_lab.ties`."""
        check_here(self._client)
        return BATCH, (self._number or 0).to_bytes(8, "big") + self._ids

    @property
    def job(self) -> str:
        """The full name of its job."""
        return self._place.job

    def __len__(self) -> int:
        return len(self._ids) // 16

    @overload
    def __getitem__(self, index: int) -> Execution: ...
    @overload
    def __getitem__(self, index: slice) -> Batch: ...
    def __getitem__(self, index: int | slice) -> Execution | Batch:
        if isinstance(index, slice):
            chosen = b"".join(self._id(i) for i in range(*index.indices(len(self))))
            part = Batch(self._client, self._place, chosen, name=self.name, number=None)
            part._ended = self._ended
            return part
        return self._handle(self._id(range(len(self))[index]))

    def __iter__(self) -> Iterator[Execution]:
        return map(self._handle, self._each_id())

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self.aresults().__await__()

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name is not None else ""
        return f"<Batch{name} of {len(self):,} executions of {self.job}>"

    def counts(self) -> dict[str, int]:
        """How many there are by status, in the order of an execution's life; no zeros."""
        return self._owner.run(self._counts())

    def results(self, timeout: float | None = None, on_error: OnError = "raise") -> list[Any]:
        """Wait for all, and return what the handlers returned, in the order of the inputs.

        Args:
            timeout: seconds to wait at most.
            on_error: "raise" the first failure as soon as one is known, or "return" exceptions in their places.

        Raises:
            ExecutionFailed, ExecutionCancelled: of the first in the order of the inputs that is known to have ended so.
            TimeoutError: not all have ended. They go on.
            CurrantError: called on the pool's own loop: `await` the batch there.
        """
        self._check(on_error)
        check_wait("`await` the batch")
        missing = self._missing()
        try:
            with self._owner.waits.watching(missing) as watching:
                while not self._is_over(watching, on_error):
                    hold(watching.signal(), timeout)
        except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
            self._tell_stopped(interrupt)
            raise
        except TimeoutError:
            raise TimeoutError(self._late(watching)) from None
        return self._values(self._owner.run(self._payloads()), on_error)

    async def aresults(self, on_error: OnError = "raise") -> list[Any]:
        """`results` from async code; `await batch` is the same. In a workflow it is a step."""
        self._check(on_error)
        run = durable()
        return await (self._results(on_error) if run is None else run.await_batch(self, on_error))

    async def _results(self, on_error: OnError) -> list[Any]:
        missing = self._missing()
        with self._owner.waits.watching(missing) as watching:
            try:
                while not self._is_over(watching, on_error):
                    await watch(watching.signal())
            except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
                self._tell_stopped(interrupt)
                raise
        return self._values(await call(self._payloads()), on_error)

    def as_completed(self, timeout: float | None = None) -> Completed:
        """The executions as they end, the ended ones first: `for e in ...` or `async for e in ...`.

        Args:
            timeout: seconds for all of them; then the loop raises TimeoutError.
        """
        return Completed(self, timeout)

    def to_frame(self, backend: Literal["pandas", "polars"] = "pandas") -> Any:
        """One row per execution as it stands now, in the order of the inputs.

        Columns: `id status attempt created_at started_at finished_at wait_s run_s error`, then the results: where
        they are dicts a column for each of their keys (those that collide with a name above get `result_` in
        front), else one column `result`.

        Raises:
            CurrantError: the library is not installed, or this was called on the pool's own loop.
        """
        infos, payloads = self._owner.run(self._rows())
        ids = list(self._each_id())
        values = [value_of(self.job, payloads[own]) if own in payloads else None for own in ids]
        return frame_of([infos.get(own) for own in ids], ids, values, backend)

    def timeline(self) -> Picture:
        """A picture of which worker ran what, when: a bar for each attempt, in lanes per pool.

        The database doesn't keep which slot of a pool ran what: a lane holds executions that never ran at once.

        Raises:
            CurrantError: Matplotlib is not installed.
        """
        return timeline_of(self.name or self.job, self._owner.run(self._spans()))

    def latency(self) -> Picture:
        """A picture of how long executions waited, from due to started, and how long they ran.

        Raises:
            CurrantError: Matplotlib is not installed.
        """
        return latency_of(self.name or self.job, self._owner.run(self._spans()))

    def cancel(self) -> int:
        """Cancel all that has not ended; returns how many that was."""
        return self._owner.run(self._cancel())

    def retry_failed(self) -> int:
        """Run those that failed again, from their first attempt; returns how many that was."""
        return self._owner.run(self._retry_failed())

    async def acounts(self) -> dict[str, int]:
        """`counts` from async code."""
        return await call(self._counts())

    async def acancel(self) -> int:
        """`cancel` from async code."""
        return await call(self._cancel())

    async def aretry_failed(self) -> int:
        """`retry_failed` from async code."""
        return await call(self._retry_failed())

    @property
    def _owner(self) -> Client:
        return self._client.of_this_process()

    def _id(self, index: int) -> bytes:
        return self._ids[index * 16 : index * 16 + 16]

    def _each_id(self) -> Iterator[bytes]:
        ids = self._ids
        return (ids[start : start + 16] for start in range(0, len(ids), 16))

    def _handle(self, own: bytes) -> Execution:
        return Execution(self._client, own, self._place, self._ended.get(own))

    def _missing(self) -> list[bytes]:
        """The ids of those that are not known to have ended."""
        ended = self._ended
        return [own for own in self._each_id() if own not in ended]

    def _tell_stopped(self, interrupt: BaseException) -> None:
        tell_stopped(interrupt, "the batch goes on", "batch.cancel()")

    def _late(self, watching: Watch) -> str:
        return f"{watching.remaining:,} of {len(self):,} executions have not ended yet; they go on"

    @staticmethod
    def _check(on_error: str) -> None:
        if on_error not in ("raise", "return"):
            raise InvalidArguments(f'on_error is "raise" or "return", not {on_error!r}')

    def _is_over(self, watching: Watch, on_error: OnError) -> bool:
        """Remember what has ended; whether the wait is over."""
        self._remember(watching.take())
        if on_error == "raise":
            for own in self._each_id() if watching.has_failures else ():
                ended = self._ended.get(own)
                if ended is not None and (error := error_of(ended, self.job)) is not None:
                    raise error
        return watching.remaining == 0

    def _remember(self, news: Sequence[Ended]) -> None:
        for one in news:
            size = len(one.result) if one.result is not None else 0
            if size and self._kept + size > _KEPT_BYTES:
                one, size = Ended(one.id, one.status, one.attempt, one.error), 0
            self._kept += size
            self._ended[one.id] = one

    def _values(self, payloads: dict[bytes, bytes], on_error: OnError) -> list[Any]:
        values: list[Any] = []
        for own in self._each_id():
            error = error_of(self._ended[own], self.job)
            try:
                values.append(error or value_of(self.job, self._ended[own].result or payloads[own]))
            except (CurrantError, KeyError) as unreadable:
                error = unreadable if isinstance(unreadable, CurrantError) else error_of(Ended(own, UNKNOWN, 0), "")
                values.append(error)
            if error is not None and on_error == "raise":
                raise error
        return values

    async def _payloads(self) -> dict[bytes, bytes]:
        """The results that are not remembered, of those that have succeeded."""
        lacking = [
            own
            for own in self._each_id()
            if (ended := self._ended.get(own)) is not None and ended.status == "succeeded" and ended.result is None
        ]
        found: dict[bytes, bytes] = {}
        for start in range(0, len(lacking), _RESULT_PAGE):
            found |= await inspect.results(self._owner.database, lacking[start : start + _RESULT_PAGE])
        return found

    async def _rows(self) -> tuple[dict[bytes, inspect.ExecutionInfo], dict[bytes, bytes]]:
        infos: dict[bytes, inspect.ExecutionInfo] = {}
        payloads: dict[bytes, bytes] = {}
        ids = list(self._each_id())
        for start in range(0, len(ids), _PAGE):
            infos |= await inspect.read(self._owner.database, ids[start : start + _PAGE])
        done = [own for own in ids if own in infos and infos[own].status == "succeeded"]
        for start in range(0, len(done), _RESULT_PAGE):
            payloads |= await inspect.results(self._owner.database, done[start : start + _RESULT_PAGE])
        return infos, payloads

    async def _spans(self) -> list[Span]:
        return await read_spans(self._owner.database, list(self._each_id()))

    async def _counts(self) -> dict[str, int]:
        database = self._owner.database
        if self._number is not None:
            return await inspect.batch_counts(database, self._number)
        total: dict[str, int] = {}
        ids = list(self._each_id())
        for start in range(0, len(ids), _PAGE):
            for status, count in (await inspect.counts(database, ids[start : start + _PAGE])).items():
                total[status] = total.get(status, 0) + count
        return {status: total[status] for status in Status if status in total}

    async def _cancel(self) -> int:
        done = await self._owner.cancel_many(self._missing())
        return len(done.ended) + len(done.asked)

    async def _retry_failed(self) -> int:
        ids = [own for own in self._each_id() if own not in self._ended or self._ended[own].status == "failed"]
        again = await self._owner.retry_many(ids, ["failed"])
        for own in again:
            self._ended.pop(own, None)
        return len(again)
