"""Following a real database: counts agree with the tables, events come through, a cut connection is made again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from currant_lab.errors import DatabaseUnavailable
from currant_lab.settings import Settings, load
from currant_lab.watch.live import Live
from tests.conftest import Leased

POOL = """
import sys, currant_lab as currant
from currant_lab import job

@job(name="watched:half")
async def half(n: int) -> int:
    if n == 13:
        raise ValueError("unlucky")
    return n // 2

with currant.start(workers=4, name="watched"):
    batch = half.map(range(200))
    batch.results(on_error="return")
    print("done", flush=True)
    sys.stdin.read()
"""


def _settings(leased: Leased) -> Settings:
    return load(database=leased.url, schema=leased.schema)


@pytest.fixture
async def live(leased: Leased) -> AsyncIterator[Live]:
    following = Live(_settings(leased))
    await following.open()
    yield following
    await following.close()


async def _until(live: Live, true: Callable[[], bool]) -> None:
    if true():
        return
    async for _ in live.changes():
        if true():
            return
    raise AssertionError("the changes ended before it came true")


async def _submit(conn: Any, leased: Leased, number: int, job: str = "a:job", queue: str = "mail") -> None:
    await conn.execute(f"SELECT {leased.schema}.submit($1, '[]', $2) FROM generate_series(1, $3)", job, queue, number)


async def test_the_first_picture_is_whole(leased: Leased) -> None:
    conn = await leased.connect()
    await _submit(conn, leased, 3)
    await conn.close()
    live = Live(_settings(leased))
    await live.open()
    try:
        (queue,) = live.board.queues()
        assert (queue.name, queue.waiting, queue.listening_pools) == ("mail", 3, 0)
        assert queue.oldest_s is not None
        assert queue.oldest_s >= 0
        assert live.board.header.connected
        assert live.board.header.server_version.startswith("18.")
        assert any("mail" in trouble.text and "3" in trouble.text for trouble in live.board.troubles())
    finally:
        await live.close()


async def test_a_pool_is_seen_at_work_and_gone(leased: Leased, live: Live) -> None:
    pool = subprocess.Popen(
        [sys.executable, "-c", POOL], env=leased.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert pool.stdout is not None
        assert await asyncio.to_thread(pool.stdout.readline) == "done\n"
        await _until(live, lambda: live.board.totals().run.count == 200 and not live.board.totals().running)
        (queue,) = live.board.queues()
        assert (queue.waiting, queue.running) == (0, 0)
        assert queue.failed_share == pytest.approx(1 / 200)
        await _until(live, lambda: [one.state for one in live.board.pools()] in (["alive"], ["quiet"]))
        claims, (job,) = live.board.claims(), live.board.jobs()
        assert claims.claims > 0
        # An event tells of its latest 16 one by one, and what was given back unstarted is claimed again.
        assert sum(batch.size for batch in claims.ribbon) > 0
        assert {batch.queue for batch in claims.ribbon if batch.size} == {"default"}
        assert (job.name, job.wait.count, job.run.count) == ("watched:half", 200, 200)
        assert job.failed_share == pytest.approx(1 / 200)
        assert sum(map(sum, live.board.heat("run", 300, "watched:half").cells)) == 200
        await asyncio.to_thread(pool.communicate, timeout=30)
        assert pool.returncode == 0
        await _until(live, lambda: [one.state for one in live.board.pools()] == ["stopped"])
    finally:
        pool.kill()
        pool.communicate()


async def test_a_cut_connection_is_made_again(leased: Leased, live: Live) -> None:
    conn = await leased.connect()
    await _submit(conn, leased, 1)
    await _until(live, lambda: live.board.totals().waiting == 1)
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND (application_name = 'currant-watch' OR query LIKE $1)",
        f'LISTEN%"{leased.schema}_events"%',
    )
    await _submit(conn, leased, 4)
    await conn.close()
    await _until(live, lambda: live.board.totals().waiting == 5)
    assert live.board.header.connected


async def test_nobody_listens_while_it_is_suspended(leased: Leased, live: Live) -> None:
    conn = await leased.connect()

    async def listeners() -> int:
        count = await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE $1 AND pid <> pg_backend_pid()",
            f"LISTEN%{leased.schema}_events%",
        )
        return int(count)

    assert await listeners() == 1
    await live.suspend()
    while await listeners():  # the server notices the end of a connection a moment after the client
        await asyncio.sleep(0.01)
    await _submit(conn, leased, 2)
    await live.resume()
    await _until(live, lambda: live.board.totals().waiting == 2)
    assert await listeners() == 1
    await conn.close()


async def test_no_transaction_is_held_open_between_snapshots(leased: Leased, live: Live) -> None:
    conn = await leased.connect()
    sql = "SELECT state FROM pg_stat_activity WHERE application_name = 'currant-watch' AND datname = current_database()"
    while {record["state"] for record in await conn.fetch(sql)} != {"idle"}:  # a snapshot may be under way
        await asyncio.sleep(0.01)
    await conn.close()


async def test_no_database_is_told_at_once() -> None:
    live = Live(load(database="postgresql://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(DatabaseUnavailable):
        await live.open()
    await live.close()
