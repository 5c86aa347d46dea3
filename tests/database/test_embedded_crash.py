"""What a crash leaves behind doesn't keep the embedded server from starting."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.database.conftest import processes_of
from tests.database.test_embedded_life import is_gone, only_store


@pytest.fixture
def crashed(agents, home):
    """A store whose user, watcher and server were all killed at once."""
    agent = agents()
    agent.start()
    store = only_store(home)
    pid = agent.ask("facts")["pid"]
    agent.kill()
    os.kill(store.watcher_pid(), signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    os.kill(store.watcher_pid(), signal.SIGKILL)
    assert is_gone(home)
    assert (store.data / "postmaster.pid").exists()
    return store


def starts_and_serves(agents):
    agent = agents()
    agent.start()
    assert agent.ask("facts")["pid"]
    agent.exit()


def put_pid(store, pid):
    """Have the files of the dead server name another process."""
    for path in (store.data / "postmaster.pid", store.path / "run" / ".s.PGSQL.5432.lock"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([str(pid), *lines[1:]]) + "\n")


def test_after_kill_9_of_everything(agents, crashed):
    starts_and_serves(agents)


def test_the_pid_file_names_a_living_stranger(agents, crashed):
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    put_pid(crashed, stranger.pid)
    starts_and_serves(agents)
    assert stranger.poll() is None
    stranger.communicate(b"\n")


def test_the_pid_file_names_a_zombie(agents, crashed):
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    put_pid(crashed, zombie.pid)
    starts_and_serves(agents)
    zombie.wait()


@pytest.mark.parametrize("text", ["", "12", "nonsense\n\n"])
def test_the_pid_file_is_truncated(agents, crashed, text):
    (crashed.data / "postmaster.pid").write_text(text)
    starts_and_serves(agents)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"socket_directory": 3}'])
def test_the_state_file_is_damaged(agents, crashed, text):
    (crashed.path / "state.json").write_text(text)
    starts_and_serves(agents)


@pytest.mark.home("new")
def test_initdb_was_interrupted(agents, home):
    """Killed for real, in the middle."""
    agent = agents()
    agent.send("start")
    half = home / "pg18" / "pgdata.new" / "PG_VERSION"
    deadline = time.monotonic() + 20
    while not half.exists():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    agent.kill()
    for pid in processes_of(home):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert processes_of(home, patience=10) == []
    assert not (home / "pg18" / "pgdata").exists()
    starts_and_serves(agents)
    assert not half.parent.exists()


def test_the_cluster_is_damaged(agents, home):
    agent = agents()
    agent.start()
    agent.exit()
    (only_store(home).data / "global" / "pg_control").unlink()
    answer = agents().ask("start")
    assert answer["type"] == "DatabaseUnavailable"
    assert "can't start" in answer["error"]
    assert "pg_control" in answer["error"]  # the server's own words
    assert is_gone(home, patience=0)


@pytest.mark.home("new")
def test_the_cluster_is_none(agents, home):
    (home / "pg18" / "pgdata").mkdir(parents=True)
    answer = agents().ask("start")
    assert "no PostgreSQL cluster" in answer["error"]
