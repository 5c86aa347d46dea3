"""The engine as Python holds it: types, errors, signals. What it does in the database is tested in Rust."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from currant_lab._native import Engine, Listener, News
from currant_lab.errors import CurrantError, DatabaseUnavailable, SchemaOutdated
from currant_lab.ids import new_ids
from currant_lab.latency import Histogram
from tests.conftest import Leased
from tests.native.conftest import take, until

Connect = Callable[..., Engine]


async def submit(leased: Leased, count: int = 1, **columns: Any) -> list[bytes]:
    ids = new_ids(count)
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", ${number}" for number in range(2, len(columns) + 2))
    connection = await leased.connect()
    await connection.execute(
        f"INSERT INTO {leased.schema}.executions (id, job, args{names})"
        f" SELECT id, 'm:f', '[1]'{values} FROM unnest($1::uuid[]) AS id",
        ids,
        *columns.values(),
    )
    await connection.execute(f"SELECT pg_notify('{leased.schema}_wake', '+default')")
    await connection.close()
    return ids


async def fetch(leased: Leased, columns: str, table: str) -> list[Any]:
    connection = await leased.connect()
    rows = await connection.fetch(f"SELECT {columns} FROM {leased.schema}.{table}")
    await connection.close()
    return [tuple(row) for row in rows]


def news_until(engine: Engine, ticket: int) -> News:
    def ask() -> News | None:
        news = engine.news()
        return news if news.committed >= ticket else None

    return until(engine, ask)


@pytest.mark.both_servers
async def test_what_is_claimed_says_everything_in_pythons_own_types(leased: Leased, connect: Connect) -> None:
    due = datetime(2024, 2, 29, 12, 30, 15, 123457, tzinfo=UTC)
    (submitted,) = await submit(
        leased, priority=7, retries=3, batch=2**40, due_at=due, options=json.dumps({"timeout": 5})
    )
    engine = connect()
    (claimed,) = take(engine, 1)
    assert (claimed.id, claimed.job, claimed.queue, claimed.priority) == (submitted, "m:f", "default", 7)
    assert (claimed.attempt, claimed.token, claimed.rescues, claimed.retries) == (1, 1, 0, 3)
    assert (claimed.batch, claimed.args, json.loads(claimed.options or "")) == (2**40, b"[1]", {"timeout": 5})
    assert claimed.due_at == due
    assert claimed.due_at.tzinfo is UTC
    ((created_at, claimed_at),) = await fetch(leased, "created_at, claimed_at", "executions")
    assert (claimed.created_at, claimed.claimed_at) == (created_at, claimed_at)
    assert timedelta(microseconds=claimed.wait_us) >= claimed.claimed_at - due
    assert "m:f" in repr(claimed)


async def test_what_is_not_there_is_none(leased: Leased, connect: Connect) -> None:
    await submit(leased)
    (claimed,) = take(connect(), 1)
    assert (claimed.retries, claimed.batch, claimed.due_at, claimed.options) == (None, None, None, None)


@pytest.mark.both_servers
async def test_outcomes_come_back_as_tickets(leased: Leased, connect: Connect) -> None:
    await submit(leased, 4)
    engine = connect()
    one, two, three, four = take(engine, 4)
    assert engine.settle(one.id, one.token, "succeeded", result=b"\x00\xff", run_us=1000, source="abc") == 1
    assert engine.settle(two.id, two.token + 1, "failed", error="{}") == 2
    assert engine.settle(three.id, three.token, "failed", error="not JSON") == 3
    assert engine.settle(four.id, four.token, "retry", error="{}", delay=60.0, logs="a \ud800 surrogate") == 4
    stale: list[int] = []
    refused: dict[int, str] = {}

    def ask() -> bool:
        news = engine.news()
        stale.extend(news.stale)
        refused.update(news.refused)
        return news.committed == 4

    until(engine, ask)
    assert stale == [2]
    assert list(refused) == [3]
    assert "22P02" in refused[3]
    assert await fetch(leased, "result", "history WHERE status = 'succeeded'") == [(b"\x00\xff",)]
    ((logs,),) = await fetch(leased, "logs", "executions WHERE status = 'scheduled'")
    assert logs.startswith("a ")
    stats = engine.stats()
    # The second is still held: nobody has settled the claim that it is.
    assert (stats.claimed, stats.settled, stats.stale, stats.running, stats.unsettled) == (4, 3, 1, 1, 0)


async def test_what_makes_no_sense_is_refused_at_the_call(connect: Connect) -> None:
    engine = connect()
    with pytest.raises(ValueError, match="16 bytes, not 3"):
        engine.settle(b"abc", 1, "succeeded")
    with pytest.raises(ValueError, match="'retry'|retry, not"):
        engine.settle(bytes(16), 1, "pending")
    with pytest.raises(TypeError):
        engine.settle("text", 1, "succeeded")  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        engine.take(-1)
    assert engine.take(0) == []


async def test_the_descriptor_is_readable_when_there_is_something(leased: Leased, connect: Connect) -> None:
    engine = connect(workers=1)
    engine.clear()

    def is_readable(patience: float) -> bool:
        return bool(select.select([engine.fileno()], [], [], patience)[0])

    assert not is_readable(0)
    await submit(leased)
    assert is_readable(20)
    engine.clear()
    assert not is_readable(0)
    (claimed,) = engine.take(5)
    engine.settle(claimed.id, claimed.token, "succeeded")
    assert is_readable(20)
    news_until(engine, 1)


async def test_cancellation_reaches_the_holder(leased: Leased, connect: Connect) -> None:
    await submit(leased, 2)
    engine = connect(workers=2)
    (taken,) = take(engine, 1)
    connection = await leased.connect()
    await connection.execute(f"UPDATE {leased.schema}.executions SET cancelling = true")
    await connection.execute(f"SELECT pg_notify('{leased.schema}_wake', '!cancel {engine.pool_id}')")
    await connection.close()
    seen: list[Any] = []
    ended: list[Any] = []

    def ask() -> bool:
        news = engine.news()
        seen.extend(news.cancel)
        ended.extend(news.cancelled)
        return bool(seen) and bool(ended)

    until(engine, ask)
    assert seen == [(taken.id, taken.token)]
    assert await fetch(leased, "id, token", "history") == ended


async def test_stats_are_numbers_and_histograms(leased: Leased, connect: Connect) -> None:
    await submit(leased, 3)
    engine = connect()
    for claimed in take(engine, 3):
        last = engine.settle(claimed.id, claimed.token, "succeeded", run_us=100)
    news_until(engine, last)
    stats = engine.stats()
    assert set(stats.wakes) == {"notify", "capacity", "poll", "start"}
    assert sum(stats.wakes.values()) == stats.claims
    assert stats.listening is True
    assert 0 <= stats.lease_age_s < 10
    assert stats.statements >= stats.claims + 1
    assert sum(count for _, count in stats.claim_sizes) == stats.claims
    assert len(Histogram(stats.wait_us)) == len(Histogram(stats.run_us)) == 3
    assert 94 <= Histogram(stats.run_us).quantile(0.5) <= 106
    assert (stats.workers, stats.buffered, stats.released, stats.rescued, stats.reconnects) == (10, 0, 0, 0, 0)
    with pytest.raises(AttributeError):
        stats.workers = 3  # type: ignore[misc]
    engine.set_workers(3)
    assert engine.stats().workers == 3


async def test_close_says_goodbye_and_is_harmless_twice(leased: Leased, connect: Connect) -> None:
    await submit(leased, 3)
    engine = connect()
    take(engine, 1)
    assert engine.drain(5.0) is True
    engine.close(5.0)
    engine.close(5.0)
    assert await fetch(leased, "status, attempt", "executions") == [("pending", 0)] * 3
    assert await fetch(leased, "stopped_at IS NOT NULL", "pools") == [(True,)]
    assert engine.news().connected is False
    assert engine.take(1) == []


def unreachable(target: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return target | {"connect_timeout": 1.0} | changes


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hosts": [("/no/such/directory", 5432)]}, "No such file"),
        ({"hosts": [("127.0.0.1", 1)]}, "refused"),
        ({"hosts": []}, "no host"),
        ({"database": "no_such_database"}, "does not exist"),
        ({"user": "no_such_user"}, "no_such_user"),
    ],
)
async def test_connect_says_why_not(connect: Connect, leased: Leased, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=says):
        connect(**unreachable({}, **changes))
    with pytest.raises(DatabaseUnavailable, match=says):
        Listener.connect(**unreachable(leased.target.engine_args(), **changes), channels=["a"])


async def test_a_missing_schema_asks_for_migrate(connect: Connect) -> None:
    with pytest.raises(SchemaOutdated, match="currant migrate") as caught:
        connect(schema="there_is_no_such_schema")
    assert isinstance(caught.value, CurrantError)


@pytest.mark.parametrize(
    "changes",
    [{"schema": "Bad"}, {"queues": []}, {"sslmode": "maybe", "hosts": [("127.0.0.1", 1)]},
     {"target_session_attrs": "standby"}],
)  # fmt: skip
async def test_arguments_that_make_no_sense(connect: Connect, changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, DatabaseUnavailable)):
        connect(**changes)


async def test_connect_lets_other_threads_run(connect: Connect) -> None:
    """The GIL is free while a server does not answer."""
    ticks = 0
    over = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not over.wait(0.01):
            ticks += 1

    thread = threading.Thread(target=tick)
    thread.start()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DatabaseUnavailable, match="no answer"):
        connect(hosts=[silent.getsockname()], connect_timeout=2.0)
    over.set()
    thread.join()
    assert ticks > 5


async def test_a_password_is_in_no_error(connect: Connect) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        connect(user="no_such_user", password="hush-hush")
    assert "hush" not in str(caught.value)
