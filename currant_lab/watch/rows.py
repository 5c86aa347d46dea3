"""What lists are made of, as values."""

from __future__ import annotations

import msgspec

from currant_lab.database.inspect import ExecutionInfo
from currant_lab.status import Status
from currant_lab.watch.criteria import Filter, Pattern

__all__ = ["BatchView", "Count", "ExecutionInfo", "FailureGroup", "Found", "Page", "Place"]


class Place(msgspec.Struct, frozen=True):
    """Where a list goes on: after an id, in some orders after a rank and id, or after so many rows."""

    id: bytes = b""
    rank: int = 0


class Found(msgspec.Struct, frozen=True):
    """What one look found: ids in order, how many matched and were looked at, and where to go on, if there is more."""

    ids: tuple[bytes, ...]
    matching: int
    scanned: int
    next: Place | None


class Page(msgspec.Struct, frozen=True):
    """Executions in order. `next` is None at the end. With `partial` the page is not full, though there is more to
    look through: `scanned` were, and asking for the page after `next` goes on."""

    rows: tuple[ExecutionInfo, ...]
    next: Place | None
    scanned: int
    partial: bool


class Count(msgspec.Struct, frozen=True):
    """How many match; at least so many with `exact` false."""

    number: int
    exact: bool


class FailureGroup(msgspec.Struct, frozen=True):
    """Failures of one job by one type of exception, with the latest as a sample. With `exact` false only the latest
    failures were counted. Times in seconds since 1970, by the database's clock."""

    job: str
    type: str
    count: int
    exact: bool
    first_at: float
    last_at: float
    sample: bytes
    message: str
    traceback: str

    def filter(self) -> Filter:
        """The filter that means exactly these."""
        errors = (Pattern(self.type),) if self.type else ()
        return Filter(statuses=(Status.FAILED,), jobs=(Pattern(self.job),), errors=errors)


class BatchView(msgspec.Struct, frozen=True):
    """A batch and how far it is. With `exact` false more wait than were counted, and how many succeeded isn't known:
    `counts` and `done_share` (0 to 1) are then at least this. `eta_s` is None while nothing tells."""

    id: int
    name: str | None
    job: str
    size: int
    counts: dict[str, int]
    exact: bool
    done_share: float
    eta_s: float | None
    created_at: float
