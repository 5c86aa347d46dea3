"""Submits of the pool's own process, which an idle pool starts without a claim."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import currant_lab as currant
from currant_lab import job
from currant_lab.pool.pool import Pool
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
