"""What is asked wrongly of workflows: each is told in words, and what can go on goes on."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.client import current, waiting
from currant_lab.client.client import Client
from currant_lab.client.handles import Execution
from currant_lab.database.connect import Database
from currant_lab.errors import (
    CurrantError,
    ExecutionCancelled,
    ExecutionFailed,
    InvalidArguments,
    NotStorable,
    UnknownExecution,
)
from currant_lab.loop import background
from currant_lab.pool.pool import Pool
from currant_lab.workflows import replay
from currant_lab.workflows import workflow as workflow_module
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, Signals, failure, until
from tests.pool.worker import Books


@job
async def give(x: Any) -> Any:
    return x


def until_away(books: Books, job: str) -> None:
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE job = $1 AND status = 'waiting'", job)))


@pytest.fixture
def elsewhere(leased: Leased, new_schema: Callable[[], str]) -> Iterator[Client]:
    """A client of another database."""
    client = Client(background.run(Database.open(leased.target, new_schema(), migrate=True)))
    yield client
    client.close()


def test_a_handle_of_another_database(pool: Pool, elsewhere: Client) -> None:
    stranger = Execution(elsewhere, uuid4().bytes)

    @workflow(name="takes")
    async def takes() -> list[str]:
        said = []
        for wrong in (lambda: give.run(stranger), lambda: give.map_run([stranger]), lambda: stranger):
            try:
                await wrong()
            except (InvalidArguments, NotStorable) as error:
                said.append(str(error))
        return said

    said = takes.submit().result(PATIENCE)
    assert len(said) == 3
    assert all("another database" in text for text in said)


def test_what_is_refused_is_on_record_too(pool: Pool, books: Books) -> None:
    """A step that could not begin has its number all the same, and is refused again when the function is."""
    gone = Execution(current.get(), uuid4().bytes)

    @workflow(name="refused")
    async def refused() -> list[Any]:
        said: list[Any] = []
        for wrong in (lambda: give.run(gone), lambda: give.map_run([1, gone]), lambda: give.map_run([1, object()])):
            try:
                await wrong()
            except (UnknownExecution, NotStorable) as error:
                said.append(type(error).__name__)
            said.append(await give.run(len(said)))
        await currant.event("go")
        return said

    run = refused.submit()
    until_away(books, "refused")
    run.signal("go")
    assert run.result(PATIENCE) == ["UnknownExecution", 1, "UnknownExecution", 3, "NotStorable", 5]
    assert [step.status for step in run.steps] == ["failed", "succeeded"] * 3 + ["succeeded"]


def test_waiting_for_what_was_pruned(pool: Pool, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_LOCAL_SWEEP_S", 0.1)
    gone = give.submit(1)
    gone.wait(PATIENCE)
    books.sql("DELETE FROM currant.history")
    gone = Execution(current.get(), gone.id.bytes)

    @workflow(name="too late")
    async def too_late() -> Any:
        return await gone

    error = failure(too_late.submit())
    assert error.type == "UnknownExecution"
    assert f"there is no execution {gone.id} in the database (any more)" in error.message


def test_a_step_whose_result_is_gone_is_told_and_can_be_run_again(
    pool: Pool, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_LOCAL_SWEEP_S", 0.1)

    @workflow(name="long lived")
    async def long_lived() -> Any:
        value = await give.run(1)
        await currant.event("go")
        return value

    run = long_lived.submit()
    until_away(books, "long lived")
    books.sql("DELETE FROM currant.history")
    run.signal("go")
    error = failure(run)
    assert error.type == "UnknownExecution"
    assert "(any more)" in error.message
    run.rerun(from_step=1)
    assert run.result(PATIENCE) == 1


def test_values_too_big_to_pass_on(start: Callable[..., Pool], books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURRANT_PAYLOAD_LIMIT", "10000")
    start()

    @job(name="large")
    async def large() -> str:
        return "x" * 20_000

    def large_call() -> str:
        return "x" * 20_000

    @workflow(name="big")
    async def big() -> list[str]:
        said: list[str] = []
        for wrong in (lambda: large.run(), lambda: give.run("x" * 20_000), lambda: currant.step(large_call)):
            try:
                await wrong()
            except (ExecutionFailed, NotStorable) as error:
                said.append(str(error))
        await currant.event("go")
        return said

    run = big.submit()
    until_away(books, "big")
    with pytest.raises(NotStorable, match="are allowed"):
        run.signal("go", "x" * 20_000)
    run.signal("go")
    said = run.result(PATIENCE)
    assert len(said) == 3
    assert all("are allowed" in text for text in said), said


def test_what_can_not_be_stored(pool: Pool) -> None:
    @job(name="odd")
    async def odd() -> Any:
        return object()

    @workflow(name="returns odd")
    async def returns_odd() -> Any:
        with pytest.raises(ExecutionFailed, match="result") as caught:
            await odd.run()
        assert caught.value.type.endswith("NotStorable")
        return object()

    assert "result" in failure(returns_odd.submit()).message


def test_a_signal_before_its_run_has_begun_is_kept(start: Callable[..., Pool]) -> None:
    start(queues=("other",))

    @workflow(name="kept", queue="late")
    async def kept() -> Any:
        return await currant.event("go")

    run = kept.submit()
    run.signal("go", [1])
    currant.stop()
    start(queues=("late",))
    assert run.result(PATIENCE) == [1]


def test_a_signal_to_a_cancelled_run(pool: Pool, books: Books) -> None:
    @workflow(name="cancelled")
    async def cancelled() -> Any:
        return await asyncio.gather(give.run(1), currant.event("go"))

    run = cancelled.submit()
    until_away(books, "cancelled")
    run.cancel()
    with pytest.raises(ExecutionCancelled):
        run.result(PATIENCE)
    with pytest.raises(CurrantError, match="has ended"):
        run.signal("go")
    with pytest.raises(UnknownExecution):
        Execution(current.get(), uuid4().bytes).signal("go")


def test_a_blocking_call_is_told(pool: Pool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(workflow_module, "_BLOCKED_S", 0.05)

    @workflow(name="blocks")
    async def blocks() -> int:
        time.sleep(0.1)
        one: int = await give.run(1)
        time.sleep(0.1)
        return one

    assert blocks.submit().result(PATIENCE) == 1
    told = [record.getMessage() for record in caplog.records if "held the loop" in record.getMessage()]
    assert len(told) == 1
    assert re.search(r"the workflow blocks held the loop for \d+\.\d s", told[0])  # a busy machine sleeps longer
    assert "await currant.step(function" in told[0]


def test_a_loop_without_end_is_ended(pool: Pool, monkeypatch: pytest.MonkeyPatch, books: Books) -> None:
    monkeypatch.setattr(replay, "MOST_STEPS", 30)

    @workflow(name="endless")
    async def endless() -> None:
        while True:
            await give.asubmit(1)

    assert "has begun 30 steps, and no more are allowed: does a loop never end?" in failure(endless.submit()).message
    assert books.sql("SELECT count(*) AS n FROM currant.steps")[0]["n"] == 30


def test_an_edit_that_removes_a_finished_step(start: Callable[..., Pool], books: Books) -> None:
    start()

    @workflow(name="edited")
    async def edited() -> Any:
        await give.run(1)
        await currant.step(str, 2)
        return await currant.event("go")

    run = edited.submit()
    until_away(books, "edited")

    @workflow(name="edited")
    async def edited_again() -> Any:
        await give.run(1)
        return await currant.event("go")

    run.signal("go", "x")
    error = failure(run)
    assert "step 2 is call str in the record, and the function comes to event go there" in error.message
    forked = run.fork(step=2)
    forked.signal("go", "y")
    assert forked.result(PATIENCE) == "y"


def test_nothing_awaited_is_left_by_a_run_that_was_cancelled_or_signalled(
    pool: Pool, signals: Signals, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    from currant_lab.workflows import resting

    monkeypatch.setattr(resting, "LONG_S", 0.05)

    @job(name="stays")
    async def stays(x: int = 0) -> None:
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)

    @workflow(name="waits")
    async def waits() -> None:
        first = [asyncio.ensure_future(what) for what in (stays.map_run(range(2)), currant.event("go"), _of(shared))]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)

    shared = stays.submit()
    runs = [waits.submit() for _ in range(2)]
    awaited = "SELECT run FROM currant.awaited UNION ALL SELECT run FROM currant.awaited_batches"
    until(lambda: len(books.sql(awaited)) == 4)
    runs[0].cancel()
    runs[1].signal("go")
    runs[1].result(PATIENCE)
    signals.go_on.set()
    shared.wait(PATIENCE)
    until(lambda: not books.sql("SELECT FROM currant.executions"))
    assert books.sql(awaited) == []


async def _of(handle: Execution) -> Any:
    return await handle
