"""Waits where no pool lives in this process: resolved by events, and by a slow look for those that were missed."""

from __future__ import annotations

import threading
import time

import pytest

from currant_lab.client.client import Client
from currant_lab.client.job import job
from currant_lab.errors import DatabaseUnavailable
from currant_lab.pool.listener import Listener
from tests.client.conftest import Hand
from tests.client.test_wait import later, until


@job
def double(x: int) -> int:
    return 2 * x


@pytest.fixture
def no_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only events can bring news."""
    for name in ("_SWEEP_S", "_DEAF_SWEEP_S", "_LOCAL_SWEEP_S"):
        monkeypatch.setattr(f"currant_lab.client.waiting.{name}", 3_600.0)


@pytest.mark.both_servers
@pytest.mark.usefixtures("no_sweeps")
def test_an_event_brings_the_news(client: Client, hand: Hand) -> None:
    handle = double.submit(1)

    def work() -> None:
        until(lambda: client.waits._is_listening)
        hand.finish(value=2)
        hand.notify()

    thread = later(work)
    assert handle.result(20) == 2
    thread.join()


@pytest.mark.usefixtures("no_sweeps")
def test_a_batch_by_events(client: Client, hand: Hand) -> None:
    batch = double.map(range(30))

    def work() -> None:
        until(lambda: client.waits._is_listening)
        for _ in range(3):
            hand.finish(10, value=2)
            hand.notify()

    thread = later(work)
    assert batch.results(20) == [2] * 30
    thread.join()


@pytest.mark.usefixtures("no_sweeps")
def test_events_in_a_flood_cost_few_looks(client: Client, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = double.submit(1)
    looks: list[int] = []
    fetch = client.database.fetch

    async def counted(name: str, *args: object) -> object:
        looks.append(1)
        return await fetch(name, *args)

    monkeypatch.setattr(client.database, "fetch", counted)

    def work() -> None:
        until(lambda: client.waits._is_listening)
        for _ in range(500):
            hand.notify()
        hand.finish(value=2)
        hand.notify()

    began = time.monotonic()
    thread = later(work)
    assert handle.result(40) == 2
    lasted = time.monotonic() - began
    thread.join()
    assert len(looks) < 5 + 10 * lasted, "ten a second at most, however long a busy machine takes for the flood"


def test_a_missed_event_is_made_up_for(client: Client, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("currant_lab.client.waiting._SWEEP_S", 0.05)
    handle = double.submit(1)

    def work() -> None:
        until(lambda: client.waits._is_listening)
        hand.finish(value=2)

    thread = later(work)
    assert handle.result(20) == 2
    thread.join()


def test_without_events_the_database_is_asked(client: Client, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    async def refuse(*_: object) -> None:
        tried.set()
        raise DatabaseUnavailable("no more connections")

    monkeypatch.setattr(Listener, "open", refuse)
    monkeypatch.setattr("currant_lab.client.waiting._DEAF_SWEEP_S", 0.02)
    handle = double.submit(1)

    def work() -> None:
        tried.wait()
        hand.finish(value=2)

    thread = later(work)
    assert handle.result(20) == 2
    thread.join()


def test_the_ears_close_when_nobody_waits(client: Client, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("currant_lab.client.waiting._KEEP_EARS_S", 0.02)
    for _ in range(2):  # and open again for the next
        handle = double.submit(1)

        def work() -> None:
            until(lambda: client.waits._is_listening)
            hand.finish(value=2)
            hand.notify()

        thread = later(work)
        assert handle.result(20) == 2
        thread.join()
        until(lambda: not client.waits._is_listening)
        until(lambda: client.waits._task is not None and client.waits._task.done())
