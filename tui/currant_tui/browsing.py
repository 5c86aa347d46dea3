"""Going through the executions that a filter means, a page at a time: no widgets here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, get_args

from currant_lab.status import Status
from currant_lab.watch.criteria import Filter
from currant_lab.watch.listing import MAX_ROWS, Listing, Sort

if TYPE_CHECKING:
    from currant_lab.watch.rows import Count, ExecutionInfo, Place

__all__ = ["Browser", "orders"]

_MOST_LOOKS = 20
"""Pages looked through, one after the other, until one is full: some 200,000 executions, two seconds."""
_DEEP = 20_000

_Told = Callable[[], None]


def orders(filter: Filter) -> tuple[Sort, ...]:
    """The orders that exist for a filter."""
    statuses = filter.statuses
    one_queue = len(filter.queues) == 1 and not filter.queues[0].is_glob
    fits = {
        "newest": True,
        "oldest": True,
        "longest": not statuses or Status.RUNNING in statuses,
        "soonest": not statuses or Status.SCHEDULED in statuses,
        "priority": one_queue and (not statuses or Status.PENDING in statuses),
    }
    return tuple(sort for sort in get_args(Sort) if fits[sort])


class Browser:
    """One page of what a filter means, at most 200 rows; and the way to the others.

    Attributes:
        filter: what is looked for.
        sort: in which order.
        rows: the page.
        count: how many there are, once `weigh` has looked; None before.
        scanned: how many executions were looked at for this page.
        partial: the page is not full, though there is more to look through.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._lock = asyncio.Lock()
        self._path: list[tuple[Place | None, int]] = [(None, 0)]
        self._next: Place | None = None
        self.filter = Filter()
        self.sort: Sort = "newest"
        self.rows: tuple[ExecutionInfo, ...] = ()
        self.count: Count | None = None
        self.scanned = 0
        self.partial = False

    @property
    def before(self) -> int:
        """Rows on the pages before this one."""
        return self._path[-1][1]

    @property
    def has_next(self) -> bool:
        """There is more, or there may be."""
        return self._next is not None

    @property
    def is_first(self) -> bool:
        """This is the first page."""
        return len(self._path) == 1

    async def look(self, filter: Filter, sort: Sort = "newest", told: _Told | None = None) -> None:
        """Begin with the first page; `told` is called as rows are found. If that fails, all stays as it was.

        Raises:
            CurrantError: see `Listing.page`.
        """
        async with self._lock, self._or_as_before():
            self.filter, self.sort, self._path, self.count = filter, sort, [(None, 0)], None
            await self._fill(told)

    async def forward(self, told: _Told | None = None) -> bool:
        """Go to the next page; false when there is none."""
        async with self._lock, self._or_as_before():
            if self._next is None:
                return False
            self._path = [*self._path, (self._next, self.before + len(self.rows))]
            await self._fill(told)
            return True

    async def back(self) -> bool:
        """Go to the page before; false when this is the first."""
        async with self._lock, self._or_as_before():
            if self.is_first:
                return False
            self._path = self._path[:-1]
            await self._fill(None)
            return True

    async def refresh(self, *, still: bool = False) -> None:
        """Look again at this page; with `still` only at the rows that are shown. Two statements, seldom three."""
        async with self._lock:
            is_deep = self.partial or self.scanned > _DEEP
            if still or (is_deep and not (self.is_first and self.sort == "newest")):
                self.rows = await self._listing.read([row.id for row in self.rows])
                return
            page = await self._listing.page(self.filter, sort=self.sort, after=self._path[-1][0])
            if is_deep and page.partial and page.next is not None:
                # What was found far down isn't looked for again and again: only what is new at the top.
                below = [row.id for row in self.rows if row.id < page.next.id]
                self.rows = (*page.rows, *await self._listing.read(below))[:MAX_ROWS]
                return
            self.rows, self._next, self.scanned, self.partial = page.rows, page.next, page.scanned, page.partial

    async def weigh(self) -> None:
        """Count what there is, up to 10,000."""
        wanted = self.filter
        count = await self._listing.count(wanted)
        if wanted is self.filter:
            self.count = count

    async def _fill(self, told: _Told | None) -> None:
        rows: list[ExecutionInfo] = []
        place, self.scanned = self._path[-1][0], 0
        for _ in range(_MOST_LOOKS):
            page = await self._listing.page(self.filter, sort=self.sort, after=place, limit=MAX_ROWS - len(rows))
            rows += page.rows
            place = page.next
            self.rows, self._next = tuple(rows), place
            self.scanned += page.scanned
            self.partial = page.partial
            if told is not None:
                told()
            if not page.partial or len(rows) >= MAX_ROWS:
                break

    @contextlib.asynccontextmanager
    async def _or_as_before(self) -> AsyncIterator[None]:
        kept = (self.filter, self.sort, self._path, self._next, self.rows, self.count, self.scanned, self.partial)
        try:
            yield
        except BaseException:
            (self.filter, self.sort, self._path, self._next,
             self.rows, self.count, self.scanned, self.partial) = kept  # fmt: skip
            raise
