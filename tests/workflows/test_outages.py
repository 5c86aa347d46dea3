"""The database goes away for longer than a submit is patient: a workflow waits, whatever step it is at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.client import current, mapping, waiting
from currant_lab.errors import DatabaseUnavailable
from currant_lab.loop import background
from currant_lab.pool.pool import Pool
from currant_lab.workflows import resting
from tests.client.proxy import Wire, over
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, Signals, until
from tests.pool.worker import Books


@job(name="outages:twice")
async def twice(x: int) -> int:
    return 2 * x


@pytest.fixture
def pool(leased: Leased, wire: Wire, start: Callable[..., Pool]) -> Iterator[Pool]:
    """A pool behind the wire, whose client gives up early."""
    made = currant.start(database=over(wire, leased).url(), schema=leased.schema, name="lab", workers=4)
    current.get().patience = 0.2
    yield made
    wire.is_cut = False


def stay_cut_for_longer_than_a_submit_waits(wire: Wire) -> None:
    background.run(wire.cut())
    with pytest.raises(DatabaseUnavailable):
        twice.map([0])


def until_away(books: Books, name: str) -> None:
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE job = $1 AND status = 'waiting'", name)))


def done(books: Books) -> list[int]:
    """What `twice` was called with, by all that has ended."""
    return sorted(
        int(row["args"][1:-1]) for row in books.sql("SELECT args FROM currant.history WHERE job = 'outages:twice'")
    )


@pytest.mark.parametrize("kind", ["run", "map", "submit", "call", "sleep"])
def test_a_step_that_begins_in_an_outage(pool: Pool, wire: Wire, signals: Signals, books: Books, kind: str) -> None:
    @workflow(name="patient")
    async def patient() -> Any:
        await twice.run(0)
        signals.started.set()
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)
        signals.ended.set()
        if kind == "run":
            return await twice.run(1)
        if kind == "map":
            return await twice.map_run(range(1, 4))
        if kind == "submit":
            return await (await twice.amap(range(1, 4)))
        if kind == "call":
            return await currant.step(abs, -2)
        return await currant.sleep(0.01)

    run = patient.submit()
    assert signals.started.wait(PATIENCE)
    background.run(wire.cut())
    signals.go_on.set()
    assert signals.ended.wait(PATIENCE)
    stay_cut_for_longer_than_a_submit_waits(wire)
    wire.is_cut = False
    right = {"run": 2, "map": [2, 4, 6], "submit": [2, 4, 6], "call": 2, "sleep": None}
    assert run.result(PATIENCE) == right[kind]
    assert done(books) == {"run": [0, 1], "map": [0, 1, 2, 3], "submit": [0, 1, 2, 3]}.get(kind, [0])
    assert [step.status for step in run.steps] == ["succeeded", "succeeded"] + ["succeeded"] * (kind == "submit")


def test_a_map_whose_commit_is_not_answered(pool: Pool, wire: Wire, books: Books) -> None:
    @workflow(name="in doubt")
    async def in_doubt() -> Any:
        wire.swallow = b"COMMIT\0"
        return await twice.map_run(range(50))

    run = in_doubt.submit()
    assert run.result(PATIENCE) == [2 * x for x in range(50)]
    assert wire.swallowed.is_set()
    assert done(books) == list(range(50))
    assert len(run.steps) == 1


def test_a_map_that_is_too_long_to_be_kept_is_begun_again(
    pool: Pool, wire: Wire, signals: Signals, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "_KEPT_ROWS", 100)
    monkeypatch.setattr(mapping, "_CHUNK", 50)

    def numbers() -> Iterator[int]:
        for x in range(300):
            if x == 200 and not signals.started.is_set():
                signals.started.set()
                for writer in tuple(wire._writers):
                    writer.transport.abort()
            yield x

    @workflow(name="long map")
    async def long_map() -> Any:
        return sum(await twice.map_run(numbers()))

    run = long_map.submit()
    assert run.result(PATIENCE) == 2 * sum(range(300))
    assert signals.started.is_set()
    assert done(books) == list(range(300))
    assert [step.status for step in run.steps] == ["succeeded"]


@pytest.mark.parametrize("is_map", [False, True])
def test_a_wait_that_the_client_gives_up(
    pool: Pool,
    wire: Wire,
    signals: Signals,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_map: bool,
) -> None:
    monkeypatch.setattr(waiting, "_GIVE_UP_S", 0.1)
    monkeypatch.setattr(waiting, "_LOCAL_SWEEP_S", 0.1)
    caplog.set_level(logging.INFO, "currant")

    @job(name="stays")
    async def stays(x: int) -> int:
        signals.started.set()
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)
        return x

    @workflow(name="waits")
    async def waits() -> Any:
        return await (stays.map_run([1, 2]) if is_map else stays.run(1))

    run = waits.submit()
    assert signals.started.wait(PATIENCE)
    background.run(wire.cut())
    until(lambda: "a workflow waits for the database" in caplog.text)
    signals.go_on.set()
    wire.is_cut = False
    until(lambda: not pool.trouble)
    assert currant.get(run.id).result(PATIENCE) == ([1, 2] if is_map else 1)


@pytest.mark.parametrize("kind", ["run", "map"])
def test_a_step_that_is_given_up_in_an_outage(
    pool: Pool, wire: Wire, signals: Signals, books: Books, kind: str
) -> None:
    """It has its number all the same: what comes after it finds its place when the function is called again."""

    @workflow(name="gives up")
    async def gives_up() -> Any:
        if not signals.started.is_set():
            signals.started.set()
            while not signals.go_on.is_set():
                await asyncio.sleep(0.001)
        said = "in time"
        try:
            async with asyncio.timeout(0.05):
                await (twice.map_run([1, 2]) if kind == "map" else twice.run(1))
        except TimeoutError:
            said = "too late"
            signals.ended.set()
        await currant.event("go")
        return [said, await twice.run(5)]

    run = gives_up.submit()
    assert signals.started.wait(PATIENCE)
    background.run(wire.cut())
    signals.go_on.set()
    assert signals.ended.wait(PATIENCE)
    wire.is_cut = False
    until_away(books, "gives up")
    run.signal("go")
    assert run.result(PATIENCE) == ["too late", 10]
    assert [step.status for step in run.steps] == ["cancelled", "succeeded", "succeeded"]
    until(lambda: not books.sql("SELECT FROM currant.executions"))


def test_a_function_is_not_put_away_while_a_step_begins(
    pool: Pool, wire: Wire, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another part of it only waits, perhaps for days: what begins slowly would be left out until then."""
    monkeypatch.setattr(resting, "SHORT_S", 0.01)
    monkeypatch.setattr(resting, "LONG_S", 0.01)

    @job(name="outages:late")
    async def late(x: int) -> int:
        return x

    @workflow(name="both")
    async def both() -> Any:
        wire.delay_s = 0.03  # an event takes one answer to be written, a map several
        return await asyncio.gather(currant.event("go"), twice.map_run(range(3)), late.run(1))

    run = both.submit()
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE job = 'both' AND status = 'waiting'")))
    wire.delay_s = 0.0
    until(lambda: not books.sql("SELECT FROM currant.executions WHERE job <> 'both'"))
    until(lambda: bool(books.sql("SELECT FROM currant.executions WHERE job = 'both' AND claimed_by IS NULL")))
    assert done(books) == [0, 1, 2], "they ran while it waited for its signal"
    monkeypatch.undo()  # so short a patience sends it away again and again before it has looked
    run.signal("go", 5)
    assert run.result(PATIENCE) == [5, [0, 2, 4], 1]
    assert [step.kind for step in run.steps] == ["event", "map", "run"]


def test_what_still_waits_when_a_function_has_returned_does_not_put_it_away(
    pool: Pool, wire: Wire, signals: Signals, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits for the database to take its last steps, and a part of it for a signal that never comes."""
    monkeypatch.setattr(resting, "SHORT_S", 0.01)
    caplog.set_level(logging.INFO, "currant")

    @workflow(name="leaves a part behind")
    async def leaves_a_part_behind() -> str:
        part = asyncio.ensure_future(currant.event("never"))
        signals.seen.append(part)
        await twice.run(1)
        currant.now()  # to be written with what comes next
        signals.started.set()
        while not signals.go_on.is_set():
            await currant.step(asyncio.sleep, 0.001)
        currant.random()
        background.call_soon(lambda: asyncio.ensure_future(wire.cut()))
        return "done"

    run = leaves_a_part_behind.submit()
    assert signals.started.wait(PATIENCE)
    signals.go_on.set()
    until(lambda: "steps of workflows can't be recorded just now" in caplog.text)
    until(lambda: signals.seen[-1].done())
    wire.is_cut = False
    assert run.result(PATIENCE) == "done"
