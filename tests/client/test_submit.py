"""Submitting: one by one, together, inside somebody's transaction; what is refused leaves nothing."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from currant_lab.client.client import Client
from currant_lab.client.handles import Execution
from currant_lab.client.job import Job, job, set_on_redefine
from currant_lab.errors import CurrantError, InvalidArguments, NotStorable
from currant_lab.jobs import Backoff, registry
from currant_lab.loop import background
from currant_lab.values import decode_args
from tests.client.conftest import Hand
from tests.conftest import Leased


@job
def double(x: int, by: int = 2) -> int:
    """Twice."""
    return x * by


@job(queue="slow", priority=-3, retries=2, backoff=5, timeout=30)
async def fetch(url: str) -> str:
    return url


def rows(hand: Hand) -> list[Any]:
    return hand.sql("SELECT * FROM currant.executions ORDER BY id")


def test_a_plain_call_is_the_plain_function(hand: Hand) -> None:
    assert double(3) == 6
    assert asyncio.run(fetch("u")) == "u"  # type: ignore[arg-type]
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice."
    assert rows(hand) == []


@pytest.mark.both_servers
def test_submit_is_on_disk_when_it_returns(client: Client, hand: Hand) -> None:
    handle = double.submit(3, by=4)
    (row,) = rows(hand)
    assert isinstance(handle, Execution)
    assert row["id"] == handle.id.bytes
    assert handle.id.version == 7
    assert (row["job"], row["queue"], row["priority"], row["status"]) == (double.name, "default", 0, "pending")
    assert (row["retries"], row["options"], row["due_at"]) == (None, None, None)
    assert decode_args(row["args"]) == ([3, 4], {})
    assert handle.job == "tests.client.test_submit:double"


def test_policy_of_the_job_and_of_the_submit(hand: Hand) -> None:
    fetch.submit("a")
    fetch.options(priority=7, queue="fast", retries=5, backoff=Backoff(base=2), timeout=None).submit("b")
    first, second = rows(hand)
    assert (first["queue"], first["priority"], first["retries"], first["options"]) == ("slow", -3, None, None)
    assert (second["queue"], second["priority"], second["retries"]) == ("fast", 7, 5)
    policy = fetch.spec.policy.of_row(second["retries"], second["options"])
    assert (policy.timeout, policy.backoff, policy.retries) == (None, Backoff(base=2), 5)
    assert fetch.policy.queue == "slow"


@pytest.mark.both_servers
def test_delay_and_moment(hand: Hand) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    double.options(delay=60).submit(1)
    double.options(at=tomorrow).submit(2)
    double.options(at=datetime.now(UTC) - timedelta(days=1)).submit(3)
    double.options(delay=0).submit(4)
    double.options(delay=60).map([5])
    double.options(at=tomorrow).map([6])
    found = rows(hand)
    assert [row["status"] for row in found] == [
        "scheduled",
        "scheduled",
        "pending",
        "pending",
        "scheduled",
        "scheduled",
    ]
    now = datetime.now(UTC)
    assert timedelta(seconds=50) < found[0]["due_at"] - now < timedelta(seconds=61)
    assert found[1]["due_at"] == tomorrow
    assert found[2]["due_at"] is None
    assert timedelta(seconds=50) < found[4]["due_at"] - now < timedelta(seconds=61)
    assert found[5]["due_at"] == tomorrow


@pytest.mark.parametrize(
    "options",
    [
        {"delay": -1},
        {"delay": float("nan")},
        {"delay": float("inf")},
        {"delay": "soon"},
        {"delay": True},
        {"delay": 1e12},
        {"at": datetime(2030, 1, 1)},
        {"at": 5},
        {"at": datetime(2030, 1, 1, tzinfo=UTC), "delay": 1},
        {"queue": ""},
        {"queue": "q" * 201},
        {"queue": "a\nb"},
        {"queue": 5},
        {"priority": 40_000},
        {"priority": 1.5},
        {"priority": True},
        {"retries": -1},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"backoff": "x"},
        {"nothing": 1},
    ],
    ids=repr,
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        double.options(**options)


@pytest.mark.parametrize("queue", ["with 'quotes' \"\\", "emoji 🫐", "%s {0} $1", "x" * 200])
def test_odd_queue_names(client: Client, hand: Hand, queue: str) -> None:
    handle = double.options(queue=queue).submit(1)
    double.options(queue=queue).map([1, 2])
    assert {row["queue"] for row in rows(hand)} == {queue}
    assert [count.name for count in client.queues()] == [queue]
    assert [found.id for found in client.executions(queue=queue)][-1] == handle.id


def test_a_refused_argument_leaves_nothing_written(hand: Hand) -> None:
    for call in (
        lambda: double.submit(),
        lambda: double.submit(1, 2, 3),
        lambda: double.submit(object()),
        lambda: double.map([1, 2, object(), 3]),
        lambda: double.map([(1, 2)], [1, float("nan")][1:]),
        lambda: double.map(5),
        lambda: double.map(),
        lambda: double.map([1], batch=""),
    ):
        with pytest.raises((InvalidArguments, NotStorable)):
            call()
    assert rows(hand) == []
    assert hand.sql("SELECT * FROM currant.batches") == []


def test_a_refused_call_of_a_map_is_counted(client: Client) -> None:
    with pytest.raises(NotStorable, match="x: ") as caught:
        double.map(x if x != 7_001 else object() for x in range(8_000))
    assert "call 7001" in caught.value.__notes__[0]


def test_a_limit_of_the_settings(leased: Leased, client: Client, hand: Hand) -> None:
    client.payload_limit = 10
    double.submit(1)
    with pytest.raises(NotStorable, match="x: 12 bytes, and 10 are allowed"):
        double.submit("x" * 8)
    with pytest.raises(NotStorable):
        double.map(["x" * 8])
    assert len(rows(hand)) == 1


def test_asubmit_on_any_loop(client: Client, hand: Hand) -> None:
    async def many() -> list[Execution]:
        return await asyncio.gather(*(double.asubmit(i) for i in range(3_000)))

    handles = asyncio.run(many()) + background.run(many())
    assert {row["id"] for row in rows(hand)} == {handle.id.bytes for handle in handles}
    assert len(handles) == 6_000


def test_submit_from_many_threads_shares_statements(client: Client, hand: Hand) -> None:
    handles: list[Execution] = []

    def work() -> None:
        for i in range(50):
            handles.append(double.submit(i))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row["id"] for row in rows(hand)} == {handle.id.bytes for handle in handles}


def test_a_cancelled_asubmit_is_not_written_or_is(client: Client, hand: Hand) -> None:
    async def work() -> None:
        task = asyncio.create_task(double.asubmit(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await double.asubmit(2)

    background.run(work())
    assert 2 in [decode_args(row["args"])[0][0] for row in rows(hand)]


def test_blocking_calls_on_the_background_loop_say_what_to_use(client: Client) -> None:
    async def handler() -> None:
        with pytest.raises(CurrantError, match="asubmit"):
            double.submit(1)
        with pytest.raises(CurrantError, match="amap"):
            double.map([1])
        handle = await double.asubmit(1)
        for blocked in (handle.result, handle.wait, handle.cancel, handle.retry, handle.refresh):
            with pytest.raises(CurrantError, match="await"):
                blocked()
        with pytest.raises(CurrantError, match="arefresh"):
            _ = handle.status
        assert (await handle.arefresh()).status == "pending"
        batch = await double.amap([1, 2])
        with pytest.raises(CurrantError, match="await"):
            batch.results()
        with pytest.raises(CurrantError, match="async for"):
            list(batch.as_completed())
        assert await batch.acounts() == {"pending": 2}
        assert await batch.acancel() == 2

    background.run(handler())


@pytest.mark.both_servers
async def test_submit_joins_the_callers_transaction(leased: Leased, client: Client) -> None:
    conn = await leased.connect()
    watcher = await leased.connect()
    heard: asyncio.Queue[str] = asyncio.Queue()
    await watcher.add_listener(f"{leased.schema}_wake", lambda *news: heard.put_nowait(news[-1]))
    try:
        transaction = conn.transaction()
        await transaction.start()
        one = await double.submit(1, connection=conn)
        two = await double.options(connection=conn, queue="q", delay=9).submit(2)
        count = f"SELECT count(*) FROM {leased.schema}.executions"
        assert await conn.fetchval(count) == 2
        assert await watcher.fetchval(count) == 0
        assert heard.empty()
        await transaction.commit()
        assert {await heard.get(), await heard.get()} == {"+default", "@"}
        assert {one.queue, two.queue} == {"default", "q"}

        transaction = conn.transaction()
        await transaction.start()
        await double.submit(3, connection=conn)
        await transaction.rollback()
        assert await conn.fetchval(count) == 2
    finally:
        await conn.close()
        await watcher.close()


async def test_a_plain_asyncpg_connection_will_do_and_nothing_else(leased: Leased, client: Client) -> None:
    import asyncpg

    conn = await asyncpg.connect(**leased.target.asyncpg_args())
    handle = await double.submit(1, connection=conn)
    assert await conn.fetchval(f"SELECT id FROM {leased.schema}.executions") == handle.id
    await conn.close()
    with pytest.raises(InvalidArguments, match="asyncpg"):
        await double.submit(1, connection=object())


def test_a_parameter_called_connection_is_an_argument(client: Client, hand: Hand) -> None:
    @job
    def dial(connection: str) -> None: ...

    dial.submit(connection="tcp")
    (row,) = rows(hand)
    assert decode_args(row["args"]) == (["tcp"], {})


def test_one_wake_up_per_queue(leased: Leased, client: Client) -> None:
    async def work() -> list[str]:
        conn = await leased.connect()
        heard: list[str] = []
        done = asyncio.Event()
        await conn.add_listener(f"{leased.schema}_wake", lambda *news: (heard.append(news[-1]), done.set()))
        await double.amap(range(100))
        await done.wait()
        done.clear()
        await asyncio.gather(*(double.options(queue=f"q{i % 2}").asubmit(i) for i in range(10)))
        await conn.execute(f"SELECT pg_notify('{leased.schema}_wake', 'end')")
        while "end" not in heard:
            done.clear()
            await done.wait()
        await conn.close()
        return heard

    heard = background.run(work())
    assert heard[0] == "+default"
    # The first of the ten went out alone, the nine others together: one wake-up per queue and statement.
    assert set(heard[1:-1]) == {"+q0", "+q1"}
    assert len(heard) <= 5


def test_the_local_pool_is_woken_for_what_is_due(client: Client) -> None:
    woken: list[bool] = []
    client.on_submitted = lambda: woken.append(background.is_current)
    double.options(delay=60).submit(1)
    double.options(delay=60).map([1])
    assert woken == []
    double.submit(1)
    double.map([1])
    background.run(asyncio.sleep(0))
    assert woken == [True, True]


def test_redefining_replaces_and_tells_once() -> None:
    told: list[str] = []
    set_on_redefine(told.append)
    try:

        @job(name="again")
        def work() -> int:
            return 1

        first = registry.get("again")

        @job(name="again")
        def work() -> int:  # type: ignore[no-redef]  # noqa: F811
            return 2

        second = registry.get("again")
        job(name="again")(work)
    finally:
        set_on_redefine(None)
    assert first is not None
    assert second is not None
    assert first.version != second.version
    assert told == ["`work` redefined: executions that start from now on run the new version"]


def test_methods_and_static_functions(client: Client, hand: Hand) -> None:
    class Tool:
        factor = 3

        @job
        def times(self, x: int) -> int:
            return self.factor * x

        @staticmethod
        @job
        def plus(x: int) -> int:
            return x + 1

    assert Tool().times(2) == 6
    assert Tool.plus(2) == 3
    assert isinstance(Tool.plus.submit(2).id, UUID)
    with pytest.raises(NotStorable, match="self: "):
        Tool.times.submit(Tool(), 2)
    with pytest.raises(AttributeError):
        Tool().times.submit(2)
    assert len(rows(hand)) == 1


@pytest.mark.parametrize(
    "options", [{"name": ""}, {"name": "a\nb"}, {"name": "x" * 1000}, {"retries": "a"}, {"queue": ""}]
)
def test_a_job_with_words_that_will_not_do(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        job(**options)(lambda: None)


def test_what_is_no_job() -> None:
    def generator() -> Any:
        yield 1

    for thing in (5, generator):
        with pytest.raises(InvalidArguments):
            job(thing)  # type: ignore[call-overload]
    assert isinstance(job(double), Job)
    assert repr(double) == "<Job tests.client.test_submit:double>"


def test_a_closed_client_says_so(client: Client) -> None:
    client.close()
    client.close()
    with pytest.raises(CurrantError, match="closed"):
        client.executions()
    with pytest.raises(CurrantError, match="closed"):
        client.submit(double._placement(), b"[1]")
