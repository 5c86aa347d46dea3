"""What `currant doctor` finds, and that it never tells a password."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from currant_lab.database import health, serving
from currant_lab.database.url import parse
from tests.cli.conftest import Shell
from tests.conftest import Leased

NAMES = [
    *("connection", "version", "schema", "pooler", "listen", "oldest transaction", "dead tuples", "clock"),
    *("notification queue", "connections", "pools", "waiting for code", "queues"),
]


def look(leased: Leased, schema: str | None = None, *, migrates: bool = False) -> dict[str, health.Finding]:
    found = asyncio.run(health.examine(leased.target, schema or leased.schema, migrates=migrates))
    return {one.name: one for one in found}


@pytest.mark.both_servers
def test_all_is_well(shell: Shell) -> None:
    done = shell("doctor", "--json")
    found = done.json["findings"]
    assert [one["name"] for one in found] == [*NAMES, "embedded store"]
    # Other tests on this server may hold a transaction: everything else is this test's own.
    wrong = [one for one in found if not one["ok"] and one["name"] != "oldest transaction"]
    assert wrong == []
    assert not any(one["advice"] for one in found if one["ok"])


def test_shows_what_to_do(shell: Shell, new_schema: Callable[[], str]) -> None:
    done = shell("doctor", "--schema", new_schema())
    assert done.code == 1
    assert "→ run `currant migrate`" in done.out
    assert "1 of 11 need a look" in done.out


@pytest.mark.both_servers
def test_the_oldest_transaction_and_who_holds_it(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "OLD_TRANSACTION_S", 0.0)

    async def held() -> tuple[int, list[health.Finding]]:
        conn = await leased.connect()
        async with conn.transaction():
            await conn.execute("SELECT 1")
            found = await health.examine(leased.target, leased.schema, migrates=False)
        pid = conn.get_server_pid()
        await conn.close()
        return pid, found

    pid, found = asyncio.run(held())
    finding = {one.name: one for one in found}["oldest transaction"]
    assert not finding.ok
    assert f"process {pid}, 'test' of postgres, idle in transaction" in finding.detail
    assert f"pg_terminate_backend({pid})" in finding.advice


def test_a_table_that_is_locked_does_not_hang_it(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_S", 0.3)

    async def locked() -> list[health.Finding]:
        conn = await leased.connect()
        async with conn.transaction():
            await conn.execute(f"LOCK TABLE {leased.schema}.migrations")
            found = await health.examine(leased.target, leased.schema, migrates=False)
        await conn.close()
        return found

    (finding,) = asyncio.run(locked())
    assert not finding.ok
    assert "answers nothing within 0.3 s" in finding.detail


def test_thresholds(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CLOCK_S", 0.0)
    monkeypatch.setattr(health, "FEW_CONNECTIONS", 0.0)
    monkeypatch.setattr(health, "MANY_DEAD", 0)
    monkeypatch.setattr(health, "FULL_QUEUE", 0.0)
    found = look(leased)
    for name in ("clock", "connections", "dead tuples", "notification queue"):
        assert not found[name].ok
        assert found[name].advice


def test_a_schema_that_the_next_start_makes(leased: Leased, new_schema: Callable[[], str]) -> None:
    found = look(leased, new_schema(), migrates=True)
    assert found["schema"].ok
    assert "pools" not in found


def test_a_password_is_never_told(shell: Shell) -> None:
    port = shell.leased.server.port
    for url in (
        f"postgresql://locked:s3cretword@127.0.0.1:{port}/postgres",
        "postgresql://me:s3cretword@127.0.0.1:1/nothing",
        "postgresql://me:s3cret/word@127.0.0.1/nothing",
        "mysql://me:s3cretword@127.0.0.1/nothing",
    ):
        for words in (("doctor",), ("doctor", "--json"), ("status", "-v"), ("db", "url"), ("db", "psql")):
            done = shell_quiet(shell, words, url)
            assert "s3cret" not in done


def shell_quiet(shell: Shell, words: tuple[str, ...], url: str) -> str:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "currant_lab", *words],
        env=shell.env | {"CURRANT_DATABASE_URL": url}, capture_output=True, text=True, timeout=30, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_an_unreachable_database_is_one_kind_line(shell: Shell) -> None:
    url = "postgresql://me:s3cretword@127.0.0.1:1/nothing"
    for words in (("status",), ("list", "--json"), ("worker", "-m", "my_jobs"), ("migrate",), ("pause", "x")):
        done = shell(*words, CURRANT_DATABASE_URL=url)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert "no server answers at 127.0.0.1:1" in done.err
    doctor = shell("doctor", "--json", CURRANT_DATABASE_URL=url)
    assert doctor.code == 1
    assert [(one["name"], one["ok"]) for one in doctor.json["findings"]] == [
        ("connection", False),
        ("embedded store", True),
    ]


def test_lock_keys_are_the_engine_s() -> None:
    assert serving.lock_key("") == 0x811C9DC5 & 0x7FFFFFFF
    assert serving.lock_key("a") == 0xE40C292C & 0x7FFFFFFF  # FNV-1a's own test vectors
    assert serving.lock_key("foobar") == 0xBF9CF968 & 0x7FFFFFFF


def test_the_target_of_a_finding_is_shown_without_its_password() -> None:
    finding = health.unreachable(health.DatabaseUnavailable(str(parse("postgresql://me:s3cret@h/x"))))
    assert "s3cret" not in repr(finding)
