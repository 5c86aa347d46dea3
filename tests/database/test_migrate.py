"""The numbered migrations: once each, whoever runs them, and refused where they don't fit."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from currant_lab.database import migrate as module
from currant_lab.database.connect import connect
from currant_lab.database.migrate import LATEST, check, migrate, migrations
from currant_lab.database.url import parse
from currant_lab.errors import DatabaseUnavailable, SchemaOutdated, SchemaTooNew
from tests.conftest import Leased

pytestmark = pytest.mark.both_servers


async def test_a_new_schema_gets_every_migration_once(server, new_schema):
    conn = await connect(parse(server.url))
    schema = new_schema()
    assert await migrate(conn, schema) == [name for _, name, _ in migrations()]
    assert await migrate(conn, schema) == []
    await check(conn, schema)
    rows = await conn.fetch(f"SELECT version FROM {schema}.migrations ORDER BY 1")
    assert [row["version"] for row in rows] == list(range(1, LATEST + 1))
    await conn.close()


async def test_four_at_once_apply_each_migration_once(server, new_schema):
    schema = new_schema()
    connections = [await connect(parse(server.url)) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(conn, schema) for conn in connections))
    assert sorted(flat(applied)) == sorted(name for _, name, _ in migrations())
    for conn in connections:
        await conn.close()


def flat(lists):
    return [item for inner in lists for item in inner]


async def test_two_schemas_live_side_by_side(leased: Leased, new_schema):
    conn = await leased.connect()
    other = new_schema()
    await migrate(conn, other)
    await conn.fetchval(f"SELECT {other}.submit('a', '[1]')")
    assert await conn.fetchval(f"SELECT count(*) FROM {other}.executions") == 1
    assert await conn.fetchval(f"SELECT count(*) FROM {leased.schema}.executions") == 0
    await conn.close()


async def test_a_missing_schema_is_outdated(server, new_schema):
    conn = await connect(parse(server.url))
    with pytest.raises(SchemaOutdated, match="run `currant migrate`"):
        await check(conn, new_schema())
    await conn.close()


async def test_an_older_schema_is_outdated(leased: Leased):
    conn = await leased.connect()
    await conn.execute(f"DELETE FROM {leased.schema}.migrations WHERE version > 1")
    with pytest.raises(SchemaOutdated, match=f"version 1.*needs {LATEST}.*currant migrate"):
        await check(conn, leased.schema)
    await conn.close()


async def test_a_newer_schema_is_too_new_for_check_and_migrate(leased: Leased):
    conn = await leased.connect()
    await conn.execute(f"INSERT INTO {leased.schema}.migrations (version, name) VALUES ({LATEST + 1}, 'later')")
    for attempt in (check, migrate):
        with pytest.raises(SchemaTooNew, match="upgrade currant-lab here"):
            await attempt(conn, leased.schema)
    await conn.close()


async def test_a_failing_migration_leaves_nothing_behind(server, new_schema, monkeypatch):
    broken = (*migrations(), (LATEST + 1, "broken", "CREATE TABLE currant.half (); SELECT 1 / 0"))
    monkeypatch.setattr(module, "migrations", lambda: broken)
    monkeypatch.setattr(module, "LATEST", LATEST + 1)
    conn = await connect(parse(server.url))
    schema = new_schema()
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(conn, schema)
    assert await conn.fetchval("SELECT to_regclass($1)", f"{schema}.half") is None
    assert await module.version(conn, schema) == LATEST
    await conn.close()


async def test_a_role_without_the_right_to_create_is_told_so(server, new_schema, role):
    conn = await connect(parse(server.url.replace("postgres@", f"{role}@", 1)))
    with pytest.raises(DatabaseUnavailable, match="GRANT CREATE ON DATABASE"):
        await migrate(conn, new_schema())
    await conn.close()


async def test_a_role_may_fill_a_schema_made_for_it(server, new_schema, role):
    schema = new_schema()
    owner = await connect(parse(server.url))
    await owner.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {role}")
    conn = await connect(parse(server.url.replace("postgres@", f"{role}@", 1)))
    assert len(await migrate(conn, schema)) == LATEST
    await conn.close()
    await owner.close()


@pytest.mark.parametrize("word", ["select", "user", "order"])
async def test_reserved_words_are_refused(server, word):
    conn = await connect(parse(server.url))
    with pytest.raises(DatabaseUnavailable, match="reserved word"):
        await migrate(conn, word)
    await conn.close()


@pytest.mark.parametrize("ddl", ["CREATE TABLE {0}.migrations (id int)", "CREATE TABLE {0}.executions (id int)"])
async def test_tables_of_somebody_else_are_left_alone(server, new_schema, ddl):
    schema = new_schema()
    conn = await connect(parse(server.url))
    await conn.execute(f"CREATE SCHEMA {schema}; {ddl.format(schema)}")
    with pytest.raises(DatabaseUnavailable, match="isn't Currant's.*CURRANT_SCHEMA"):
        await migrate(conn, schema)
    await conn.close()
