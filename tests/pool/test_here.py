"""Submits of the pool's own process, which an idle pool starts without a claim."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.loop import background
from currant_lab.pool.pool import Pool
from tests.client.proxy import Wire
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, until

_gate: dict[str, asyncio.Event] = {}


@job
async def quick(n: int) -> int:
    return n


@job
async def token_of() -> list[int]:
    here = currant.current()
    return [here.attempt]


@job
async def held(name: str) -> str:
    await _gate.setdefault(name, asyncio.Event()).wait()
    return name


def open_gate(pool: Pool, name: str) -> None:
    pool._background.call_soon(lambda: _gate.setdefault(name, asyncio.Event()).set())


def is_drained(pool: Pool) -> bool:
    """Whether a submit now would start without a claim."""
    before = pool.stats().claims
    quick.submit(0).result(PATIENCE)
    return pool.stats().claims == before


def test_what_is_submitted_to_an_idle_pool_starts_without_a_claim(pool: Pool) -> None:
    until(lambda: is_drained(pool))
    before = pool.stats()
    assert [quick.submit(n).result(PATIENCE) for n in range(20)] == list(range(20))
    assert token_of.submit().result(PATIENCE) == [1]
    after = pool.stats()
    assert after.claims == before.claims
    assert after.claimed - before.claimed == after.settled - before.settled == 21
    assert (after.stale, after.released) == (0, 0)


def test_more_than_there_are_workers_for_wait_and_are_claimed(pool: Pool) -> None:
    until(lambda: is_drained(pool))
    executions = [held.submit(str(n)) for n in range(8)]  # of four workers
    until(lambda: pool.stats().running == 4)
    for n in range(4):
        open_gate(pool, str(n))
    assert [e.result(PATIENCE) for e in executions[:4]] == [str(n) for n in range(4)], "in the order of their submits"
    for n in range(4, 8):
        open_gate(pool, str(n))
    assert [e.result(PATIENCE) for e in executions] == [str(n) for n in range(8)]
    assert {e.attempt for e in executions} == {1}


def test_in_a_paused_queue_it_waits_all_the_same(pool: Pool) -> None:
    until(lambda: is_drained(pool))
    pool.pause("default")
    execution = quick.submit(7)
    assert execution.status == "pending"
    pool.resume("default")
    assert execution.result(PATIENCE) == 7


async def test_the_row_is_the_pools_while_it_runs(leased: Leased, start: Callable[..., Pool]) -> None:
    pool = await asyncio.to_thread(start)
    await asyncio.to_thread(until, lambda: is_drained(pool))
    execution = await held.asubmit("row")
    connection = await leased.connect()
    row = await connection.fetchrow(
        f"SELECT status, attempt, token, claimed_by, claimed_at IS NOT NULL AS at FROM {leased.schema}.executions"
    )
    await connection.close()
    assert tuple(row) == ("running", 1, 1, pool.id, True)
    assert await execution.acancel() is True
    try:
        await execution
    except currant.ExecutionCancelled:
        pass
    else:
        raise AssertionError("it was cancelled")


def test_stopped_before_they_end_they_are_given_back(pool: Pool) -> None:
    until(lambda: is_drained(pool))
    executions = [held.submit(f"stopped {n}") for n in range(6)]
    until(lambda: pool.stats().running == 4)
    currant.stop(drain=False)
    assert {(e.status, e.attempt) for e in executions} == {("pending", 0)}


def test_a_thread_that_submits_waits_for_no_turn_of_the_loop(pool: Pool) -> None:
    until(lambda: is_drained(pool))
    stands, goes_on = threading.Event(), threading.Event()

    def stand() -> None:
        stands.set()
        assert goes_on.wait(PATIENCE)

    background.call_soon(stand)
    assert stands.wait(PATIENCE)
    executions = [quick.submit(n) for n in range(4)]
    assert pool.stats().running == 0, "the loop has not turned"
    goes_on.set()
    assert [e.result(PATIENCE) for e in executions] == [0, 1, 2, 3]


def test_many_threads_submit_at_once(pool: Pool) -> None:
    until(lambda: is_drained(pool))
    with ThreadPoolExecutor(8) as threads:
        executions = list(threads.map(quick.submit, range(400)))
    assert [e.result(PATIENCE) for e in executions] == list(range(400))
    assert pool.stats().stale == 0


_runs: list[int] = []


@job
async def noted(n: int) -> int:
    _runs.append(n)
    return n


@pytest.fixture
def wire(leased: Leased) -> Iterator[Wire]:
    made = background.run(Wire(leased.server.port).open())
    yield made
    background.run(made.close())


@pytest.fixture
def far_pool(wire: Wire, start: Callable[..., Pool]) -> Pool:
    """A pool at the other end of a wire, idle, its way of submits open."""
    url = f"postgresql://postgres@127.0.0.1:{wire.port}/postgres?sslmode=disable"
    made = start(database=url)
    until(lambda: is_drained(made))
    return made


def test_a_submit_whose_answer_got_lost_is_there_once(far_pool: Pool, wire: Wire) -> None:
    _runs.clear()
    wire.swallow = b"INSERT 0 1"
    execution = noted.submit(1)
    assert wire.swallowed.is_set()
    assert execution.result(PATIENCE) == 1
    assert _runs == [1]
    works_on = [noted.submit(n) for n in range(2, 10)]
    assert [e.result(PATIENCE) for e in works_on] == list(range(2, 10))
    assert sorted(_runs) == list(range(1, 10))


def test_a_submit_while_the_line_is_cut_is_there_once(far_pool: Pool, wire: Wire) -> None:
    _runs.clear()
    background.run(wire.cut())
    mend = threading.Timer(0.3, lambda: setattr(wire, "is_cut", False))
    mend.start()
    execution = noted.submit(1)
    mend.join()
    assert execution.result(PATIENCE) == 1
    assert _runs == [1]


def test_an_interrupt_ends_the_wait_of_a_submit_alone(far_pool: Pool, wire: Wire) -> None:
    _runs.clear()
    wire.delay_s = 3
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        noted.submit(1)
    assert time.monotonic() - begun < 2
    wire.delay_s = 0
    until(lambda: _runs == [1])
