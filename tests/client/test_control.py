"""Cancelling, running again, pausing, pruning; counting and listing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from currant_lab.client.client import Client
from currant_lab.client.job import job
from currant_lab.database import control, inspect
from currant_lab.errors import CurrantError, ExecutionCancelled, InvalidArguments
from currant_lab.ids import new_ids
from currant_lab.loop import background
from tests.client.conftest import FAILURE, Hand
from tests.client.test_wait import later, until
from tests.conftest import Leased


@job
def double(x: int) -> int:
    return 2 * x


@job(name="elsewhere:Tool.run")
def run(x: int) -> int:
    return x


def history(hand: Hand) -> list[Any]:
    return hand.sql("SELECT * FROM currant.history ORDER BY id")


@pytest.mark.both_servers
def test_cancel_what_waits(client: Client, hand: Hand) -> None:
    handles = [double.submit(1), double.options(delay=60).submit(2)]
    assert [handle.cancel() for handle in handles] == [True, True]
    assert [row["status"] for row in history(hand)] == ["cancelled"] * 2
    assert hand.sql("SELECT 1 FROM currant.executions") == []
    assert handles[0].status == "cancelled"
    assert handles[0].finished_at is not None
    assert handles[0].started_at is None
    with pytest.raises(ExecutionCancelled):
        handles[0].result()
    assert handles[0].cancel() is False


@pytest.mark.both_servers
async def test_cancel_what_runs_tells_its_pool(leased: Leased, client: Client) -> None:
    hand = await asyncio.to_thread(Hand, leased, client)
    conn = await leased.connect()
    heard: asyncio.Queue[str] = asyncio.Queue()
    await conn.add_listener(f"{leased.schema}_wake", lambda *news: heard.put_nowait(news[-1]))
    handle = await double.asubmit(1)
    other = await double.asubmit(2)
    rows = await asyncio.to_thread(hand.claim, 2)
    while not heard.empty():
        heard.get_nowait()
    assert await handle.acancel() is True
    while (payload := await heard.get()).startswith("+"):
        pass
    assert payload == "!cancel 7"
    assert (await handle.arefresh()).status == "running"
    assert handle._info is not None
    assert handle._info.cancelling
    assert await handle.acancel() is True
    await asyncio.to_thread(hand.settle, rows[:1], "cancelled")
    with pytest.raises(ExecutionCancelled):
        await handle
    await asyncio.to_thread(hand.settle, rows[1:], value=1)
    assert await other == 1
    assert await other.acancel() is False
    await conn.close()
    background.run(hand.conn.close())


def test_a_wait_hears_of_a_cancel_in_this_process(client: Client, hand: Hand) -> None:
    handle = double.submit(1)

    def work() -> None:
        until(lambda: bool(client.waits._waiting))
        client.get(handle.id).cancel()

    thread = later(work)
    with pytest.raises(ExecutionCancelled):
        handle.result(10)
    thread.join()


def test_cancel_meets_a_claim_under_way(client: Client, hand: Hand, leased: Leased) -> None:
    handle = double.submit(1)

    async def work() -> bool:
        conn = await leased.connect()
        claim = conn.transaction()
        await claim.start()
        await conn.execute(
            f"UPDATE {leased.schema}.executions SET status = 'running', token = 1, attempt = 1, claimed_by = 7"
        )
        cancelling = asyncio.create_task(handle.acancel())
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
        while not await client.database._pool.fetchval(waiting):
            await asyncio.sleep(0)
        await claim.commit()
        await conn.close()
        return await cancelling

    assert background.run(work(), 40)
    (row,) = hand.sql("SELECT * FROM currant.executions")
    assert (row["status"], row["cancelling"]) == ("running", True)


def test_two_who_cancel_at_once_do_not_deadlock(client: Client, hand: Hand) -> None:
    batch = double.map(range(2_000))
    ids = [handle.id for handle in batch]
    found: list[int] = []
    threads = [later(lambda order=order: found.append(len(client.cancel(ids[::order]).ended))) for order in (1, -1)]  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert sum(found) == 2_000


@pytest.mark.both_servers
def test_retry_runs_it_again_from_the_first_attempt(client: Client, hand: Hand) -> None:
    woken: list[int] = []
    client.on_submitted = lambda: woken.append(1)
    handle = double.options(queue="q", retries=3).submit(1)
    hand.settle(hand.claim(queue="q"), status="failed", error=FAILURE, logs="printed")
    with pytest.raises(CurrantError, match="no luck"):
        handle.result(10)
    handle.retry()
    assert len(woken) == 2
    (row,) = hand.sql("SELECT * FROM currant.executions")
    assert (row["status"], row["attempt"], row["token"], row["rescues"]) == ("pending", 0, 1, 0)
    assert (row["queue"], row["retries"], row["logs"], row["claimed_by"]) == ("q", 3, None, None)
    assert history(hand) == []
    assert handle.status == "pending"
    assert handle._info is not None
    (earlier,) = inspect.attempts_of(handle._info)
    assert (earlier["attempt"], earlier["error"]["message"]) == (1, "no luck")
    hand.settle(hand.claim(queue="q"), value=2)
    assert handle.result(10) == 2
    assert history(hand)[0]["token"] == 2
    with pytest.raises(CurrantError, match="succeeded"):
        handle.retry()


def test_only_what_failed_or_was_cancelled_is_run_again(client: Client, hand: Hand) -> None:
    batch = double.map(range(4))
    rows = hand.claim(3)
    hand.settle(rows[:1], value=1)
    hand.settle(rows[1:2], status="failed", error=FAILURE)
    hand.settle(rows[2:3], status="cancelled")
    with pytest.raises(CurrantError, match="pending"):
        batch[3].retry()
    again = client.retry([handle.id for handle in batch] + [uuid4()])
    assert set(again) == {batch[1].id.bytes, batch[2].id.bytes}
    assert client.retry([]) == ()
    assert client.cancel([]).ended == ()


def test_refresh_sees_what_others_have_done(client: Client, hand: Hand) -> None:
    handle = double.submit(1)
    hand.finish(status="failed", error=FAILURE)
    assert handle.status == "failed"
    client.get(handle.id).retry()
    assert handle.status == "failed"
    assert handle.refresh().status == "pending"
    hand.finish(value=5)
    assert handle.result(10) == 5


def test_pause_and_resume(client: Client, hand: Hand) -> None:
    double.submit(1)
    client.pause("default")
    client.pause("default")
    assert client.queues()[0].paused_at is not None
    assert hand.claim() == []
    assert client.resume("default") is True
    assert client.resume("default") is False
    assert client.resume("never heard of") is False
    assert client.queues()[0].paused_at is None
    assert len(hand.claim()) == 1
    for name in ("", "a\nb", "x" * 201):
        with pytest.raises(InvalidArguments):
            client.pause(name)
        with pytest.raises(InvalidArguments):
            client.resume(name)


@pytest.mark.both_servers
def test_queues_are_counted(client: Client, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.queues() == []
    double.map(range(30))
    double.options(queue="other").map(range(3))
    double.options(queue="later", delay=60).map(range(2))
    hand.claim(10)
    client.pause("empty")
    found = {count.name: count for count in client.queues()}
    assert list(found) == ["default", "empty", "later", "other"]
    assert (found["default"].pending, found["default"].running, found["default"].exact) == (20, 10, True)
    assert (found["other"].pending, found["later"].scheduled, found["later"].pending) == (3, 2, 0)
    assert found["empty"].paused_at is not None
    monkeypatch.setattr("currant_lab.database.inspect.COUNT_LIMIT", 10)
    estimated = {count.name: count for count in client.queues()}
    assert (estimated["default"].pending, estimated["default"].exact) == (20, False)  # so small: all pages are sampled
    assert (estimated["other"].pending, estimated["other"].exact) == (3, True)


def test_a_large_backlog_is_estimated_well(client: Client, hand: Hand, leased: Leased) -> None:
    hand.sql(
        "INSERT INTO currant.executions (id, job, args)"
        " SELECT currant.new_id(), 'j', '[]' FROM generate_series(1, 100000)"
    )
    double.options(queue="few").submit(1)
    few, many = sorted(client.queues(), key=lambda count: count.pending)
    assert (few.name, few.pending, few.exact) == ("few", 1, True)
    assert many.exact is False
    assert many.pending == pytest.approx(100_000, rel=0.1)


@pytest.mark.both_servers
def test_history_is_counted(client: Client, hand: Hand) -> None:
    assert client.finished() == inspect.Finished(0, 0, 0, True)
    double.map(range(6))
    rows = hand.claim(6)
    hand.settle(rows[:3], value=1)
    hand.settle(rows[3:5], status="failed", error=FAILURE)
    hand.settle(rows[5:], status="cancelled")
    assert client.finished() == inspect.Finished(3, 2, 1, True)


@pytest.mark.both_servers
def test_lists_newest_first_with_every_filter(client: Client, hand: Hand) -> None:
    batch = double.map(range(6))
    other = run.submit(1)
    scheduled = double.options(delay=60, queue="q").submit(9)
    rows = hand.claim(4)
    hand.settle(rows[:1], value=1)
    hand.settle(rows[1:2], status="failed", error=FAILURE, logs="printed")
    hand.settle(rows[2:3], status="cancelled")
    everything = client.executions()
    assert everything == [scheduled, other, *reversed(batch)]
    assert client.executions(status="succeeded") == [batch[0]]
    assert client.executions(status="failed") == [batch[1]]
    assert client.executions(status="cancelled") == [batch[2]]
    assert client.executions(status="running") == [batch[3]]
    assert client.executions(status="pending") == [other, batch[5], batch[4]]
    assert client.executions(status="scheduled") == [scheduled]
    assert client.executions(status="waiting") == []
    assert client.executions(queue="q") == [scheduled]
    assert client.executions(job="run") == client.executions(job="elsewhere:Tool.run") == [other]
    assert client.executions(job="Tool") == []
    assert len(client.executions(job="double")) == 7
    assert client.executions(job=double.name, status="failed", queue="default") == [batch[1]]
    assert client.executions(job="un") == []
    assert client.executions(limit=0) == []
    pages = []
    last = None
    while page := client.executions(limit=3, before=last):
        pages.append(page)
        last = page[-1]
    assert [len(page) for page in pages] == [3, 3, 2]
    assert [handle for page in pages for handle in page] == everything
    (failed,) = client.executions(status="failed")
    assert (failed.error, failed.logs, failed.job) == (FAILURE, "printed", double.name)
    for options in ({"status": "gone"}, {"limit": -1}, {"limit": "x"}):
        with pytest.raises(InvalidArguments):
            client.executions(**options)  # type: ignore[arg-type]


def test_payloads(client: Client, hand: Hand) -> None:
    handle = double.submit(1)
    assert background.run(inspect.payloads(client.database, handle.id.bytes)) == (b"[1]", None)
    hand.finish(value=2)
    assert background.run(inspect.payloads(client.database, handle.id.bytes)) == (b"[1]", b"2")


OLD = timedelta(days=40)


def make_old(hand: Hand, count: int, age: timedelta = OLD, finished: timedelta | None = None) -> list[bytes]:
    """Finished executions of long ago: in the partition of their week."""
    moment = datetime.now(UTC) - age
    ended = datetime.now(UTC) - (finished if finished is not None else age)
    hand.sql("SELECT currant.ensure_history($1)", moment)
    milliseconds = int(moment.timestamp() * 1000).to_bytes(6, "big")
    ids = sorted(milliseconds + own[6:] for own in new_ids(count))
    hand.sql(
        "INSERT INTO currant.history (id, job, queue, priority, status, attempt, token, rescues, created_at,"
        " finished_at, args)"
        " SELECT id, 'j', 'q', 0, 'succeeded', 1, 1, 0, $2, $3, '[]' FROM unnest($1::uuid[]) AS t (id)",
        ids,
        moment,
        ended,
    )
    return ids


def partitions(hand: Hand) -> int:
    return len(hand.sql("SELECT inhrelid FROM pg_inherits WHERE inhparent = 'currant.history'::regclass"))


@pytest.mark.both_servers
def test_prune_drops_whole_partitions(client: Client, hand: Hand) -> None:
    before = partitions(hand)
    make_old(hand, 20)
    batch = double.map(range(3), batch="young")
    hand.finish(2, value=1)
    hand.sql("INSERT INTO currant.batches (job, created_at) VALUES ('j', now() - interval '50 days')")
    assert partitions(hand) == before + 1
    assert client.prune(timedelta(days=30)) == control.Pruned(20, 1, 1)
    assert partitions(hand) == before
    assert batch.counts() == {"pending": 1, "succeeded": 2}
    assert client.prune(timedelta(days=30)) == control.Pruned(0, 0, 0)


def test_prune_keeps_what_finished_late_or_still_waits(client: Client, hand: Hand) -> None:
    make_old(hand, 3)
    (young,) = make_old(hand, 1, finished=timedelta(days=1))
    double.submit(1)
    hand.sql("UPDATE currant.executions SET created_at = now() - interval '90 days'")
    assert client.prune(timedelta(days=30)) == control.Pruned(3, 0, 0)
    assert [row["id"] for row in history(hand)] == [young]
    assert len(hand.sql("SELECT 1 FROM currant.executions")) == 1


def test_prune_deletes_rows_where_it_may_not_drop(client: Client, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("currant_lab.database.control._CHUNK", 4)
    make_old(hand, 10)

    async def hold() -> Any:
        reader = await client.database._pool.acquire()
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch(f"SELECT 1 FROM {client.database.schema}.history")
        return reader, transaction

    reader, transaction = background.run(hold())  # somebody reads: the drop would wait for this
    monkeypatch.setattr("currant_lab.database.control.statement", _impatient(client))
    assert client.prune(timedelta(days=30)) == control.Pruned(10, 0, 0)
    background.run(transaction.rollback())
    background.run(client.database._pool.release(reader))
    assert history(hand) == []


def _impatient(client: Client) -> Any:
    from currant_lab.database.statements import statement

    return lambda name, schema: statement(name, schema).replace("'2s'", "'20ms'")


def test_prune_of_everything(client: Client, hand: Hand) -> None:
    batch = double.map(range(3))
    hand.finish(3, value=1)
    assert client.prune(timedelta(0)).executions == 3
    assert len(batch.to_frame()) == 3
    assert list(batch.to_frame()["status"]) == ["unknown"] * 3
    with pytest.raises(InvalidArguments):
        client.prune(timedelta(days=-1))
