"""Databases that won't do: each is refused within five seconds, with what to do, and never with the password."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from currant_lab.database.connect import Database, check_server
from currant_lab.database.migrate import LATEST
from currant_lab.database.url import Target, parse
from currant_lab.errors import CurrantError, DatabaseUnavailable, SchemaOutdated, SchemaTooNew
from tests.conftest import Leased, Servers
from tests.pool.test_pool import run
from tests.servers import Cluster

SECRET = "s3cret-Pass#word"


async def refusal(
    target: Target, schema: str = "currant", kind: type[CurrantError] = DatabaseUnavailable, **options: Any
) -> str:
    """What `Database.open` says."""
    target = target if target.password else replace(target, password=SECRET)
    began = time.monotonic()
    with pytest.raises(CurrantError) as caught:
        await Database.open(target, schema, **({"migrate": False} | options))
    assert time.monotonic() - began < 5.5
    assert type(caught.value) is kind
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {target} {target!r}"
    assert SECRET not in shown
    assert target.password is not None
    assert target.password not in str(caught.value) or target.password == "locked"
    return str(caught.value)


def at(host: str, port: int, **more: Any) -> Target:
    return Target(((host, port),), "postgres", SECRET, sslmode="disable", **more)


async def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        said = await refusal(at("127.0.0.1", port))
    assert f"no server answers at 127.0.0.1:{port}" in said
    assert "is it running" in said


async def test_no_such_socket() -> None:
    assert "no server answers at /no/such:5432" in await refusal(at("/no/such", 5432))


async def test_no_such_host() -> None:
    assert "host name can't be found" in await refusal(at("nowhere.invalid", 5432))


async def test_somebody_listens_and_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = await refusal(at("127.0.0.1", port, connect_timeout=0.2))
    assert f"no answer from 127.0.0.1:{port} within 0.2 s" in said
    assert "firewall" in said


async def test_somebody_answers_who_is_no_postgresql() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        assert await refusal(at("127.0.0.1", server.sockets[0].getsockname()[1]))


@pytest.fixture
def locked(servers: Servers, server: Cluster) -> Target:
    """A user who needs a password."""

    async def create() -> None:
        superuser = await servers.superuser(server.name)
        await superuser.execute(
            "DO $$ BEGIN CREATE ROLE locked LOGIN PASSWORD 'locked'; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )

    servers.run(create())
    return replace(parse(server.url), user="locked")


async def test_the_wrong_password(locked: Target) -> None:
    said = await refusal(replace(locked, password=SECRET))
    assert "refuses the password of user 'locked'" in said
    assert "passfile" in said


async def test_no_password_where_one_is_needed(locked: Target) -> None:
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await Database.open(replace(locked, password=None), "currant", migrate=False)


async def test_the_right_password_lets_in(locked: Target, leased: Leased) -> None:
    said = await refusal(replace(locked, password="locked"), leased.schema)
    assert f"may not use schema '{leased.schema}'" in said
    assert "GRANT USAGE" in said


async def test_a_user_who_isn_t_let_in(server: Cluster) -> None:
    said = await refusal(replace(parse(server.url), user="stranger"))
    assert "doesn't let user 'stranger' in" in said
    assert "pg_hba.conf" in said


async def test_no_such_database(server: Cluster) -> None:
    said = await refusal(replace(parse(server.url), database="nothing"))
    assert "there is no database 'nothing'" in said


async def test_some_rights_are_missing(leased: Leased, role: str, servers: Servers) -> None:
    target = replace(leased.target, user=role)

    async def grant(what: str) -> None:
        await (await servers.superuser(leased.server.name)).execute(f"GRANT {what} TO {role}")

    assert "GRANT USAGE" in await refusal(target, leased.schema)
    servers.run(grant(f"USAGE ON SCHEMA {leased.schema}"))
    assert "GRANT" in await refusal(target, leased.schema)
    servers.run(grant(f"SELECT ON ALL TABLES IN SCHEMA {leased.schema}"))
    said = await refusal(target, leased.schema)
    assert "lacks rights" in said
    assert "INSERT on batches" in said
    await (await Database.open(target, leased.schema, migrate=False, read_only=True)).close()
    servers.run(grant(f"INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {leased.schema}"))
    await (await Database.open(target, leased.schema, migrate=False)).close()


async def test_a_user_who_may_not_make_a_schema(server: Cluster, role: str, new_schema: Any) -> None:
    said = await refusal(replace(parse(server.url), user=role), new_schema(), migrate=True)
    assert "can't be made or changed here" in said
    assert "currant migrate" in said


async def test_no_schema_yet(server: Cluster, new_schema: Any) -> None:
    said = await refusal(parse(server.url), new_schema(), SchemaOutdated)
    assert "run `currant migrate`" in said


@pytest.mark.parametrize("found", [1, LATEST + 1])
async def test_an_older_and_a_newer_schema(leased: Leased, servers: Servers, found: int) -> None:
    async def change() -> None:
        superuser = await servers.superuser(leased.server.name)
        await superuser.execute(f"DELETE FROM {leased.schema}.migrations WHERE version > {found}")
        await superuser.execute(f"INSERT INTO {leased.schema}.migrations VALUES ({found}, 'x') ON CONFLICT DO NOTHING")

    servers.run(change())
    if found > LATEST:
        for may_migrate in (False, True):
            said = await refusal(leased.target, leased.schema, SchemaTooNew, migrate=may_migrate)
            assert "upgrade currant-lab" in said
    else:
        said = await refusal(leased.target, leased.schema, SchemaOutdated)
        assert f"at version {found}" in said
        assert f"needs {LATEST}" in said
        assert "currant migrate" in said


async def test_a_reserved_word_is_no_schema(server: Cluster) -> None:
    assert "reserved word" in await refusal(parse(server.url), "select")


async def test_a_read_only_database(server: Cluster, servers: Servers) -> None:
    async def make(sql: str) -> None:
        await (await servers.superuser(server.name)).execute(sql)

    name = "readonly_one"
    servers.run(make(f"CREATE DATABASE {name}"))
    try:
        servers.run(make(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        said = await refusal(replace(parse(server.url), database=name))
        assert "read-only" in said
    finally:
        servers.run(make(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.mark.parametrize("version", [(9, 6), (13, 0), (13, 22)])
def test_an_older_postgresql(version: tuple[int, int]) -> None:
    with pytest.raises(DatabaseUnavailable, match=f"PostgreSQL {version[0]}.{version[1]}.*needs 14.*upgrade"):
        check_server(version)
    check_server((14, 0))


@pytest.fixture
def standby() -> Iterator[tuple[Cluster, Cluster]]:
    """A primary and its replica, which takes no writes."""
    primary = Cluster("postgres15", hba="local replication all trust\n")
    replica = Cluster("postgres15")
    try:
        replica.stop()
        conf = (replica.data / "postgresql.conf").read_text()
        shutil.rmtree(replica.data)
        source = f"host={primary.directory} port={primary.port} user=postgres"
        primary.tool("pg_basebackup", "-d", source, "-D", replica.data, "-R", "-c", "fast", "--no-sync")
        (replica.data / "postgresql.conf").write_text(conf)
        replica.start()
        yield primary, replica
    finally:
        replica.destroy()
        primary.destroy()


async def test_a_replica_is_refused_and_the_primary_found(standby: tuple[Cluster, Cluster]) -> None:
    primary, replica = standby
    said = await refusal(parse(replica.url))
    assert "read-only replica" in said
    assert "target_session_attrs=read-write" in said
    for order in ((replica, primary), (primary, replica)):
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in order)
        database = await Database.open(parse(f"postgresql://postgres@{hosts}/postgres"), "found", migrate=True)
        assert not await database.fetchval("migrations_version") < LATEST
        await database.close()
    conn_target = parse(f"postgresql://postgres@127.0.0.1:{replica.port}/postgres?target_session_attrs=read-write")
    assert "read-only" in await refusal(conn_target)


def test_a_start_raises_in_the_cell(leased: Leased) -> None:
    out = run(
        leased,
        """
        for url in ("postgresql://u:s3cret@127.0.0.1:1/x", "nonsense", "postgresql://u:s3cret@/x?host=/no/such"):
            began = time.monotonic()
            try:
                currant.start(database=url)
            except currant.DatabaseUnavailable as error:
                assert "s3cret" not in str(error) and time.monotonic() - began < 5.5
            else:
                raise SystemExit("it started")
        pool = currant.start()  # and the next good one starts
        assert double.submit(2).result(10) == 4
        print("fine")
        """,
    )
    assert out == "fine\n"


async def test_migrate_is_in_the_way_of_nobody(server: Cluster, new_schema: Any) -> None:
    schema = new_schema()
    opened = await asyncio.gather(*(Database.open(parse(server.url), schema, migrate=True) for _ in range(3)))
    for one in opened:
        await one.close()
