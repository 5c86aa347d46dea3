"""Inside a handler: which execution is running, and how it tells of its progress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextvars import ContextVar
from typing import TypeVar

import msgspec

from currant_lab.errors import CurrantError

__all__ = ["Running", "progress", "running", "running_variable", "track"]

T = TypeVar("T")


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


running_variable: ContextVar[Running | None] = ContextVar("currant_running", default=None)


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
    """Loop over `items` and report progress on the way; a plain loop outside of a handler.

    Args:
        items: what to loop over.
        total: how many there are, where `len(items)` doesn't say.
        note: words shown before the count.
    """
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    tell = running_variable.get() is not None
    prefix = f"{note} " if note else ""
    for done, item in enumerate(items):
        if tell:
            progress(done / total if total else 0.0, f"{prefix}{done} of {total}" if total else f"{prefix}{done}")
        yield item
    if tell:
        progress(1.0, f"{prefix}{total} of {total}" if total else note)
