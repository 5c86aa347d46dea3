"""The three roles of `currant migrate --roles`: what each is for works, and what it is not for is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import asyncpg
import pytest

from currant_lab.database.connect import connect
from currant_lab.database.url import Target
from tests.conftest import Servers

pytestmark = pytest.mark.both_servers


@pytest.fixture
def users(shell, leased, servers: Servers) -> Iterator[Callable[[str], Target]]:
    """Users of their own in the roles that the command makes, gone afterwards."""
    done = shell("migrate", "--roles", "--json")
    assert done.code == 0, done.err
    roles = done.json["roles"]
    assert roles == [f"{leased.schema}_{what}" for what in ("submit", "work", "watch")]

    async def run(sql: str) -> None:
        await (await servers.superuser(leased.server.name)).execute(sql)

    for role in roles:
        servers.run(run(f"CREATE ROLE {role}_user LOGIN IN ROLE {role}"))
    yield lambda what: replace(leased.target, user=f"{leased.schema}_{what}_user")
    for role in roles:
        servers.run(run(f"DROP ROLE {role}_user; DROP OWNED BY {role}; DROP ROLE {role}"))


async def refused(target: Target, *statements: str) -> None:
    conn = await connect(target)
    try:
        for sql in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(sql)
    finally:
        await conn.close()


def test_again_is_harmless_and_says_who_may_do_what(users, shell, leased):
    done = shell("migrate", "--roles")
    assert done.code == 0
    assert f"{leased.schema}_submit may submit, {leased.schema}_work may run a pool" in done.out
    assert shell("migrate", "--roles", "--check").code == 2


def python(shell, text: str) -> str:
    """Run a script in the shell's directory; its output."""
    done = subprocess.run(
        [sys.executable, "-c", text], env=shell.env, cwd=shell.directory, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_role_does_its_part(users, shell, worker, client):
    shell.env["CURRANT_DATABASE_URL"] = users("submit").url()
    ids = python(
        shell,
        """if True:
        import my_jobs
        print(my_jobs.double.submit(4).id)
        for e in my_jobs.double.map(range(20)):
            print(e.id)
        """,
    ).split()
    shell.env["CURRANT_DATABASE_URL"] = users("work").url()
    worker("--workers", "2")
    assert [client.get(id).result(timeout=20) for id in ids] == [8, *(2 * x for x in range(20))]
    shell.env["CURRANT_DATABASE_URL"] = users("watch").url()
    shown = shell("show", ids[0], "--json")
    assert (shown.code, shown.json["status"], shown.json["result"]) == (0, "succeeded", 8), shown.err
    assert shell("status", "--json").json["pools"][0]["workers"] == 2
    refused = shell("cancel", ids[0])
    assert refused.code == 1
    assert "lacks rights" in refused.err


def test_a_submitter_is_told_in_words_what_it_may_not(users, shell):
    shell.env["CURRANT_DATABASE_URL"] = users("submit").url()
    said = python(
        shell,
        """if True:
        import currant_lab, my_jobs
        e = my_jobs.double.submit(4)
        try:
            e.result(timeout=20)
        except currant_lab.DatabaseUnavailable as error:
            print(error)
        """,
    )
    assert "lacks a right" in said


async def test_a_submitter_neither_chains_nor_submits_twice(users, shell, leased):
    """To tie to another execution, or to look whether a row got through, takes a lock on rows: UPDATE rights."""
    shell.env["CURRANT_DATABASE_URL"] = users("submit").url()
    said = python(
        shell,
        """if True:
        import currant_lab, my_jobs
        from currant_lab.client import current
        from currant_lab.database.submit import NewExecution, Placement, insert_again
        from currant_lab.loop import background
        e = my_jobs.double.submit(4)
        row = NewExecution.make(e.id.bytes, Placement("my_jobs:double"), b"[1]")
        for attempt in (
            lambda: my_jobs.double.submit(e),
            lambda: my_jobs.double.map([e]),
            lambda: background.run(insert_again(current.peek().database, [row])),
        ):
            try:
                attempt()
            except currant_lab.DatabaseUnavailable as error:
                print(error)
        """,
    )
    assert said.count("lacks a right: permission denied for table executions") == 3
    conn = await leased.connect()
    written = await conn.fetchval(f"SELECT count(*) FROM {leased.schema}.executions")
    await conn.close()
    assert written == 1, "nothing of a refused one is there"


async def test_a_submitter_reads_nobody_s_payloads_and_writes_nothing_else(users, leased):
    s = leased.schema
    conn = await connect(users("submit"))
    made = await conn.fetchval(f"SELECT {s}.submit('a:b', '[1]')")
    assert await conn.fetchval(f"SELECT status FROM {s}.executions WHERE id = $1", made) == "pending"
    await conn.close()
    await refused(
        users("submit"),
        *(f"SELECT {column} FROM {s}.executions" for column in ("args", "logs", "attempts", "claimed_by")),
        *(f"SELECT {column} FROM {s}.history" for column in ("args", "result", "error", "logs")),
        f"SELECT * FROM {s}.all_executions",
        f"SELECT * FROM {s}.pools",
        f"SELECT * FROM {s}.sources",
        f"UPDATE {s}.executions SET priority = 9",
        f"DELETE FROM {s}.executions",
        f"INSERT INTO {s}.executions (id, job, args, token) VALUES (gen_random_uuid(), 'a', '', 9)",
        f"INSERT INTO {s}.history SELECT * FROM {s}.history",
        f"INSERT INTO {s}.queues VALUES ('default', now())",
        f"SELECT {s}.ensure_history(now())",
        f"CREATE TABLE {s}.mine (x int)",
    )


async def test_a_watcher_writes_nothing(users, leased):
    s = leased.schema
    conn = await connect(users("watch"))
    assert await conn.fetch(f"SELECT * FROM {s}.all_executions") == []
    await conn.close()
    tables = ("executions", "history", "pools", "queues", "batches", "batch_parts", "sources", "migrations")
    await refused(
        users("watch"),
        *(f"DELETE FROM {s}.{table}" for table in tables),
        f"UPDATE {s}.executions SET cancelling = true",
        f"SELECT {s}.submit('a:b', '[1]')",
        f"SELECT {s}.ensure_history(now())",
        f"INSERT INTO {s}.queues VALUES ('default', now())",
    )


async def test_a_worker_changes_no_schema(users, leased):
    s = leased.schema
    await refused(
        users("work"),
        f"DROP TABLE {s}.executions",
        f"ALTER TABLE {s}.history ADD COLUMN more text",
        f"CREATE TABLE {s}.mine (x int)",
        f"INSERT INTO {s}.migrations VALUES (99, 'forged')",
        f"UPDATE {s}.migrations SET version = 99",
    )


def test_a_submitter_runs_no_pool_and_is_told_why(users, shell, leased):
    shell.env["CURRANT_DATABASE_URL"] = users("submit").url()
    done = shell("worker", "-m", "my_jobs")
    assert done.code == 1
    assert "this user may submit, and run no pool" in done.err
    assert f"GRANT {leased.schema}_work" in done.err
