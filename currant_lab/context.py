"""Inside a handler: which execution is running, and how it tells of its progress."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Sequence, Sized
from contextvars import ContextVar
from typing import Any, ParamSpec, Protocol, TypeVar

import msgspec

from currant_lab.errors import CurrantError

__all__ = [
    "Durable",
    "PutAway",
    "Running",
    "durable",
    "durable_variable",
    "in_order",
    "progress",
    "running",
    "running_variable",
    "track",
]

P = ParamSpec("P")
T = TypeVar("T")


class PutAway(asyncio.CancelledError):
    """Raised in a workflow's function when it is put away: it will be called again, and its steps
    answer from the record.

    Args:
        open_steps: the numbers of the steps that it waits for.
    """

    def __init__(self, open_steps: Sequence[int] = ()) -> None:
        super().__init__("put away")
        self.open_steps = list(open_steps)


class Durable(Protocol):
    """A run of a workflow, as what is called in it sees it."""

    async def run_job(self, job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    async def map_job(self, job: Any, iterables: tuple[Iterable[Any], ...], on_error: Any) -> list[Any]: ...
    async def submit_job(self, job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    async def submit_map(self, job: Any, iterables: tuple[Iterable[Any], ...]) -> Any: ...
    async def await_handle(self, handle: Any) -> Any: ...
    async def await_batch(self, batch: Any, on_error: Any) -> list[Any]: ...
    async def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    async def event(self, name: str, timeout: float | None, default: Any, type: Any) -> Any: ...
    async def sleep(self, seconds: float) -> None: ...
    def note(self, kind: str, name: str, make: Callable[[], Any]) -> Any: ...
    def patched(self, name: str) -> bool: ...
    def next_place(self) -> int: ...


class InOrder(Coroutine[Any, Any, T]):
    """A coroutine whose place in a set follows from when it was made, and not from where in memory it is.

    `asyncio.as_completed` begins what it is given in the order of a set: in a run that is called again it has to be the
    same order.
    """

    __slots__ = ("_coroutine", "_place")

    def __init__(self, coroutine: Coroutine[Any, Any, T], place: int) -> None:
        self._coroutine = coroutine
        self._place = place

    def __hash__(self) -> int:
        return self._place

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    def send(self, value: Any, /) -> Any:
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()


def in_order(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorates what is a step when a workflow calls it: see `InOrder`."""

    @functools.wraps(function)
    def make(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        coroutine, run = function(*args, **kwargs), durable()
        return coroutine if run is None else InOrder(coroutine, run.next_place())

    return make


class Running(msgspec.Struct, eq=False):
    """An execution while its handler runs. The pool reads what the handler writes here."""

    id: bytes
    job: str
    queue: str
    attempt: int
    token: int
    batch: int | None = None
    progress: float | None = None
    progress_note: str | None = None
    reported: bool = True  # whether the pool has passed the progress on
    ending: str | None = None  # why the pool ends the handler, once it does
    rests: Callable[[bool], None] | None = None  # tells the pool that a workflow's function only waits, or goes on
    leave: Callable[[], None] | None = None  # puts a workflow's function away


running_variable: ContextVar[Running | None] = ContextVar("currant_running", default=None)


durable_variable: ContextVar[Durable | None] = ContextVar("currant_durable", default=None)


def durable() -> Durable | None:
    """The run of a workflow whose function calls this, or None outside of one."""
    return durable_variable.get()


def running() -> Running | None:
    """The execution whose handler calls this, or None outside of one."""
    return running_variable.get()


def progress(share: float, note: str | None = None) -> None:
    """Tell how far the running execution is.

    Args:
        share: the part that is done, 0 to 1; values outside are clipped.
        note: a few words, as "page 4 of 10"; 200 characters are kept.

    Raises:
        CurrantError: called outside of a handler.
    """
    here = running_variable.get()
    if here is None:
        raise CurrantError("progress() tells of a running execution: call it inside a job's function")
    here.progress = min(max(float(share), 0.0), 1.0)
    here.progress_note = None if note is None else str(note)[:200]
    here.reported = False


def track(items: Iterable[T], total: int | None = None, note: str | None = None) -> Iterator[T]:
    """Loop over `items` and report progress on the way, inside a handler.

    Args:
        items: what to loop over.
        total: how many there are, where `len(items)` doesn't say.
        note: words shown before the count.
    """
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    prefix = f"{note} " if note else ""
    for done, item in enumerate(items):
        progress(done / total if total else 0.0, f"{prefix}{done} of {total}" if total else f"{prefix}{done}")
        yield item
    progress(1.0, f"{prefix}{total} of {total}" if total else note)
