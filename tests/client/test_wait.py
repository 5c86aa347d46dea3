"""Waiting for an execution: from a thread, from any loop, from the pool's own; and stopping to wait."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from currant_lab.client.client import Client
from currant_lab.client.handles import Execution
from currant_lab.client.job import job
from currant_lab.errors import (
    CurrantError,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionTimeout,
    InvalidArguments,
    UnknownExecution,
)
from currant_lab.loop import background
from currant_lab.outcomes import ErrorInfo, Outcome
from currant_lab.status import Status
from tests.client.conftest import FAILURE, Hand
from tests.conftest import Leased


@job
def double(x: int) -> int:
    return 2 * x


@job
def when(x: int) -> datetime:
    return datetime.now(UTC)


def later(work: Callable[[], Any]) -> threading.Thread:
    """Run `work` in a thread, once the wait of the caller is in the books."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def is_waited_for(client: Client, handle: Execution) -> bool:
    return handle.id.bytes in client.waits._waiting


def until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.002)


@pytest.mark.both_servers
def test_the_result_of_what_has_ended(client: Client, hand: Hand) -> None:
    handle = double.submit(4)
    hand.finish(value=8)
    assert handle.result() == 8
    assert handle.result(0) == 8
    assert handle.wait() is handle
    assert asyncio.run(_await(handle)) == 8
    assert client.get(handle.id).result() == 8
    assert client.get(str(handle.id)) == handle


async def _await(handle: Execution) -> Any:
    return await handle


def test_a_typed_result(hand: Hand) -> None:
    moment = datetime(2024, 1, 2, tzinfo=UTC)
    handle = when.submit(1)
    hand.finish(value=moment)
    assert handle.result() == moment


@pytest.mark.parametrize("has_local_pool", [False, True])
def test_a_result_that_comes_while_it_is_waited_for(client: Client, hand: Hand, has_local_pool: bool) -> None:
    client.has_local_pool = has_local_pool
    handle = double.submit(4)

    def work() -> None:
        until(lambda: is_waited_for(client, handle))
        hand.finish(value=8, tell=has_local_pool)

    thread = later(work)
    assert handle.result(10) == 8
    thread.join()
    assert not is_waited_for(client, handle)


@pytest.mark.parametrize("has_local_pool", [False, True])
def test_awaiting_on_a_loop_of_ones_own(client: Client, hand: Hand, has_local_pool: bool) -> None:
    client.has_local_pool = has_local_pool
    handle = double.submit(4)

    def work() -> None:
        until(lambda: is_waited_for(client, handle))
        hand.finish(value=8, tell=has_local_pool)

    thread = later(work)
    assert asyncio.run(_await(handle)) == 8
    thread.join()


def test_awaiting_on_the_background_loop(client: Client, hand: Hand) -> None:
    handle = double.submit(4)

    def work() -> None:
        until(lambda: is_waited_for(client, handle))
        hand.finish(value=8)

    thread = later(work)
    assert background.run(_await(handle), 10) == 8
    thread.join()


def test_many_wait_for_the_same(client: Client, hand: Hand) -> None:
    handle = double.submit(4)
    found: list[int] = []
    threads = [later(lambda: found.append(client.get(handle.id).result(10))) for _ in range(5)]
    until(lambda: len(client.waits._waiting.get(handle.id.bytes, ())) == 5)
    hand.finish(value=8)
    for thread in threads:
        thread.join()
    assert found == [8] * 5


def test_what_the_local_pool_told_costs_no_query(client: Client, hand: Hand) -> None:
    client.has_local_pool = True
    handle = double.submit(4)
    client.settled([Outcome(handle.id.bytes, 1, 1, "retry"), Outcome(handle.id.bytes, 2, 2, "succeeded", b"8")])
    background.run(client.database.close())
    assert handle.result() == 8
    assert (handle.status, handle.attempt, handle.error) == ("succeeded", 2, None)
    assert not client._live


