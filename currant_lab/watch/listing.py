"""Lists of executions: pages, counts, what failed, batches. No question costs more with ten million finished.

A page is made by looking at executions in order and keeping those that the filter means. How many are looked at is
bounded, so a rare thing deep in history shows as a page that is not full, with a place to go on from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec

from currant_lab.database.inspect import ExecutionInfo
from currant_lab.errors import CurrantError, InvalidArguments, UnknownExecution
from currant_lab.outcomes import ErrorInfo
from currant_lab.status import Status
from currant_lab.watch.criteria import Filter, Pattern
from currant_lab.watch.detail import SHOWN, Detail, detail_of
from currant_lab.watch.facts import DatabaseView, database_of
from currant_lab.watch.rows import BatchView, Count, FailureGroup, Found, Page, Place

if TYPE_CHECKING:
    import asyncpg

    from currant_lab.database.connect import Database

__all__ = ["MAX_ROWS", "Listing", "Sort"]

MAX_ROWS = 200
"""Rows of a page."""

Sort = Literal["newest", "oldest", "longest", "soonest", "priority"]
"""`longest` is of those that run, `soonest` of those that are scheduled, `priority` of what waits in one queue."""

_LOOKS = (1_000, 10_000)
"""Executions that one statement looks at: few first, since mostly they are enough; the second takes up to 60 ms."""
_MOST_FEW = 20_000
_LOOKS_DEAR = (500, 2_000)
"""Where each costs more: words are looked for in all its texts (50 us), failures lie scattered over history."""
_MOST_COUNTED = 100_000
_MOST_COUNTED_DEAR = 40_000
_PATIENCE_S = 2.0
_LOWEST, _HIGHEST = b"\0" * 16, b"\xff" * 16
_ENDED_BADLY = {Status.FAILED, Status.CANCELLED}
_FEW = {Status.RUNNING, Status.SCHEDULED}
_HOT = {Status.SCHEDULED, Status.WAITING, Status.PENDING, Status.RUNNING}

_decode_error = msgspec.json.Decoder(ErrorInfo).decode


class Listing:
    """Lists of what one database holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, filter: Filter, *, sort: Sort = "newest", after: Place | None = None, limit: int = MAX_ROWS
    ) -> Page:
        """The executions that a filter means, at most `limit` (up to 200), from the beginning or after a place.

        Raises:
            InvalidArguments: this order doesn't exist for this filter.
            UnknownExecution: the filter names a batch that doesn't exist.
            DatabaseUnavailable: see `Database.fetch`.
        """
        limit = min(limit, MAX_ROWS)
        ids: list[bytes] = []
        scanned, place, partial = 0, after, False
        for look in _LOOKS_DEAR if _is_dear(filter) else _LOOKS:
            found = await self.scan(filter, sort=sort, after=place, look=look, most=limit - len(ids))
            ids += found.ids
            scanned += found.scanned
            place = found.next
            if place is None or len(ids) >= limit:
                break
        else:
            partial = True
        return Page(await self._read(ids), place, scanned, partial)

    async def scan(
        self,
        filter: Filter,
        *,
        sort: Sort = "newest",
        after: Place | None = None,
        look: int = 10_000,
        most: int = 5_000,
    ) -> Found:
        """Look at up to `look` executions for those that a filter means: what pages, counts and acting are made of.

        Raises:
            InvalidArguments, UnknownExecution, DatabaseUnavailable: see `page`.
        """
        arguments = await self._arguments(filter)
        if arguments is None:
            return Found((), 0, 0, None)
        statuses = set(filter.statuses)
        if sort in ("longest", "soonest") or (statuses and statuses <= _FEW):
            found = await self._few(filter, arguments, sort, after or Place(), most)
            if found is not None:
                return found
        if sort == "priority":
            return await self._in_queue(filter, arguments, after, look, most)
        return await self._by_id(filter, arguments, sort, after, look, most)

    async def count(self, filter: Filter, most: int = 10_000) -> Count:
        """How many a filter means, counted up to `most`, and through at most 100,000 executions (40,000 where each
        costs more).

        Raises:
            UnknownExecution, DatabaseUnavailable: see `page`.
        """
        number, place = 0, None
        look, looked = (_LOOKS_DEAR[1], _MOST_COUNTED_DEAR) if _is_dear(filter) else (_LOOKS[1], _MOST_COUNTED)
        for _ in range(looked // look):
            found = await self.scan(filter, after=place, look=look, most=most)
            number += found.matching
            place = found.next
            if place is None or number >= most:
                break
        return Count(min(number, most), place is None and number <= most)

    async def failures(self, most: int = 5_000) -> list[FailureGroup]:
        """The latest `most` failures, grouped by job and type of exception, the largest group first."""
        records = await self._database.fetch("list_failures", most)
        return [
            FailureGroup(**dict(record) | {"message": record["message"] or "", "traceback": record["traceback"] or ""})
            for record in records
        ]

    async def batches(self, limit: int = 50) -> list[BatchView]:
        """The newest batches. What is left of one is counted up to 2,000."""
        return [_batch(record) for record in await self._database.fetch("list_batches", limit, 2_000)]

    async def running(self, pool: int) -> tuple[ExecutionInfo, ...]:
        """What runs in a pool now, the longest first; at most 200."""
        page = await self.page(Filter(statuses=(Status.RUNNING,), pool=pool), sort="longest")
        return page.rows

    async def read(self, ids: Sequence[bytes]) -> tuple[ExecutionInfo, ...]:
        """Executions by their ids, in this order, at most 200; those that are gone are left out."""
        return await self._read(list(ids[:MAX_ROWS]))

    async def detail(self, id: bytes, most: int = SHOWN) -> Detail:
        """All that is known of one execution, its arguments, result and logs up to `most` bytes each.

        Raises:
            UnknownExecution: there is none of this id.
        """
        record = await self._database.fetchrow("list_detail", id, most)
        if record is None:
            raise UnknownExecution(f"there is no execution {UUID(bytes=id)}")
        return detail_of(record)

    async def database(self) -> DatabaseView:
        """How the database stands; `pg_stat_activity` may hide others' transactions from this role."""
        record = await self._database.fetchrow("list_database")
        tables = await self._database.fetch("list_tables", self._database.schema)
        return database_of(record, tables)

    async def _few(self, filter: Filter, arguments: list[Any], sort: Sort, after: Place, most: int) -> Found | None:
        """Those that run or are scheduled; None when they are too many for that, and the order can be had otherwise."""
        wanted = {"longest": {Status.RUNNING}, "soonest": {Status.SCHEDULED}}.get(sort, _FEW)
        statuses = [str(status) for status in wanted if not filter.statuses or status in filter.statuses]
        if not statuses:
            raise InvalidArguments(f"the order {sort!r} is of what is {' or '.join(wanted)}: this filter excludes that")
        rows = after.rank + most
        record = await self._fetch("list_scan_few", [statuses, *arguments[1:], _MOST_FEW, rows, sort])
        if record["scanned"] >= _MOST_FEW and sort not in ("longest", "soonest"):
            return None
        ids = tuple(record["ids"][after.rank :])
        has_more = record["matching"] > rows
        return Found(ids, record["matching"] - after.rank, record["scanned"], Place(rank=rows) if has_more else None)

    async def _in_queue(self, filter: Filter, arguments: list[Any], after: Place | None, look: int, most: int) -> Found:
        queue = filter.queues[0] if len(filter.queues) == 1 else None
        if queue is None or queue.is_glob or (filter.statuses and Status.PENDING not in filter.statuses):
            raise InvalidArguments("the order 'priority' is of what is pending in one queue: add queue:NAME")
        place = after or Place(_LOWEST, -(2**31))
        extra = [queue.text, place.rank, place.id]
        record = await self._fetch("list_scan_queue", [["pending"], *arguments[1:], look, most, *extra])
        last = record["ids"][-1] if record["matching"] > most else record["reached"]
        if last is None or (record["scanned"] < look and record["matching"] <= most):
            return Found(tuple(record["ids"]), record["matching"], record["scanned"], None)
        (info,) = await self._read([last]) or (None,)
        rank = place.rank if info is None else -info.priority
        return Found(tuple(record["ids"]), record["matching"], record["scanned"], Place(last, rank))

    async def _by_id(
        self, filter: Filter, arguments: list[Any], sort: Sort, after: Place | None, look: int, most: int
    ) -> Found:
        statuses = set(filter.statuses)
        low, high = arguments[8], arguments[9]
        if after is not None and sort == "oldest":
            low = max(low, _moved(after.id, 1))
        elif after is not None:
            high = min(high, _moved(after.id, -1))
        name = f"list_scan_ended_{sort}" if statuses and statuses <= _ENDED_BADLY else f"list_scan_{sort}"
        which = () if "ended" in name else (not statuses or bool(statuses & _HOT), not statuses or not statuses <= _HOT)
        record = await self._fetch(name, [*arguments[:8], low, high, *arguments[10:], look, most, *which])
        ids = tuple(record["ids"])
        if record["matching"] > len(ids):
            next_place: Place | None = Place(ids[-1]) if ids else after
        else:
            next_place = Place(record["reached"]) if record["scanned"] >= look else None
        return Found(ids, record["matching"], record["scanned"], next_place)

    async def _fetch(self, name: str, arguments: list[Any]) -> Any:
        """One statement that looks through executions; it is given up after two seconds.

        Raises:
            CurrantError: it took longer.
        """
        from currant_lab.database.statements import statement

        async with self._database.acquire() as conn:
            try:
                return await conn.fetchrow(statement(name, self._database.schema), *arguments, timeout=_PATIENCE_S)
            except TimeoutError:
                message = f"the database needs more than {_PATIENCE_S:g} s for this filter: narrow it, by age say"
                raise CurrantError(message) from None

    async def _arguments(self, filter: Filter) -> list[Any] | None:
        """The filter as $1 to $14 of the statements; None when it can mean nothing."""
        low = bytes.fromhex((filter.id or "").ljust(32, "0"))
        high = bytes.fromhex((filter.id or "").ljust(32, "f"))
        batch = None
        if filter.batch is not None:
            digits = filter.batch.removeprefix("#")
            number = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else None
            name = filter.batch if digits == filter.batch or number is None else None
            record = await self._database.fetchrow("list_batch_of", name, number)
            if record is None:
                raise UnknownExecution(f"there is no batch {filter.batch!r}")
            if record["low"] is None:
                return None
            batch, low, high = record["id"], max(low, record["low"]), min(high, record["high"])
        words = [word.lower() for word in filter.words] or None
        return [
            [str(status) for status in filter.statuses] or None,
            _regex(filter.queues), _regex(filter.jobs, own_name=True), _regex(filter.errors, own_name=True),
            batch, filter.pool, filter.older_s, filter.younger_s, low, high,
            filter.least_attempt, filter.most_attempt, words, words and [_as_given(word) for word in filter.words],
        ]  # fmt: skip

    async def _read(self, ids: list[bytes]) -> tuple[ExecutionInfo, ...]:
        if not ids:
            return ()
        records = await self._database.fetch("list_read", ids)
        by_id = {record["id"]: _info(record) for record in records}
        return tuple(by_id[id] for id in ids if id in by_id)


def _is_dear(filter: Filter) -> bool:
    return bool(filter.words) or (bool(filter.statuses) and set(filter.statuses) <= _ENDED_BADLY)


def _info(record: asyncpg.Record) -> ExecutionInfo:
    values: dict[str, Any] = dict(record)
    ended_well, error = values.pop("ended_well"), values.pop("error")
    values["error"] = None if ended_well else _decode_error(error)
    return ExecutionInfo(**values | {"status": Status(values["status"])})


def _batch(record: asyncpg.Record) -> BatchView:
    left = record["running"] + record["waiting"]
    counts = {name: record[name] for name in ("waiting", "running", "failed", "cancelled")}
    done = max(record["size"] - left, 0)
    if not record["exact"]:
        done = record["failed"] + record["cancelled"]  # how many of the rest succeeded isn't known
    counts["succeeded"] = max(done - record["failed"] - record["cancelled"], 0)
    share = 1.0 if left == 0 else min(done / record["size"], 1.0) if record["size"] else 0.0
    tells = record["exact"] and done and left
    return BatchView(
        id=record["id"], name=record["name"], job=record["job"], size=record["size"], counts=counts,
        exact=record["exact"], done_share=share, eta_s=record["age_s"] * left / done if tells else None,
        created_at=record["created_at"],
    )  # fmt: skip


def _regex(patterns: tuple[Pattern, ...], *, own_name: bool = False) -> str | None:
    return "|".join(pattern.regex(own_name=own_name) for pattern in patterns) or None


def _as_given(word: str) -> str:
    """A word as it would stand in encoded arguments, which the database sees as bytes (`encode(..., 'escape')`)."""
    inside = json.dumps(word, ensure_ascii=False)[1:-1].encode()
    shown = "".join("\\\\" if byte == 92 else chr(byte) if 0 < byte < 128 else f"\\{byte:03o}" for byte in inside)
    return shown.lower()


def _moved(id: bytes, by: int) -> bytes:
    """The id before or after this one."""
    number = UUID(bytes=id).int + by
    return min(max(number, 0), 2**128 - 1).to_bytes(16, "big")
