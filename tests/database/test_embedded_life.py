"""The embedded server comes with its first user and goes with its last, however they end."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import psutil
import pytest

from currant_lab.database.connect import Database
from currant_lab.database.embedded import EmbeddedServer
from currant_lab.database.embedded.locks import is_held
from currant_lab.database.embedded.store import Store, stores
from currant_lab.database.resolve import resolve
from currant_lab.settings import Settings
from tests.database.conftest import processes_of


def only_store(home: Path) -> Store:
    (store,) = stores(home)
    return store


def is_gone(home: Path, patience: float = 20.0) -> bool:
    """Whether no server process is left, after waiting for the lock that they all hold."""
    return not is_held(only_store(home).live, timeout=patience) and not processes_of(home, patience=5)


@pytest.mark.home("new")
async def test_first_start_query_and_stop(home):
    server = EmbeddedServer(home)
    assert not server.is_running
    target, migrates = resolve(Settings(home=home))
    assert migrates
    database = await Database.open(target, "currant", migrate=True)
    assert database.server_version >= (18, 0)
    assert not database.pooled
    await database.close()
    assert server.is_running
    assert server.where.stat().st_mode & 0o777 == 0o700
    assert server.stop()
    assert not server.is_running
    assert is_gone(home)


def test_it_is_durable_and_has_no_port(agents):
    agent = agents()
    agent.start()
    facts = agent.ask("facts")
    assert (facts["fsync"], facts["synchronous_commit"], facts["full_page_writes"]) == ("on", "on", "on")
    assert (facts["listen_addresses"], facts["unix_socket_permissions"]) == ("", "0700")
    assert psutil.Process(facts["pid"]).net_connections(kind="inet") == []
    agent.exit()


def test_a_warm_start_finds_what_was_there(agents, home):
    first = agents()
    first.start()
    cluster = only_store(home).data.stat().st_ino
    first.exit()
    assert is_gone(home)
    second = agents()
    second.start()
    assert only_store(home).data.stat().st_ino == cluster
    second.exit()


def test_the_last_of_two_turns_it_off(agents, home):
    first, second = agents(), agents()
    assert first.start() == second.start()
    assert first.ask("stop")["stopped"] is False
    assert second.ask("facts")["pid"]
    first.exit()
    assert EmbeddedServer(home).is_running
    second.exit()
    assert is_gone(home, patience=0)


def test_start_may_be_called_again_and_again(agents):
    agent = agents()
    assert len({agent.start() for _ in range(5)}) == 1
    assert agent.ask("stop")["stopped"]
    assert agent.ask("stop")["stopped"]
    agent.start()
    agent.exit()


def test_a_killed_owner_leaves_it_to_a_clean_exit(agents, home):
    owner, other = agents(grace=60), agents()
    owner.start()
    other.start()
    owner.kill()
    assert other.ask("facts")["pid"]
    other.exit()
    assert is_gone(home, patience=0)


def test_the_watcher_stops_it_when_everybody_was_killed(agents, home):
    first, second = agents(grace=0.2), agents()
    first.start()
    second.start()
    first.kill()
    second.kill()
    assert is_gone(home)


def test_whoever_comes_within_the_grace_time_keeps_it(agents, home):
    first, second = agents(grace=8), agents()
    first.start()
    pid = first.ask("facts")["pid"]
    second.ask("ready")  # it has loaded all it needs, so only its start has to fit into the grace time
    first.kill()
    second.start()
    assert second.ask("facts")["pid"] == pid
    # The watcher's next look comes after the grace time: its lease thread has to have been told to go on.
    second.kill()
    assert is_gone(home)


def test_nothing_is_left_when_the_watcher_is_killed_as_well(agents, home):
    agent = agents(grace=60)
    agent.start()
    watcher = only_store(home).watcher_pid()
    agent.kill()
    os.kill(watcher, signal.SIGKILL)
    assert is_gone(home)


@pytest.mark.parametrize("victim", ["watcher", "postmaster"])
def test_a_server_that_dies_in_use_is_started_again(agents, home, victim):
    agent = agents()
    agent.start()
    pid = agent.ask("facts")["pid"]
    server = psutil.Process(pid)
    os.kill(pid if victim == "postmaster" else only_store(home).watcher_pid(), signal.SIGKILL)
    server.wait(40)
    assert agent.ask("facts")["pid"] != pid
    agent.exit()
    assert is_gone(home, patience=0)


def test_an_idle_lease_holder_starts_it_again_by_itself(agents, home):
    agent = agents()
    agent.start()
    pid = agent.ask("facts")["pid"]
    server = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    server.wait(40)
    store = only_store(home)
    came = threading.Event()
    while not store.answers() and not came.wait(0.02):
        assert agent.is_alive
    agent.exit()


def test_an_interrupt_leaves_the_server_alone(agents):
    agent = agents()
    agent.start()
    pid = agent.ask("facts")["pid"]
    agent.interrupt_group()
    assert agent.hear() == "interrupted"
    assert agent.ask("facts")["pid"] == pid
    agent.exit()


def test_a_forked_child_that_exits_does_not_take_it_along(agents):
    agent = agents()
    agent.start()
    pid = agent.ask("facts")["pid"]
    assert agent.ask("fork")["status"] == 0
    assert agent.ask("facts")["pid"] == pid
    agent.exit()


@pytest.mark.home("new")
def test_four_processes_at_once_on_a_new_directory(agents):
    four = [agents() for _ in range(4)]
    for agent in four:
        agent.send("start")
    assert len({agent.hear()["url"] for agent in four}) == 1
    assert len({agent.ask("facts")["pid"] for agent in four}) == 1
    for agent in four:
        agent.exit()


@pytest.mark.home("new")
def test_four_threads_at_once_on_a_new_directory(home):
    targets = []
    threads = [threading.Thread(target=lambda: targets.append(EmbeddedServer(home).start())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(targets) == 4
    assert len(set(targets)) == 1
    assert EmbeddedServer(home).stop()
