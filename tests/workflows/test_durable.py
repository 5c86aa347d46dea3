"""Durable functions: steps on record, waiting without a worker, going on after a stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.errors import CurrantError, ExecutionCancelled, ExecutionFailed, InvalidArguments, NotStorable
from currant_lab.pool.pool import Pool
from tests.pool.helpers import PATIENCE, Signals, until
from tests.pool.worker import Books

pytestmark = pytest.mark.both_servers


@job
async def extract(day: str) -> dict[str, Any]:
    return {"day": day, "parts": [1, 2, 3]}


@job
def clean(part: int) -> int:
    return part * 10


@job
async def load(cleaned: list[int]) -> dict[str, Any]:
    return {"loaded": sum(cleaned)}


@job
async def fails(x: Any = None) -> Any:
    raise ValueError("this one fails")


@workflow(version=1)
async def nightly(day: str) -> dict[str, Any]:
    raw = await extract.run(day)
    cleaned = await clean.map_run(raw["parts"])
    if await currant.event("approved", timeout=3600):
        await currant.sleep(0.01)
        return await load.run(cleaned)
    return {}


@workflow
async def chain(steps: int) -> int:
    done = 0
    for number in range(steps):
        done += (await extract.run(str(number)))["parts"][0]
    return done


def test_a_workflow_goes_its_way(pool: Pool) -> None:
    run = nightly.submit("2026-11-01")
    run.signal("approved", True)
    assert run.result(PATIENCE) == {"loaded": 60}
    assert [(step.number, step.kind, step.name.rpartition(":")[2], step.status) for step in run.steps] == [
        (1, "run", "extract", "succeeded"),
        (2, "map", "clean", "succeeded"),
        (3, "event", "approved", "succeeded"),
        (4, "sleep", "0.01 s", "succeeded"),
        (5, "run", "load", "succeeded"),
    ]
    assert run["extract"] == {"day": "2026-11-01", "parts": [1, 2, 3]}
    assert run["clean"] == [10, 20, 30]
    assert run["approved"] is True
    assert run[5] == {"loaded": 60}


def test_it_is_put_away_while_it_waits_and_comes_back(pool: Pool, books: Books) -> None:
    run = nightly.submit("2026-11-01")
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'scheduled' AND claimed_by IS NULL"))
    until(lambda: pool.stats().running == 0)
    assert run.attempt == 0, "waiting is no attempt"
    run.signal("approved", True)
    assert run.result(PATIENCE) == {"loaded": 60}
    assert run.attempt == 1
    assert books.sql("SELECT count(*) AS n FROM currant.history")[0]["n"] == 6, "no step was done twice"


def test_one_worker_is_enough_for_a_workflow_and_its_steps(start: Callable[..., Pool]) -> None:
    start(workers=1)
    assert chain.submit(20).result(PATIENCE) == 20


def test_a_hundred_steps_answer_from_the_record(start: Callable[..., Pool], signals: Signals, books: Books) -> None:
    pool = start(workers=4)

    @workflow(name="long")
    async def long() -> list[Any]:
        out: list[Any] = []
        for number in range(100):
            out.append((await extract.run(str(number)))["day"])
        out += [str(currant.now()), currant.random(), str(currant.uuid())]
        await currant.event("go")
        out += [str(currant.now()), currant.random(), str(currant.uuid())]
        return out

    run = long.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))
    before = run[101], run[102], run[103]
    run.signal("go")
    found = run.result(PATIENCE)
    assert found[:100] == [str(number) for number in range(100)]
    assert (found[100].replace(" ", "T"), found[101], found[102]) == before
    assert pool.stats().stale == 0
    assert books.sql("SELECT count(*) AS n FROM currant.history")[0]["n"] == 101


def test_a_race_is_won_by_the_same_one_again(pool: Pool, signals: Signals, books: Books) -> None:
    """The second step ends first; after it is called again both have ended, and the second still wins."""

    @job(name="slow")
    async def slow() -> str:
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)
        return "slow"

    @workflow(name="race")
    async def race() -> list[Any]:
        first = asyncio.ensure_future(slow.run())
        second = asyncio.ensure_future(extract.run("x"))
        done, _ = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
        won = ["second" if second in done else "first"]
        won.append("both" if len(done) == 2 else "one")
        await clean.run(1)
        await currant.event("go")
        return [*won, await first]

    run = race.submit()
    until(lambda: len(books.sql("SELECT FROM currant.steps")) == 4)
    signals.go_on.set()
    until(lambda: books.sql("SELECT FROM currant.history WHERE job = 'slow'"))
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))
    run.signal("go")
    assert run.result(PATIENCE) == ["second", "one", "slow"]


def test_failures_and_try_except(pool: Pool, books: Books) -> None:
    @job(name="undo")
    async def undo(x: Any) -> Any:
        return ["undone", x]

    @workflow(name="compensates")
    async def compensates() -> Any:
        try:
            await fails.run()
        except ExecutionFailed as error:
            done = await undo.run(error.type)
            await currant.event("go")
            return done
        finally:
            await clean.run(1)

    run = compensates.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))
    run.signal("go")
    assert run.result(PATIENCE) == ["undone", "ValueError"]
    assert [step.name.rpartition(":")[2] for step in run.steps] == ["fails", "undo", "go", "clean"]


def test_cancelling_a_workflow_cancels_its_children(pool: Pool, signals: Signals, books: Books) -> None:
    @job(name="endless")
    async def endless() -> None:
        signals.started.set()
        await asyncio.Event().wait()

    @workflow(name="inner")
    async def inner() -> None:
        await endless.run()

    @workflow(name="outer")
    async def outer() -> None:
        await asyncio.gather(inner.run(), endless.run())

    run = outer.submit()
    until(lambda: len(books.sql("SELECT FROM currant.executions WHERE job = 'endless' AND status = 'running'")) == 2)
    run.cancel()
    with pytest.raises(ExecutionCancelled):
        run.result(PATIENCE)
    until(lambda: not books.sql("SELECT FROM currant.executions"))
    assert {row["status"] for row in books.sql("SELECT status FROM currant.history")} == {"cancelled"}


def test_a_waiting_workflow_can_be_cancelled(pool: Pool, books: Books) -> None:
    run = nightly.submit("x")
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'scheduled'"))
    run.cancel()
    with pytest.raises(ExecutionCancelled):
        run.result(PATIENCE)


def test_calls_are_recorded(pool: Pool, books: Books) -> None:
    calls: list[int] = []

    def count(x: int) -> dict[str, int]:
        calls.append(x)
        return {"x": x}

    def breaks() -> None:
        calls.append(0)
        raise KeyError("broken")

    @workflow(name="calls")
    async def calling() -> Any:
        first = await currant.step(count, 3)
        try:
            await currant.step(breaks)
        except ExecutionFailed as error:
            first["error"] = error.type
        try:
            await currant.step(object)
        except NotStorable as error:
            first["refused"] = "step object" in str(error)
        await currant.event("go")
        return first

    run = calling.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))
    run.signal("go")
    assert run.result(PATIENCE) == {"x": 3, "error": "KeyError", "refused": True}
    assert calls == [3, 0]


def test_timeouts_of_asyncio(pool: Pool, signals: Signals, books: Books) -> None:
    @job(name="stays")
    async def stays() -> None:
        signals.started.set()
        await asyncio.Event().wait()

    @workflow(name="patience")
    async def patience() -> str:
        try:
            async with asyncio.timeout(None) as limit:  # a time of its own could be over before the step has begun
                asyncio.get_running_loop().run_in_executor(None, signals.started.wait, PATIENCE).add_done_callback(
                    lambda _: limit.reschedule(0)
                )
                await stays.run()
        except TimeoutError:
            await currant.event("go")
            return "too late"
        return "in time"

    run = patience.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE job = 'patience' AND status = 'waiting'"))
    until(lambda: books.sql("SELECT FROM currant.history WHERE job = 'stays' AND status = 'cancelled'"))
    run.signal("go")
    assert run.result(PATIENCE) == "too late"
    assert len(books.sql("SELECT FROM currant.history WHERE job = 'stays'")) == 1


def test_signals(pool: Pool, books: Books) -> None:
    pool.pause("default")  # with its first signal the run could have ended before the second
    run = nightly.submit("x")
    run.signal("approved", False)
    with pytest.raises(CurrantError, match="has had a signal 'approved'"):
        run.signal("approved", True)
    pool.resume("default")
    assert run.result(PATIENCE) == {}
    with pytest.raises(CurrantError, match="has ended"):
        run.signal("approved", True)
    with pytest.raises(NotStorable):
        run.signal("approved", object())
    with pytest.raises(InvalidArguments, match="only a workflow"):
        extract.submit("x").signal("approved")

    @workflow(name="typed")
    async def typed() -> Any:
        return await currant.event("number", type=int)

    wrong = typed.submit()
    wrong.signal("number", "many")
    with pytest.raises(ExecutionFailed, match="is no int"):
        wrong.result(PATIENCE)

    from_sql = nightly.submit("y")
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'scheduled'"))
    assert books.sql(f"SELECT currant.signal('{from_sql.id}', 'approved') AS took")[0]["took"] == "taken"
    assert from_sql.result(PATIENCE) == {"loaded": 60}


def test_an_event_has_an_end(pool: Pool) -> None:
    @workflow(name="impatient")
    async def impatient() -> Any:
        return [await currant.event("never", timeout=0.3), await currant.event("never", timeout=0.001, default=7)]

    assert impatient.submit().result(PATIENCE) == [None, 7]


def test_fork_and_rerun(pool: Pool) -> None:
    run = nightly.submit("x")
    run.signal("approved")
    assert run.result(PATIENCE) == {"loaded": 60}
    first = {step.number: step.child for step in run.steps}

    other = run.fork(step=5)
    assert other.result(PATIENCE) == {"loaded": 60}
    forked = {step.number: step.child for step in other.steps}
    assert other.id != run.id
    assert {number for number in first if first[number] != forked[number]} == {5}

    run.rerun(from_step="clean")
    run.signal("approved") if not run.steps else None
    assert run.result(PATIENCE) == {"loaded": 60}
    again = {step.number: step.child for step in run.steps}
    assert {number for number in first if first[number] != again[number]} == {2, 5}
    with pytest.raises(currant.UnknownExecution):
        run.fork(step=9)


def test_an_edited_function(start: Callable[..., Pool], books: Books) -> None:
    start()

    @workflow(name="edited")
    async def edited() -> Any:
        await extract.run("1")
        await clean.run(1)
        await currant.event("go")

    run = edited.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))

    @workflow(name="edited")
    async def edited_again() -> Any:
        await extract.run("1")
        await load.run([1])
        await currant.event("go")

    run.signal("go")
    with pytest.raises(ExecutionFailed, match=r"step 2 is run .*:clean in the record.*run .*:load") as caught:
        run.result(PATIENCE)
    assert caught.value.type == "NonDeterministic"

    other = run.fork(step=2)
    other.signal("go")
    assert other.result(PATIENCE) is None

    @workflow(name="edited")
    async def edited_shorter() -> Any:
        await extract.run("1")

    run.retry()
    with pytest.raises(ExecutionFailed, match="step 2 is run .*ends before it"):
        run.result(PATIENCE)


def test_versions_and_patches(start: Callable[..., Pool], books: Books) -> None:
    start()

    @workflow(name="versioned", version=1)
    async def first() -> Any:
        await extract.run("1")
        await currant.event("go")
        return "old"

    old = first.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))

    @workflow(name="versioned", version=2)
    async def second() -> Any:
        return "new"

    assert second.submit().result(PATIENCE) == "new"
    old.signal("go")
    assert old.result(PATIENCE) == "old"

    @workflow(name="patched")
    async def before() -> Any:
        await extract.run("1")
        await currant.event("go")

    run = before.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))

    @workflow(name="patched")
    async def after() -> Any:
        await extract.run("1")
        is_new = currant.patched("more")
        if is_new:
            await clean.run(1)
        await currant.event("go")
        return is_new

    run.signal("go")
    assert run.result(PATIENCE) is False
    newer = after.submit()
    newer.signal("go")
    assert newer.result(PATIENCE) is True


def test_retry_goes_on_from_the_step_that_failed(pool: Pool, signals: Signals, books: Books) -> None:
    @job(name="flaky")
    async def flaky() -> str:
        if not signals.go_on.is_set():
            raise OSError("not yet")
        return "done"

    @workflow(name="twice")
    async def twice() -> Any:
        await extract.run("1")
        return await flaky.run()

    run = twice.submit()
    with pytest.raises(ExecutionFailed, match="not yet"):
        run.result(PATIENCE)
    signals.go_on.set()
    run.retry()
    assert run.result(PATIENCE) == "done"
    assert len(books.sql("SELECT FROM currant.history WHERE job LIKE '%extract'")) == 1


def test_local() -> None:
    assert nightly.local("x", steps={"approved": True}) == {"loaded": 60}
    assert nightly.local("x", steps={"extract": {"parts": [5]}, "clean": lambda part: part, "approved": True}) == {
        "loaded": 5
    }
    assert nightly.local("x") == {}
    with pytest.raises(KeyError):
        nightly.local("x", steps={"extract": KeyError("x")})


def test_what_is_refused(pool: Pool) -> None:
    with pytest.raises(InvalidArguments, match="async function"):

        @workflow
        def plain() -> None: ...

    with pytest.raises(InvalidArguments, match="version"):
        workflow(version=0)

    @workflow(name="submits")
    async def submits() -> None:
        extract.submit("x")

    with pytest.raises(ExecutionFailed, match="asubmit"):
        submits.submit().result(PATIENCE)


def test_handles_in_a_workflow(pool: Pool) -> None:
    @workflow(name="handles")
    async def handles() -> Any:
        raw = await extract.asubmit("1")
        parts = await clean.amap([1, 2])
        total = await load.run(parts)
        return [await raw, total]

    assert handles.submit().result(PATIENCE) == [{"day": "1", "parts": [1, 2, 3]}, {"loaded": 30}]
