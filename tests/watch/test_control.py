"""Acting: only what a transition exists for changes, whole filters too; and a role that may only look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from currant_lab.control import Control
from currant_lab.database.connect import Database
from currant_lab.errors import DatabaseUnavailable, InvalidArguments
from currant_lab.watch.filters import parse
from currant_lab.watch.listing import Listing
from tests.conftest import Leased, Servers

pytestmark = pytest.mark.both_servers


@pytest.fixture
async def database(leased: Leased) -> AsyncIterator[Database]:
    opened = await Database.open(leased.target, leased.schema, migrate=False)
    yield opened
    await opened.close()


async def _submit(database: Database, number: int, queue: str = "default", delay: float = 0) -> list[bytes]:
    async with database.acquire() as conn:
        call = f"{database.schema}.submit('a:job', '[]', $1, 0, make_interval(secs => $2))"
        sql = f"SELECT {call} FROM generate_series(1, $3)"
        return [record[0] for record in await conn.fetch(sql, queue, delay, number)]


async def _statuses(database: Database) -> dict[str, int]:
    async with database.acquire() as conn:
        sql = f"SELECT status, count(*) AS n FROM {database.schema}.all_executions GROUP BY status"
        return {record["status"]: record["n"] for record in await conn.fetch(sql)}


async def test_only_what_may_change_changes(database: Database) -> None:
    control = Control(database)
    waits, later = await _submit(database, 3), await _submit(database, 2, delay=3_600)
    assert (await control.retry(waits)).changed == 0
    assert set((await control.run_now(waits + later)).ids) == set(later)
    assert await _statuses(database) == {"pending": 5}
    assert (await control.reprioritise(waits, 7)).changed == 3
    assert (await control.reprioritise(waits, 7)).changed == 0
    assert (await control.cancel(waits)).changed == 3
    assert (await control.cancel(waits)).changed == 0
    assert (await control.reprioritise(waits, 8)).changed == 0
    assert (await control.retry(waits[:1])).ids == (waits[0],)
    assert await _statuses(database) == {"pending": 3, "cancelled": 2}
    with pytest.raises(InvalidArguments, match="a priority is between"):
        await control.reprioritise(waits, 40_000)


async def test_all_that_match(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control(database)
    await _submit(database, 1_234, "mail")
    await _submit(database, 10)
    await _submit(database, 300, "mail", delay=3_600)
    heard: list[int] = []
    assert (await control.run_now_matching(parse("queue:mail"))).changed == 300
    assert (await control.reprioritise_matching(parse("queue:mail"), 3)).changed == 1_534
    assert (await control.cancel_matching(parse("queue:mail"), told=heard.append)).changed == 1_534
    assert heard[-1] == 1_534
    assert (await control.cancel_matching(parse("queue:mail"))).changed == 0
    assert (await control.retry_matching(parse("status:cancelled age>1h"))).changed == 0
    assert (await control.retry_matching(parse("status:running"))).changed == 0
    assert (await control.retry_matching(parse("queue:mail"))).changed == 1_534
    assert await _statuses(database) == {"pending": 1_544}
    await control.pause("mail")
    assert await control.resume("mail")
    assert not await control.resume("mail")


async def test_a_role_that_may_only_look(servers: Servers, leased: Leased, new_schema: Callable[[], str]) -> None:
    role = f"reader_{leased.schema}"

    async def run(sql: str) -> None:
        await (await servers.superuser(leased.server.name)).execute(sql)

    servers.run(run(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {leased.schema} TO {role};"
                    f"GRANT SELECT ON ALL TABLES IN SCHEMA {leased.schema} TO {role}"))  # fmt: skip
    try:
        writer = await Database.open(leased.target, leased.schema, migrate=False)
        ids = await _submit(writer, 2)
        assert await Control(writer).may_write()
        await writer.close()
        target = replace(leased.target, user=role)
        reader = await Database.open(target, leased.schema, migrate=False, read_only=True)
        control = Control(reader)
        assert not await control.may_write()
        assert "this user lacks rights: " in (await control.refusal() or "")
        assert (await Listing(reader).count(parse(""))).number == 2
        for action in (control.cancel(ids), control.reprioritise(ids, 1), control.run_now(ids), control.retry(ids),
                       control.pause("mail"), control.resume("mail"), control.cancel_matching(parse(""))):  # fmt: skip
            with pytest.raises(DatabaseUnavailable, match="lacks a right"):
                await action
        await reader.close()
    finally:
        servers.run(run(f"DROP OWNED BY {role}; DROP ROLE {role}"))
