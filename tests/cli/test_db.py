"""`currant db` on an embedded server of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from currant_lab.database.embedded.locks import is_held
from tests.cli.conftest import Shell
from tests.servers import scratch_directory


@pytest.fixture
def home(shell: Shell) -> Iterator[Path]:
    made = scratch_directory()
    shell.env = {name: value for name, value in shell.env.items() if not name.startswith("CURRANT_")}
    shell.env["CURRANT_HOME"] = str(made / "home")
    yield made / "home"
    shell("db", "stop")
    shutil.rmtree(made)


def test_start_and_stop(shell: Shell, home: Path) -> None:
    store = Path(shell("db", "where").out.strip())
    assert store.parent == home
    assert not store.exists()
    asked = shell("db", "url")
    assert (asked.code, asked.out) == (1, "")
    assert "`currant db start` starts it" in asked.err
    assert shell("db", "stop").out == "it was not running\n"
    assert not store.exists()

    started = shell("db", "start", "--json").json
    assert (started["started"], started["where"]) == (True, str(store))
    assert not shell("db", "start", "--json").json["started"]
    assert shell("db", "where", "--json").json["running"]
    url = shell("db", "url").out.strip()
    assert url == started["url"]
    assert is_held(store / "keeper")

    # A command like any other: it makes the schema, and does not take the server with it when it ends.
    assert "nothing waits or runs" in shell("status").out
    assert shell("status", "--database", url).code == 0
    asked = shell("db", "psql", "--", "-Atc", "SELECT count(*) FROM executions")
    assert (asked.code, asked.out) == (0, "0\n")
    assert shell("db", "psql", "--", "-c", "nonsense").code == 1

    doctor = shell("doctor")
    assert (doctor.code, doctor.err) == (0, "")
    assert doctor.out.endswith("all is well\n")

    assert shell("db", "stop", "--json").json == {"stopped": True, "was_running": True}
    assert not is_held(store / "live")
    assert not (store / "keeper").exists()


def test_a_url_in_force_is_mentioned(shell: Shell, home: Path) -> None:
    shell.env["CURRANT_DATABASE_URL"] = shell.leased.url
    assert shell("db", "url").out.strip() == str(shell.leased.target)
    stopped = shell("db", "stop")
    assert stopped.code == 0
    assert "a database URL is set" in stopped.err
