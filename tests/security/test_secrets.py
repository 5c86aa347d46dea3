"""A password that is used and nowhere seen: not in outputs, errors, tracebacks, `ps`, the server's views."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.conftest import Leased, Servers

MARK = uuid4().hex
SECRET = f"pässwörd/%20#{MARK}"


@pytest.fixture
def login(leased: Leased, servers: Servers):
    """A user of this test's own whose password the server asks for."""

    async def run(sql: str) -> None:
        await (await servers.superuser(leased.server.name)).execute(sql)

    role = f"{leased.schema}_secret"
    servers.run(run(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{SECRET}'"))
    yield replace(leased.target, user=role, password=SECRET)
    servers.run(run(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"))


SCRIPT = """
import logging, sys, traceback
logging.basicConfig(level=logging.DEBUG)
import currant_lab as currant
from currant_lab import job

@job
async def double(x: int) -> int:
    return 2 * x

@job
async def fails() -> None:
    raise ValueError("no")

pool = currant.start(workers=2)
print(pool, repr(pool), pool.stats(), pool.settings)
e = double.submit(2)
print(e.result(20), e, repr(e))
b = double.map(range(3))
print(b.results(20), b, repr(b))
try:
    fails.submit().result(20)
except Exception:
    traceback.print_exc()
try:
    currant.start(workers=3)
except Exception:
    traceback.print_exc()
from currant_lab.client import current
client = current.get()
print(client, client.database, client.database.target, repr(client.database.target))
from currant_lab.session import settings
print(settings(), repr(settings()))
print("all is said", flush=True)
input()
currant.stop()
"""


def seen(text: str) -> bool:
    """Whether it, or a form of it, stands in a text."""
    return any(form in text for form in (SECRET, quote(SECRET), quote(SECRET, safe=""), MARK))


async def test_nothing_says_it(login, leased: Leased, servers: Servers, tmp_path: Path) -> None:
    env = leased.env | {"CURRANT_DATABASE_URL": login.url(), "PYTHONFAULTHANDLER": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=env, cwd=tmp_path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while "all is said" not in said:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        said += line
    listed = "".join(text for text in map(command_line, Path("/proc").iterdir()) if text)
    assert "import currant_lab as currant" in listed
    assert not seen(listed)
    conn = await leased.connect()
    rows = await conn.fetch("SELECT a::text AS whole FROM pg_stat_activity AS a WHERE usename = $1", login.user)
    assert len(rows) > 2  # others are the test's own, whose CREATE ROLE says it
    assert not seen("".join(row["whole"] for row in rows))
    for table in ("pools", "executions", "history", "sources", "batches"):
        assert not seen(
            "".join(str(row[0]) for row in await conn.fetch(f"SELECT t::text FROM {leased.schema}.{table} AS t"))
        )
    await conn.close()
    out, err = process.communicate("\n", timeout=30)
    assert process.returncode == 0, err
    assert "ValueError: no" in err
    assert "runs already with other settings" in err
    assert not seen(said + out + err)


@pytest.mark.timeout(180)  # four processes, one after the other
@pytest.mark.parametrize(
    "words",
    [("doctor",), ("db", "url"), ("-v", "status", "--json")],
    ids=" ".join,
)
def test_no_command_says_it(login, leased: Leased, tmp_path: Path, words: tuple[str, ...]) -> None:
    for target in (
        login,
        replace(login, user="locked"),
        replace(login, database="nowhere"),
        replace(login, hosts=(("127.0.0.1", 1),)),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "currant_lab", *words],
            env=leased.env | {"CURRANT_DATABASE_URL": target.url()},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout or done.stderr
        assert not seen(done.stdout + done.stderr)


def command_line(directory: Path) -> str | None:
    try:
        return (directory / "cmdline").read_text(errors="replace")
    except OSError:
        return None  # no process, or one that has just ended


def test_the_test_would_see_it(login) -> None:
    assert seen(login.url())
    assert seen(repr(login.asyncpg_args()))
    assert not seen(repr(login))
