"""Batches: written whole or not at all, read in the order of their inputs, joined again by name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from currant_lab.client.batch import Batch
from currant_lab.client.client import Client
from currant_lab.client.job import job
from currant_lab.errors import ExecutionCancelled, ExecutionFailed, InvalidArguments
from currant_lab.loop import background
from currant_lab.values import decode_args
from tests.client.conftest import FAILURE, Hand
from tests.client.test_wait import later, until


@job
def double(x: int) -> int:
    return 2 * x


@job
def add(a: int, b: int = 0) -> int:
    return a + b


def answer(row: Any) -> int:
    return 2 * decode_args(row["args"])[0][0]


@pytest.mark.both_servers
def test_a_map_from_end_to_end(client: Client, hand: Hand) -> None:
    batch = double.map(range(100))
    assert len(batch) == 100
    assert batch.counts() == {"pending": 100}
    (row,) = hand.sql("SELECT * FROM currant.batches")
    assert (row["size"], row["name"], row["job"]) == (100, None, double.name)
    hand.finish(40, value=answer)
    hand.settle(hand.claim(2), status="failed", error=FAILURE)
    hand.claim(3)
    assert batch.counts() == {"pending": 55, "running": 3, "succeeded": 40, "failed": 2}
    assert batch[:10].results() == [2 * x for x in range(10)]
    assert batch[30:50].counts() == {"pending": 5, "running": 3, "succeeded": 10, "failed": 2}
    assert repr(batch) == f"<Batch of 100 executions of {double.name}>"


def test_a_batch_is_a_sequence(hand: Hand) -> None:
    batch = double.map(range(10))
    ids = [row["id"] for row in hand.sql("SELECT id FROM currant.executions ORDER BY id")]
    assert [handle.id.bytes for handle in batch] == ids
    assert batch[0].id.bytes == ids[0]
    assert batch[-1].id.bytes == ids[-1]
    assert [handle.id.bytes for handle in batch[2:8:2]] == ids[2:8:2]
    assert isinstance(batch[1:3], Batch)
    assert batch[3] in batch
    assert batch.index(batch[3]) == 3
    assert [handle.id.bytes for handle in reversed(batch)] == ids[::-1]
    for index in (10, -11):
        with pytest.raises(IndexError):
            batch[index]


def test_one_iterable_per_parameter_and_the_shortest_ends_it(hand: Hand) -> None:
    batch = add.map([1, 2, 3], (x * 10 for x in range(2)))
    assert len(batch) == 2
    assert [decode_args(row["args"])[0] for row in hand.claim(9)] == [[1, 0], [2, 10]]


def test_an_empty_map_writes_nothing(hand: Hand) -> None:
    batch = double.map([])
    assert (len(batch), batch.counts(), batch.results(), list(batch.as_completed())) == (0, {}, [], [])
    assert batch.cancel() == batch.retry_failed() == 0
    assert hand.sql("SELECT * FROM currant.batches") == []
    assert len(batch.to_frame()) == 0
    assert len(double.map([], batch="none")) == 0
    assert len(double.map([1], batch="none")) == 1


@pytest.mark.parametrize("rows", [4_999, 12_000, 61_000])
def test_maps_of_any_length_are_one_transaction(client: Client, hand: Hand, rows: int) -> None:
    batch = double.map(x for x in range(rows))
    assert len(batch) == rows
    assert batch.counts() == {"pending": rows}
    found = hand.sql("SELECT id, args FROM currant.executions ORDER BY id")
    assert [row["id"] for row in found] == [batch._id(i) for i in range(rows)]
    assert [decode_args(found[i]["args"])[0][0] for i in (0, rows - 1)] == [0, rows - 1]
    assert hand.sql("SELECT count(DISTINCT xmin::text) AS n FROM currant.executions")[0]["n"] == 1


@pytest.mark.parametrize("rows", [10, 60_000])
def test_an_iterable_that_raises_leaves_nothing(hand: Hand, rows: int) -> None:
    def numbers() -> Iterator[int]:
        yield from range(rows)
        raise ZeroDivisionError("in the iterable")

    with pytest.raises(ZeroDivisionError, match="in the iterable"):
        double.map(numbers())
    assert hand.sql("SELECT 1 FROM currant.executions") == []
    assert hand.sql("SELECT 1 FROM currant.batches") == []
    double.map([1])


def test_amap_on_any_loop(hand: Hand) -> None:
    async def work() -> Batch:
        return await double.amap(range(7_000))

    assert len(asyncio.run(work())) == 7_000
    assert len(background.run(work())) == 7_000


def test_results_in_the_order_of_the_inputs(client: Client, hand: Hand) -> None:
    batch = double.map(range(20))
    rows = hand.claim(20)
    hand.settle(rows[10:], value=answer)
    hand.settle(rows[:10], value=answer)
    assert batch.results() == [2 * x for x in range(20)]
    assert asyncio.run(_results(batch)) == [2 * x for x in range(20)]
    background.run(client.database.close())
    assert batch.results() == [2 * x for x in range(20)]  # they are remembered
    assert batch[3].result() == 6


async def _results(batch: Batch) -> list[Any]:
    return await batch


@pytest.mark.parametrize("has_local_pool", [False, True])
@pytest.mark.parametrize("awaited", [False, True])
def test_results_that_come_while_they_are_waited_for(
    client: Client, hand: Hand, has_local_pool: bool, awaited: bool
) -> None:
    client.has_local_pool = has_local_pool
    batch = double.map(range(50))

    def work() -> None:
        until(lambda: len(client.waits._waiting) == 50)
        for _ in range(10):
            hand.finish(5, value=answer, tell=has_local_pool)

    thread = later(work)
    found = asyncio.run(_results(batch)) if awaited else batch.results(20)
    assert found == [2 * x for x in range(50)]
    thread.join()


def test_errors_are_raised_or_returned(client: Client, hand: Hand) -> None:
    batch = double.map(range(4))
    rows = hand.claim(4)
    hand.settle(rows[3:], status="failed", error=FAILURE)
    with pytest.raises(ExecutionFailed):  # as soon as one is known
        batch.results(10)
    hand.settle(rows[:1], value=0)
    hand.settle(rows[1:2], status="cancelled")
    hand.settle(rows[2:3], value=4)
    with pytest.raises(ExecutionCancelled):  # the first by the order of the inputs
        batch.results(10)
    with pytest.raises((ExecutionCancelled, ExecutionFailed)):
        asyncio.run(_results(batch))
    found = batch.results(10, on_error="return")
    assert [found[0], found[2]] == [0, 4]
    assert [type(found[1]), type(found[3])] == [ExecutionCancelled, ExecutionFailed]
    with pytest.raises(InvalidArguments):
        batch.results(on_error="ignore")  # type: ignore[arg-type]


def test_an_unreadable_result_is_an_error_in_its_place(hand: Hand) -> None:
    batch = double.map(range(2))
    hand.finish(2, value=1)
    hand.sql("UPDATE currant.history SET result = '{' WHERE id = $1", batch._id(1))
    first, second = batch.results(10, on_error="return")
    assert first == 1
    assert "can't be read" in str(second)


def test_a_timeout_says_how_many_are_missing(hand: Hand) -> None:
    batch = double.map(range(5))
    hand.finish(2, value=answer)
    batch[:2].results(10)  # that these have ended is known from here on
    with pytest.raises(TimeoutError, match="3 of 5 executions have not ended"):
        batch.results(0.05)
    with pytest.raises(TimeoutError, match="3 of 5"):
        list(batch.as_completed(0.05))


def test_as_completed_in_the_order_of_the_ends(client: Client, hand: Hand) -> None:
    client.has_local_pool = True
    batch = double.map(range(6))
    rows = hand.claim(6)
    hand.settle(rows[5:], value=answer)
    assert batch[5].result(10) == 10
    arrived: list[int] = []
    ready = threading.Semaphore(0)

    def work() -> None:
        until(lambda: len(client.waits._waiting) == 5)
        for index in (2, 0, 1, 4, 3):
            hand.settle(rows[index : index + 1], value=answer, tell=True)
            ready.acquire()

    thread = later(work)
    for handle in batch.as_completed(20):
        arrived.append(handle.result())
        ready.release()
    thread.join()
    assert arrived == [10, 4, 0, 2, 8, 6]


def test_as_completed_from_async_code(client: Client, hand: Hand) -> None:
    client.has_local_pool = True
    batch = double.map(range(6))

    async def work() -> list[int]:
        return [await handle async for handle in batch.as_completed(20)]

    def settle() -> None:
        until(lambda: len(client.waits._waiting) == 6)
        for _ in range(6):
            hand.finish(value=answer, tell=True)

    thread = later(settle)
    assert sorted(asyncio.run(work())) == [0, 2, 4, 6, 8, 10]
    thread.join()
    assert sorted(background.run(work())) == [0, 2, 4, 6, 8, 10]


def test_breaking_out_of_as_completed_ends_the_wait(client: Client, hand: Hand) -> None:
    batch = double.map(range(6))
    hand.finish(1, value=answer)
    for handle in batch.as_completed(10):
        assert handle.result() == 0
        break
    until(lambda: not client.waits._waiting)


@pytest.mark.both_servers
def test_a_named_batch_submits_only_what_is_new(client: Client, hand: Hand) -> None:
    first = double.map([1, 2, 2, 3], batch="crawl")
    hand.finish(2, value=answer)
    again = double.map([3, 2, 4, 2, 2], batch="crawl")
    ids = [handle.id for handle in first]
    assert [handle.id for handle in again][:2] == [ids[3], ids[1]]
    assert again[3].id == ids[2]
    assert {again[2].id, again[4].id}.isdisjoint(ids)
    assert hand.sql("SELECT size FROM currant.batches")[0]["size"] == 6
    whole = client.batch("crawl")
    assert len(whole) == 6
    assert whole.counts() == {"pending": 4, "succeeded": 2}
    assert again.counts() == {"pending": 4, "succeeded": 1}
    assert whole.name == "crawl"
    assert whole[0].result() == 2
    assert (whole[5].queue, whole[5].priority, whole.job) == ("default", 0, double.name)
    assert repr(whole) == f"<Batch 'crawl' of 6 executions of {double.name}>"


def test_the_same_map_again_is_the_same_batch(hand: Hand) -> None:
    first = double.map(range(1000), batch="b")
    again = double.map(range(1000), batch="b")
    assert list(first) == list(again)
    assert again.counts() == {"pending": 1000}
    assert hand.sql("SELECT count(*) AS n FROM currant.executions")[0]["n"] == 1000


def test_two_at_once_into_a_named_batch(client: Client, hand: Hand) -> None:
    batches: list[Batch] = []
    threads = [later(lambda: batches.append(double.map(range(500), batch="both"))) for _ in range(4)]
    for thread in threads:
        thread.join()
    assert len({tuple(handle.id for handle in batch) for batch in batches}) == 1
    assert hand.sql("SELECT count(*) AS n FROM currant.executions")[0]["n"] == 500


def test_a_named_batch_is_of_one_job(hand: Hand) -> None:
    double.map([1], batch="mine")
    with pytest.raises(InvalidArguments, match="is of the job"):
        add.map([1], batch="mine")
    for name in ("", "x" * 300, "a\nb", 5):
        with pytest.raises(InvalidArguments):
            double.map([1], batch=name)  # type: ignore[arg-type]
    double.map([1], batch="with 'quotes' and 🫐")


def test_cancel_and_retry_failed(client: Client, hand: Hand) -> None:
    batch = double.map(range(10))
    rows = hand.claim(4)
    hand.settle(rows[:2], status="failed", error=FAILURE)
    hand.settle(rows[2:3], value=4)
    with pytest.raises(ExecutionFailed):
        batch.results(10)
    assert batch.retry_failed() == 2
    assert batch.counts() == {"pending": 8, "running": 1, "succeeded": 1}
    assert batch.cancel() == 9
    assert batch.counts() == {"running": 1, "succeeded": 1, "cancelled": 8}
    assert batch.cancel() == 1  # it is asked again
    assert batch.retry_failed() == 0


def test_frames(hand: Hand) -> None:
    batch = double.map(range(3))
    rows = hand.claim(3)
    hand.settle(rows[:1], value={"lines": 3, "status": "ok"})
    hand.settle(rows[1:2], status="failed", error=FAILURE)
    frame = batch.to_frame()
    assert list(frame.columns) == [
        *("id", "status", "attempt", "created_at", "started_at", "finished_at", "wait_s", "run_s", "error"),
        *("lines", "result_status"),
    ]
    assert list(frame["status"]) == ["succeeded", "failed", "running"]
    assert list(frame["id"]) == [str(handle.id) for handle in batch]
    assert frame["lines"][0] == 3
    assert frame["run_s"][0] == pytest.approx(0.001)
    assert frame["error"][1] == "ValueError: no luck"
    same = batch.to_frame("polars")
    assert same.columns == list(frame.columns)
    assert same["lines"].to_list() == [3, None, None]
    with pytest.raises(InvalidArguments):
        batch.to_frame("excel")  # type: ignore[arg-type]


def test_a_frame_of_plain_and_binary_results(hand: Hand) -> None:
    batch = double.map(range(2))
    hand.finish(value=5)
    hand.finish(value=np.arange(3))
    frame = batch.to_frame()
    assert frame["result"][0] == 5
    assert list(frame["result"][1]) == [0, 1, 2]


def test_large_results_are_not_kept(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("currant_lab.client.batch._KEPT_BYTES", 2_000)
    batch = double.map(range(10))
    hand.finish(10, value=lambda row: "x" * 1_000 if answer(row) < 18 else "y" * 100_000)
    for _ in range(2):
        assert [len(value) for value in batch.results(10)] == [1_000] * 9 + [100_000]
    assert sum(len(ended.result or b"") for ended in batch._ended.values()) <= 2_000