def test_timeouts_stop_only_the_wait(client: Client, hand: Hand) -> None:
    handle = double.submit(4)
    for wait in (handle.result, handle.wait):
        with pytest.raises(TimeoutError, match=r"has not ended after 0\.01 s; it goes on"):
            wait(0.01)
    with pytest.raises(TimeoutError):
        handle.result(timeout=0)

    async def work() -> None:
        async with asyncio.timeout(0.01):
            await handle

    with pytest.raises(TimeoutError):
        asyncio.run(work())
    until(lambda: not is_waited_for(client, handle))
    assert handle.status == "pending"
    hand.finish(value=8)
    assert handle.result(10) == 8


def test_an_interrupt_stops_only_the_wait_and_says_so(client: Client, hand: Hand) -> None:
    # What is started in the background by a shell ignores it, and so would these tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    handle = double.submit(4)

    def work() -> None:
        until(lambda: is_waited_for(client, handle))
        os.kill(os.getpid(), signal.SIGINT)

    thread = later(work)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            handle.result(20)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    (note,) = caught.value.__notes__
    assert f'currant.get("{handle.id}").cancel()' in note
    assert "goes on" in note
    assert handle.status == "pending"
    until(lambda: not is_waited_for(client, handle))


def test_failures_as_exceptions(hand: Hand) -> None:
    handles = [double.submit(i) for i in range(4)]
    hand.finish(status="failed", error=FAILURE)
    hand.finish(status="failed", error=ErrorInfo("ExecutionTimeout", "too long"))
    hand.finish(status="cancelled", error=ErrorInfo("Cancel", "no need"))
    hand.finish(status="cancelled")
    with pytest.raises(ExecutionFailed, match="ValueError: no luck") as failed:
        handles[0].result()
    error = failed.value
    assert (error.type, error.message, error.attempt) == ("ValueError", "no luck", 1)
    assert error.traceback.startswith("Traceback")
    assert "Traceback" in error.__notes__[0]
    assert handles[0].error == FAILURE
    with pytest.raises(ExecutionTimeout, match="too long"):
        handles[1].result()
    with pytest.raises(ExecutionCancelled, match="no need"):
        asyncio.run(_await(handles[2]))
    with pytest.raises(ExecutionCancelled):
        handles[3].wait().result()


def test_a_retry_is_no_end(client: Client, hand: Hand) -> None:
    handle = double.submit(1)
    hand.finish(status="retry", error=FAILURE)
    assert (handle.status, handle.attempt, handle.error) == ("pending", 1, None)
    with pytest.raises(TimeoutError):
        handle.result(0.02)
    hand.finish(value=2)
    assert handle.result(10) == 2
    assert handle.attempt == 2


def test_a_large_result_is_fetched_when_it_is_wanted(hand: Hand) -> None:
    handle = double.submit(1)
    hand.finish(value="x" * 200_000)
    assert handle.wait()._ended.result is None  # type: ignore[union-attr]
    assert handle.result() == "x" * 200_000
    assert asyncio.run(_await(handle)) == "x" * 200_000


def test_attributes_through_a_life(hand: Hand) -> None:
    handle = double.options(priority=3).submit(1)
    assert (handle.status, handle.attempt, handle.queue, handle.priority) == ("pending", 0, "default", 3)
    assert handle.created_at.tzinfo is not None
    assert (handle.started_at, handle.finished_at, handle.error, handle.logs) == (None, None, None, "")
    rows = hand.claim()
    assert (handle.status, handle.attempt) == (Status.RUNNING, 1)
    assert handle.started_at is not None
    hand.sql("UPDATE currant.executions SET progress = 0.25, progress_note = 'page 1'")
    assert (handle.progress, handle.progress_note) == (0.25, "page 1")
    hand.settle(rows, value=1, logs="printed")
    assert (handle.status, handle.logs) == ("succeeded", "printed")
    assert handle.finished_at is not None
    assert handle.started_at < handle.finished_at


def test_an_ended_execution_is_not_asked_for_again(client: Client, hand: Hand) -> None:
    handle = double.submit(1)
    hand.finish(value=1)
    assert handle.status == "succeeded"
    assert handle.result() == 1
    assert handle.finished_at is not None
    background.run(client.database.close())
    assert (handle.status, handle.attempt, handle.logs, handle.progress) == ("succeeded", 1, "", None)
    assert handle.result() == 1


