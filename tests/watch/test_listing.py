"""Lists on a real database: what a page holds, in which order, and how one goes on from it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from currant_lab.database.connect import Database
from currant_lab.errors import InvalidArguments, UnknownExecution
from currant_lab.watch import listing as listing_module
from currant_lab.watch.criteria import Filter
from currant_lab.watch.filters import parse
from currant_lab.watch.listing import Listing, Sort
from tests.conftest import Leased

pytestmark = pytest.mark.both_servers
STATUSES = ("pending", "running", "scheduled", "succeeded", "failed", "cancelled")
JOBS = ("nb:fetch", "nb:fetch_all", "mail.send", "boom [/foo]")
ROWS = 240


def _id(number: int) -> bytes:
    return bytes.fromhex(f"{0x01900000 + number:012x}7000800000000000{number:04x}")


def _row(number: int) -> dict[str, Any]:
    status = STATUSES[number % 6]
    return {
        "id": _id(number), "job": JOBS[number % 4], "status": status,
        "queue": ("default", "mail", "a b")[number // 7 % 3],
        "attempt": number % 5, "priority": number % 2,
        "claimed_by": None if status in ("pending", "scheduled") else 1 + number % 2,
        "age": number * 60.0, "args": json.dumps([f"Straße {number}\n", 'say "hi"'], ensure_ascii=False).encode(),
        "type": ("ValueError", "httpx.ReadTimeout")[number % 5 == 0] if status == "failed" else None,
        "message": f"went wrong at {number}", "batch": 1 if 60 <= number < 90 else None,
    }  # fmt: skip


TABLE = [_row(number) for number in range(ROWS)]


@pytest.fixture
async def database(leased: Leased) -> AsyncIterator[Database]:
    opened = await Database.open(leased.target, leased.schema, migrate=False)
    async with opened.acquire() as conn:
        for row in TABLE:
            values = [
                row[name] for name in ("id", "job", "queue", "status", "attempt", "priority", "claimed_by", "age")
            ]
            values += [row["args"], row["batch"]]
            if row["status"] in ("pending", "running", "scheduled"):
                await conn.execute(
                    f"INSERT INTO {leased.schema}.executions (id, job, queue, status, attempt, priority, claimed_by,"
                    " created_at, args, batch, claimed_at) VALUES ($1, $2, $3, $4, $5, $6, $7,"
                    " now() - $8::float8 * interval '1 s', $9, $10, now() - $8 * interval '1 s')", *values)  # fmt: skip
            else:
                error = json.dumps({"type": row["type"], "message": row["message"]}) if row["type"] else None
                await conn.execute(
                    f"INSERT INTO {leased.schema}.history (id, job, queue, status, attempt, priority, claimed_by,"
                    " created_at, args, batch, finished_at, token, rescues, error) VALUES ($1, $2, $3, $4, $5, $6,"
                    " $7, now() - $8::float8 * interval '1 s', $9, $10, now(), 1, 0, $11)", *values, error)  # fmt: skip
        await conn.execute(f"INSERT INTO {leased.schema}.batches (name, job, size) VALUES ('crawl-1', 'nb:fetch', 30)")
        await conn.execute(f"INSERT INTO {leased.schema}.batch_parts VALUES (1, $1, $2, 30)", _id(60), _id(89))
    yield opened
    await opened.close()


def _means(wanted: Filter, row: dict[str, Any]) -> bool:
    """What a filter means, said in Python."""

    def one_of(patterns: Any, name: str | None, *, own: bool) -> bool:
        return not patterns or any(name and re.search(one.regex(own_name=own), name) for one in patterns)

    said = f"{row['job']} {row['queue']} {row['type'] or ''} {row['message'] if row['type'] else ''}".lower()
    given = json.loads(row["args"])
    return (
        (not wanted.statuses or row["status"] in wanted.statuses)
        and one_of(wanted.queues, row["queue"], own=False)
        and one_of(wanted.jobs, row["job"], own=True)
        and one_of(wanted.errors, row["type"], own=True)
        and (wanted.batch is None or row["batch"] == 1)
        and (wanted.pool is None or row["claimed_by"] == wanted.pool)
        and (wanted.id is None or row["id"].hex().startswith(wanted.id))
        and (wanted.least_attempt is None or row["attempt"] >= wanted.least_attempt)
        and (wanted.most_attempt is None or row["attempt"] <= wanted.most_attempt)
        and all(word.lower() in said or any(word in text for text in given) for word in wanted.words)
    )


LINES = (
    "", "status:failed", "status:failed,cancelled job:fetch", "status:running", "status:scheduled attempt>1",
    "status:succeeded queue:mail", "job:fetch*", 'job:"boom [/foo]"', 'queue:"a b"', "error:ReadTimeout",
    "error:Value*", "batch:crawl-1", "batch:1 status:failed", "pool:2", "attempt>=3", "attempt:0", "Straße",
    '"say \\"hi\\"" job:send', "WRONG at", "status:running,failed pool:1", f"id:{_id(17).hex()}",
    "status:pending queue:mail",
)  # fmt: skip


async def _all(listing: Listing, wanted: Filter, sort: Sort, limit: int) -> list[bytes]:
    found: list[bytes] = []
    after = None
    while True:
        page = await listing.page(wanted, sort=sort, after=after, limit=limit)
        assert len(page.rows) <= limit
        found += [info.id for info in page.rows]
        after = page.next
        if after is None:
            return found


async def test_every_filter_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_module, "_LOOKS", (20, 50))  # far fewer than there are: pages that are not full too
    monkeypatch.setattr(listing_module, "_LOOKS_DEAR", (20, 30))
    listing = Listing(database)
    for line in LINES:
        wanted = parse(line)
        expected = [row["id"] for row in TABLE if _means(wanted, row)]
        assert expected, line
        assert await _all(listing, wanted, "oldest", 13) == expected, line
        assert await _all(listing, wanted, "newest", 13) == expected[::-1], line
        count = await listing.count(wanted)
        assert (count.number, count.exact) == (len(expected), True), line


async def test_ages_and_orders(database: Database) -> None:
    listing = Listing(database)
    async with database.acquire() as conn:  # ids as old as the rows say, as clients would make them
        for table in ("executions", "history"):
            await conn.execute(
                f"UPDATE {database.schema}.{table} SET id = (left({database.schema}.first_id(created_at)::text, 13)"
                " || substring(id::text FROM 14))::uuid")  # fmt: skip
    old = await listing.page(parse("age>30m age<1h"))
    assert len(old.rows) == 30
    longest = await listing.page(parse("pool:2"), sort="longest")
    assert longest.rows
    assert [info.started_at for info in longest.rows] == sorted(
        info.started_at for info in longest.rows if info.started_at
    )
    assert (await listing.running(2)) == longest.rows
    first = await listing.page(parse("queue:mail"), sort="priority", limit=5)
    rest = await listing.page(parse("queue:mail"), sort="priority", after=first.next)
    order = [(-info.priority, info.id) for info in first.rows + rest.rows]
    assert order == sorted(order)
    assert len(order) == sum(row["status"] == "pending" and row["queue"] == "mail" for row in TABLE)
    with pytest.raises(InvalidArguments, match="add queue:NAME"):
        await listing.page(Filter(), sort="priority")
    with pytest.raises(InvalidArguments, match="excludes that"):
        await listing.page(parse("status:failed"), sort="longest")
    with pytest.raises(UnknownExecution, match="there is no batch 'nix'"):
        await listing.page(parse("batch:nix"))


async def test_the_last_attempt_s_error_finds_what_waits_for_another(database: Database) -> None:
    listing = Listing(database)
    earlier = json.dumps([{"attempt": 1, "error": {"type": "KeyError"}}, {"attempt": 2, "error": {"type": "os.Late"}}])
    async with database.acquire() as conn:
        await conn.execute(f"UPDATE {database.schema}.executions SET attempts = $1 WHERE id = $2", earlier, _id(6))
        await conn.execute(f"INSERT INTO {database.schema}.batches (name, job, size) VALUES ('1', 'nb:fetch', 0)")
    assert [info.id for info in (await listing.page(parse("error:Late"))).rows] == [_id(6)]
    assert [info.id for info in (await listing.page(parse("Late status:pending"))).rows] == [_id(6)]
    assert (await listing.page(parse("error:KeyError"))).rows == ()
    assert (await listing.count(parse("batch:#1"))).number == 30
    assert (await listing.count(parse("batch:1"))).number == 0  # the name goes before the number
    found = await listing.read([_id(3), b"\1" * 16, _id(2)])
    assert [info.id for info in found] == [_id(3), _id(2)]
    assert found[:1] == (await listing.page(parse(f"id:{_id(3).hex()}"))).rows


async def test_groups_batches_facts_and_details(database: Database, leased: Leased) -> None:
    listing = Listing(database)
    groups = await listing.failures()
    failed = [row for row in TABLE if row["status"] == "failed"]
    assert sum(group.count for group in groups) == len(failed)
    for group in groups:
        assert (await listing.count(group.filter())).number == group.count
        assert group.exact
    (batch,) = await listing.batches()
    assert (batch.name, batch.size, sum(batch.counts.values())) == ("crawl-1", 30, 30)
    assert batch.done_share == 0.5
    facts = await listing.database()
    assert facts.bytes > 0
    assert {"executions", "history_default"} <= {table.name for table in facts.tables}
    big = json.dumps(["ü" * 50_000], ensure_ascii=False).encode()
    async with database.acquire() as conn:
        await conn.execute(
            f"UPDATE {leased.schema}.executions SET args = $1, logs = $2 WHERE id = $3", big, "x" * 99_999, _id(0)
        )
    shown = await listing.detail(_id(0))
    assert (shown.args.size, shown.args.whole) == (len(big), False)
    assert shown.args.text.startswith('["üüü')
    assert shown.logs is not None
    assert (shown.logs.size, len(shown.logs.text)) == (99_999, 65_536)
    bad = await listing.detail(failed[0]["id"])
    assert failed[0]["message"] in bad.traceback
    assert bad.args.whole
    with pytest.raises(UnknownExecution):
        await listing.detail(UUID(int=1).bytes)
