"""The database goes away: a submit is written once or not at all, waits go on, and the error says why."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import asyncpg
import pytest

from currant_lab.client import current
from currant_lab.client.client import Client
from currant_lab.client.job import job
from currant_lab.database.connect import Database
from currant_lab.errors import DatabaseUnavailable
from currant_lab.loop import background
from tests.client.conftest import Hand
from tests.client.proxy import Wire, over
from tests.client.test_wait import later, until
from tests.conftest import Leased


@job
def double(x: int) -> int:
    return 2 * x


PATIENCE = 30.0


@pytest.fixture
def client(leased: Leased, wire: Wire) -> Iterator[Client]:
    """Over the wire."""
    database = background.run(Database.open(over(wire, leased), leased.schema, migrate=False))
    made = Client(database, patience=PATIENCE)
    current.put(made)
    yield made
    current.put(None)
    made.close()


def numbers(hand: Hand) -> list[int]:
    return [int(row["args"][1:-1]) for row in hand.sql("SELECT args FROM currant.executions ORDER BY id")]


COMMAND_DONE = {"select": b"SELECT 1\0", "commit": b"COMMIT\0"}


def test_an_answer_that_got_lost(client: Client, wire: Wire, hand: Hand) -> None:
    wire.swallow = COMMAND_DONE["select"]
    handle = double.submit(1)
    assert wire.swallowed.is_set()
    double.submit(2)
    assert numbers(hand) == [1, 2]
    assert handle.status == "pending"


def test_an_answer_that_got_lost_while_the_execution_finished(client: Client, wire: Wire, hand: Hand) -> None:
    wire.swallow = COMMAND_DONE["select"]

    def work() -> None:
        until(wire.swallowed.is_set)
        wire.is_cut = True
        until(lambda: bool(hand.finish(value=2)))
        wire.is_cut = False

    thread = later(work)
    handle = double.submit(1)
    thread.join()
    assert handle.result(10) == 2
    assert numbers(hand) == []


def test_many_whose_answer_got_lost(client: Client, wire: Wire, hand: Hand) -> None:
    async def work() -> None:
        first = asyncio.create_task(double.asubmit(0))
        await asyncio.sleep(0)
        wire.swallow = b"SELECT "
        await asyncio.gather(first, *(double.asubmit(i) for i in range(1, 200)))

    background.run(work())
    assert wire.swallowed.is_set()
    assert numbers(hand) == list(range(200))


def test_a_submit_waits_for_a_database_that_comes_back(client: Client, wire: Wire, hand: Hand) -> None:
    background.run(wire.cut())
    threading.Timer(0.05, setattr, (wire, "is_cut", False)).start()
    double.submit(1)
    assert numbers(hand) == [1]


@pytest.mark.parametrize("way", ["submit", "map", "named map"])
def test_a_connection_that_only_seems_to_be_there_is_given_up(
    client: Client, wire: Wire, hand: Hand, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("currant_lab.database.limits.ANSWER_S", 0.3)
    submit = (
        double.submit if way == "submit" else lambda x: double.map([x], batch="named" if way == "named map" else None)
    )
    submit(0)
    wire.is_dead = True
    threading.Timer(0.1, setattr, (wire, "is_dead", False)).start()
    submit(1)
    assert numbers(hand) == [0, 1]
    double.submit(2)
    assert numbers(hand) == [0, 1, 2]


def test_a_database_that_hangs_is_told_in_words(
    client: Client, wire: Wire, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand.sql("BEGIN")
    hand.sql("LOCK TABLE currant.executions IN ACCESS EXCLUSIVE MODE")
    client._submitter._patience = client.patience = 0.1
    try:
        with monkeypatch.context() as impatient:
            impatient.setattr("currant_lab.database.limits.ANSWER_S", 0.2)
            with pytest.raises(DatabaseUnavailable, match="does not answer: nothing was heard of it for 0.2 s"):
                double.submit(1)
    finally:
        hand.sql("ROLLBACK")
    client._submitter._patience = client.patience = PATIENCE
    double.submit(2)
    assert numbers(hand) == [2]


def test_patience_ends(client: Client, wire: Wire, hand: Hand) -> None:
    client._submitter._patience = client.patience = 0.05
    background.run(wire.cut())
    with pytest.raises(DatabaseUnavailable, match="no server answers|can't be used|ended the connection"):
        double.submit(1)
    with pytest.raises(DatabaseUnavailable):
        asyncio.run(_submit())
    with pytest.raises(DatabaseUnavailable):
        double.map([1, 2])
    wire.is_cut = False
    assert numbers(hand) == []
    client._submitter._patience = client.patience = PATIENCE  # only now has it a server that answers when it can
    double.submit(3)
    double.map([4])
    assert numbers(hand) == [3, 4]


async def _submit() -> None:
    await double.asubmit(2)


@pytest.mark.parametrize("batch", [None, "named"])
def test_a_map_whose_commit_got_lost(client: Client, wire: Wire, hand: Hand, batch: str | None) -> None:
    wire.swallow = COMMAND_DONE["commit"]
    made = double.map(range(100), batch=batch)
    assert wire.swallowed.is_set()
    assert numbers(hand) == list(range(100))
    assert made.counts() == {"pending": 100}
    assert [row["size"] for row in hand.sql("SELECT size FROM currant.batches")] == [100]


def test_a_streamed_map_whose_commit_got_lost(client: Client, wire: Wire, hand: Hand) -> None:
    wire.swallow = COMMAND_DONE["commit"]
    made = double.map(range(55_000))
    assert wire.swallowed.is_set()
    assert made.counts() == {"pending": 55_000}


def test_a_map_whose_connection_breaks_half_way(client: Client, wire: Wire, hand: Hand) -> None:
    wire.swallow = b"COPY "
    double.map(range(100))
    assert wire.swallowed.is_set()
    assert numbers(hand) == list(range(100))
    wire.swallowed.clear()

    wire.swallow = b"COPY "
    with pytest.raises(DatabaseUnavailable):  # too long to be kept: it is not written again
        double.map(range(55_000))
    assert len(numbers(hand)) == 100
    assert double.map(range(10)).counts() == {"pending": 10}


def test_a_wait_outlives_an_outage(client: Client, wire: Wire, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("currant_lab.client.waiting._SWEEP_S", 0.05)
    handle = double.submit(1)

    def work() -> None:
        until(lambda: client.waits._is_listening)
        background.run(wire.cut())
        hand.finish(value=2)
        wire.is_cut = False

    thread = later(work)
    assert handle.result(20) == 2
    thread.join()


def test_a_wait_ends_when_the_database_stays_away(
    client: Client, wire: Wire, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("currant_lab.client.waiting._GIVE_UP_S", 0.05)
    monkeypatch.setattr("currant_lab.client.waiting._SWEEP_S", 0.02)
    monkeypatch.setattr("currant_lab.client.waiting._DEAF_SWEEP_S", 0.02)
    handle = double.submit(1)

    def work() -> None:
        until(lambda: bool(client.waits._waiting))
        background.run(wire.cut())

    thread = later(work)
    with pytest.raises(DatabaseUnavailable):
        handle.result(20)
    thread.join()


def test_a_refusal_is_told_at_once_and_leaves_nothing(leased: Leased, client: Client, hand: Hand) -> None:
    hand.sql("ALTER TABLE currant.executions ADD CONSTRAINT no CHECK (false) NOT VALID")
    with pytest.raises(Exception, match="violates check constraint"):
        double.submit(1)
    hand.sql("ALTER TABLE currant.executions DROP CONSTRAINT no")
    hand.sql("ALTER TABLE currant.executions RENAME TO gone")
    with pytest.raises(DatabaseUnavailable, match="migrate"):
        double.submit(1)
    with pytest.raises(DatabaseUnavailable, match="migrate"):
        double.map([1])
    hand.sql("ALTER TABLE currant.gone RENAME TO executions")
    double.submit(2)
    assert numbers(hand) == [2]


def test_a_server_that_has_gone_is_not_knocked_at_while_nobody_asks(
    client: Client, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    double.submit(1)
    background.run(wire.cut())
    until(lambda: client.database._pool.get_size() == 0)
    for _ in range(3):
        background.run(asyncio.sleep(0.01))
    assert [record.message for record in caplog.records if record.name.startswith("asyncpg")] == []
    wire.is_cut = False
    assert double.submit(2).status == "pending"


@pytest.mark.parametrize("first", [asyncpg.InternalClientError("cannot switch to state 21"), asyncio.CancelledError()])
def test_what_went_wrong_first_is_told(client: Client, hand: Hand, first: BaseException) -> None:
    """asyncpg can't roll back a connection on which something is still under way, and says that."""

    async def work() -> BaseException | None:
        under_way: asyncio.Future[object] | None = None
        try:
            async with client.database.acquire() as conn:
                await conn.execute("BEGIN")
                under_way = asyncio.ensure_future(conn.fetch("SELECT pg_sleep(30)"))
                await asyncio.sleep(0)
                raise first
        except (Exception, asyncio.CancelledError) as error:
            assert under_way is not None
            await asyncio.wait({under_way})
            assert under_way.exception() is not None, "its connection was closed"
            return error

    told = background.run(work())
    assert told is first or (isinstance(told, DatabaseUnavailable) and str(first) in str(told))
    double.submit(1)
    assert numbers(hand) == [1]