def test_handles_are_equal_by_id_and_show_what_is_known(client: Client, hand: Hand) -> None:
    handle = double.submit(1)
    assert repr(handle) == f"<Execution {handle.id} of {double.name}>"
    again = client.get(handle.id)
    assert repr(again) == f"<Execution {handle.id} of {double.name}, pending>"
    assert len({handle, again}) == 1
    assert handle != double.submit(1)
    assert handle != 5
    assert isinstance(handle.id, UUID)


def test_what_is_not_there(client: Client, hand: Hand) -> None:
    with pytest.raises(UnknownExecution):
        client.get(uuid4())
    for nonsense in ("x", b"x", 5, None):
        with pytest.raises(InvalidArguments):
            client.get(nonsense)  # type: ignore[arg-type]
    with pytest.raises(UnknownExecution, match="no batch 'x'"):
        client.batch("x")
    handle = double.submit(1)
    hand.sql("DELETE FROM currant.executions")
    for look in (lambda: handle.status, handle.refresh, handle.cancel, handle.retry):
        with pytest.raises(UnknownExecution):
            look()


def test_a_wait_for_what_has_vanished_ends(client: Client, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("currant_lab.client.waiting._DEAF_SWEEP_S", 0.01)
    monkeypatch.setattr("currant_lab.client.waiting._SWEEP_S", 0.01)
    handle = double.submit(1)
    batch = double.map([1, 2])
    hand.sql("DELETE FROM currant.executions")
    with pytest.raises(UnknownExecution):
        handle.result(10)
    with pytest.raises(UnknownExecution):
        batch.results(10)
    assert [type(value) for value in batch.results(10, on_error="return")] == [UnknownExecution] * 2
    with pytest.raises(UnknownExecution):
        _ = handle.status


def test_waits_in_hundreds_are_asked_about_together(client: Client, hand: Hand) -> None:
    handles = list(double.map(range(300)))
    hand.finish(300, value=lambda row: 1)

    async def work() -> list[int]:
        return await asyncio.gather(*(_await(handle) for handle in handles))

    before = client.database
    assert asyncio.run(work()) == [1] * 300
    assert client.database is before


def test_statuses_asked_for_together_share_a_query(client: Client, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    handles = list(double.map(range(100)))
    asked: list[int] = []
    fetch = client.database.fetch

    async def counted(name: str, *args: Any) -> Any:
        asked.append(len(args[0]))
        return await fetch(name, *args)

    monkeypatch.setattr(client.database, "fetch", counted)

    async def work() -> None:
        await asyncio.gather(*(handle.arefresh() for handle in handles))

    background.run(work())
    assert sum(asked) == 100
    assert len(asked) <= 2


def test_a_closed_client_ends_the_waits(client: Client, hand: Hand) -> None:
    handle = double.submit(1)

    def work() -> None:
        until(lambda: is_waited_for(client, handle))
        client.close()

    thread = later(work)
    with pytest.raises(CurrantError, match="closed"):
        handle.result(10)
    thread.join()


def test_the_execution_that_is_running(client: Client, hand: Hand) -> None:
    from currant_lab.context import Running

    handle = double.options(priority=5).submit(1)
    hand.claim()
    here = client.of_running(Running(handle.id.bytes, double.name, "default", 1, 1))
    assert here == handle
    assert (here.job, here.queue, here.priority) == (double.name, "default", 5)


def test_a_forked_child_uses_a_client_of_its_own(leased: Leased, client: Client, hand: Hand) -> None:
    from currant_lab.client import current
    from currant_lab.database.connect import Database

    handle = double.submit(4)
    hand.finish(value=8)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            current.bind(lambda: Client(background.run(Database.open(leased.target, leased.schema, migrate=False))))
            mine = current.get()
            assert mine is not client
            assert handle.result(10) == 8
            assert double.submit(5).status == "pending"
            os.write(writer, b"fine")
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"fine"
    os.close(reader)
    assert double.submit(6).status == "pending"
