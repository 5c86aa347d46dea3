"""What is called wrongly in a workflow, or sent to one: told at once, in words that say what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.errors import CurrantError, ExecutionFailed, InvalidArguments, NotStorable
from currant_lab.pool.pool import Pool
from tests.pool.helpers import PATIENCE, failure, until
from tests.pool.worker import Books


@job(name="wrong:give")
async def give(x: Any) -> Any:
    return x


@job(name="wrong:breaks")
async def breaks(x: Any) -> None:
    raise ValueError(f"no {x}")


def until_away(books: Books, name: str) -> None:
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE job = $1 AND status = 'waiting'", name)))


def test_what_blocks_is_refused_and_says_what_to_write(pool: Pool) -> None:
    there = give.options(delay=60).submit(1)
    batch = give.options(delay=60).map([1])
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: give.submit(1), "`await job.asubmit(...)` are on its record"),
        (lambda: give.map([1]), "`await job.map_run(...)`"),
        (there.result, "`await` the execution"),
        (batch.results, "`await` the batch"),
        (lambda: there.signal("x"), "use the `await` form here"),
    ]

    @workflow(name="blocks itself")
    async def blocks_itself() -> list[str]:
        said = []
        for wrong, _ in calls:
            with pytest.raises(CurrantError) as caught:
                wrong()
            said.append(str(caught.value))
        return said

    said = blocks_itself.submit().result(PATIENCE)
    assert [right in text for text, (_, right) in zip(said, calls, strict=True)] == [True] * 5, said


def test_a_signal_from_a_workflow_is_sent_once(pool: Pool, books: Books) -> None:
    @workflow(name="hears")
    async def hears() -> Any:
        return await currant.event("go")

    @workflow(name="tells")
    async def tells() -> Any:
        other = await hears.asubmit()
        await other.asignal("go", 5)
        await currant.event("on")
        said = await other
        with pytest.raises(ExecutionFailed, match="has ended"):
            await other.asignal("go", 6)
        return said

    run = tells.submit()
    until_away(books, "tells")
    run.signal("on")
    assert run.result(PATIENCE) == 5
    assert [step.name for step in run.steps] == ["hears", "send_signal", "on", "hears", "send_signal"]


@pytest.mark.parametrize("seconds", [-1, float("nan"), "5", None, True, 1e12])
def test_moments_that_are_none(seconds: Any) -> None:
    with pytest.raises(InvalidArguments, match="a number of seconds, at least 0"):
        asyncio.run(currant.sleep(seconds))
    if seconds is not None:
        with pytest.raises(InvalidArguments, match="timeout is a number of seconds"):
            asyncio.run(currant.event("go", timeout=seconds))


@pytest.mark.parametrize("name", ["", "x" * 201, 5, None, "a\0b"])
def test_names_of_signals_and_events(pool: Pool, name: Any) -> None:
    @workflow(name="named")
    async def named() -> Any:
        return await currant.event(name)

    run = named.submit()
    with pytest.raises(InvalidArguments, match="signal"):
        run.signal(name)
    assert failure(run).type == "InvalidArguments"


def test_two_signals_of_one_name_and_signals_to_nobody(pool: Pool, books: Books) -> None:
    @workflow(name="takes one")
    async def takes_one() -> Any:
        return [await currant.event("go"), await currant.event("go"), await currant.event("more")]

    def send(id: object) -> str:
        return str(books.sql(f"SELECT currant.signal('{id}', 'go', '2') AS took")[0]["took"])

    run = takes_one.submit()
    run.signal("go", 1)
    with pytest.raises(CurrantError, match=r"has had a signal 'go': the first counts, this was dropped"):
        run.signal("go", 2)
    assert send(run.id) == "known"
    run.signal("more", 3)
    assert run.result(PATIENCE) == [1, 1, 3], "one signal of a name answers every event of that name"
    with pytest.raises(CurrantError, match="has ended: nobody takes the signal 'go'"):
        run.signal("go", 3)
    assert send(run.id) == "ended"
    assert send("00000000-0000-7000-8000-000000000000") == "unknown"
    with pytest.raises(NotStorable, match="result"):
        takes_one.submit().signal("go", object())


def test_a_child_that_is_run_again_after_its_parent_was_deleted(pool: Pool, books: Books) -> None:
    parent = give.submit(7)
    child = breaks.submit(parent)
    assert "no 7" in failure(child).message
    books.sql("DELETE FROM currant.history WHERE job = 'wrong:give'")
    child.retry()
    error = failure(child)
    assert error.type == "InvalidArguments"
    assert f"the result of {parent.id}, which this takes, is no longer in the database" in error.message


def test_a_workflow_that_nobody_has_the_code_of_waits_for_it(start: Callable[..., Pool], books: Books) -> None:
    start()

    @workflow(name="code comes later", version=2)
    async def later() -> Any:
        return await currant.event("go")

    run = later.submit()
    until_away(books, "code comes later@2")
    currant.stop()
    start(name="another")
    run.signal("go", 1)
    assert run.result(PATIENCE) == 1


def test_a_local_run_that_has_no_answer() -> None:
    @workflow(name="asks")
    async def asks() -> Any:
        return await currant.event("go")

    with pytest.raises(CurrantError, match=r"waits for the event 'go' for ever: give it in steps"):
        asks.local()
