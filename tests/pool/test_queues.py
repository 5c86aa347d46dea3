"""Where executions wait, which go first, and how a pool is paused, resized and stopped: through a real pool."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.pool.pool import Pool
from tests.conftest import Leased, Servers
from tests.pool.helpers import KINDS, PATIENCE, Signals, double, endless, until, until_told, works


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("", "is empty"),
        ("x" * 1_000, "1000 characters"),
        ("a\nb", "control"),
        ("a\0b", "control"),
        ("\ud800", "control"),
        (7, "not int"),
        (None, "not NoneType"),
    ],
)
def test_names_that_won_t_do_are_refused_with_the_reason(pool: Pool, name: Any, wrong: str) -> None:
    with pytest.raises(currant.InvalidArguments, match=f"queue.*{wrong}"):
        double.options(queue=name)
    with pytest.raises(currant.InvalidArguments, match=f"queue.*{wrong}"):
        pool.pause(name)
    if name is not None:
        with pytest.raises(currant.InvalidArguments, match=f"job.*{wrong}"):
            job(name=name)(lambda: 1)


@pytest.mark.parametrize("name", ["it's", '"double"', "back\\slash", "a 🎉 b", "$1; --", "{x}", "x" * 200, "+@!cancel"])
def test_odd_names_work_as_queues_and_as_jobs(start: Callable[..., Pool], name: str) -> None:
    @job(name=name, queue=name)
    async def odd(x: int) -> int:
        return x + 1

    pool = start(queues=(name,))
    assert odd.submit(1).result(PATIENCE) == 2
    batch = odd.map(range(3), batch=name)
    assert batch.results(PATIENCE) == [1, 2, 3]
    assert len(currant.executions(queue=name, job=name)) == 4
    pool.pause(name)
    waiting = odd.submit(5)
    assert pool.resume(name)
    assert waiting.result(PATIENCE) == 6


@pytest.mark.parametrize("priority", [-32769, 32768, 2**70, 1.0, "1", True, None, float("nan")])
def test_a_priority_out_of_range_is_refused(pool: Pool, priority: Any) -> None:
    with pytest.raises(currant.InvalidArguments, match="priority"):
        double.options(priority=priority)


def test_higher_priorities_go_first_to_the_very_ends_of_the_range(start: Callable[..., Pool], signals: Signals) -> None:
    @job
    async def note(priority: int) -> None:
        signals.seen.append(priority)

    pool = start(workers=1)
    pool.pause("default")
    executions = [note.options(priority=one).submit(one) for one in (0, -32768, 32767, 5)]
    pool.resume("default")
    for e in executions:
        e.result(PATIENCE)
    assert signals.seen == [32767, 5, 0, -32768]


def test_delay_and_at_start_when_they_are_due(pool: Pool) -> None:
    @job
    async def now() -> float:
        return time.time()

    before = time.time()
    delayed = now.options(delay=0.2).submit()
    at = now.options(at=datetime.now(UTC) + timedelta(seconds=0.2)).submit()
    past = now.options(at=datetime(2020, 1, 1, tzinfo=UTC)).submit()
    assert now.options(delay=3600).submit().status == "scheduled"
    assert past.result(PATIENCE) >= before
    assert delayed.result(PATIENCE) >= before + 0.19  # the clocks of this process and of the server are one
    assert at.result(PATIENCE) >= before + 0.19


@pytest.mark.parametrize(
    "options",
    [
        {"delay": -1},
        {"delay": float("inf")},
        {"delay": "5"},
        {"at": datetime(2026, 1, 1)},
        {"at": "tomorrow"},
        {"delay": 1, "at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"retries": -1},
        {"retries": 32768},
        {"backoff": "1"},
        {"nonsense": 1},
    ],
)
def test_options_without_a_meaning_are_refused(pool: Pool, options: dict[str, Any]) -> None:
    with pytest.raises(currant.InvalidArguments):
        double.options(**options)


# The pool's own controls.


def test_a_paused_queue_waits_and_others_go_on(start: Callable[..., Pool]) -> None:
    pool = start(queues=("default", "slow"))
    pool.pause("slow")
    waiting = double.options(queue="slow").submit(1)
    assert double.submit(3).result(PATIENCE) == 6
    assert waiting.status == "pending"
    assert pool.resume("slow")
    assert waiting.result(PATIENCE) == 2
    assert not pool.resume("slow")


def test_resize_lets_more_run_at_once_and_fewer(start: Callable[..., Pool]) -> None:
    together = threading.Barrier(4)

    @job
    def meet() -> str:
        together.wait(PATIENCE)
        return "met"

    pool = start(workers=1)
    batch = [meet.submit() for _ in range(4)]
    pool.resize(4)
    assert [e.result(PATIENCE) for e in batch] == ["met"] * 4

    running: list[int] = []
    most: list[int] = []

    @job
    async def count() -> None:
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0)
        running.pop()

    pool.resize(1)
    assert pool.workers == pool.stats().workers == 1
    for e in [count.submit() for _ in range(20)]:
        e.result(PATIENCE)
    assert max(most) == 1
    for wrong in (0, -1, 10_001, 1.5, True, None):
        with pytest.raises(currant.InvalidArguments, match="workers"):
            pool.resize(wrong)  # type: ignore[arg-type]


@KINDS
def test_a_stop_without_drain_gives_back_what_runs(start: Callable[..., Pool], signals: Signals, kind: str) -> None:
    pool = start(workers=1)
    handler = endless(signals, kind)
    running, waiting = handler.submit(), handler.submit()
    assert signals.started.wait(PATIENCE)
    pool.stop(drain=False)
    assert signals.ended.wait(PATIENCE)
    assert not pool.is_running
    assert (running.status, running.attempt) == ("pending", 0)
    assert (waiting.status, waiting.attempt) == ("pending", 0)


@KINDS
def test_a_stop_waits_for_what_runs_and_settles_it(start: Callable[..., Pool], signals: Signals, kind: str) -> None:
    pool = start(workers=1)
    handler = until_told(signals, kind)
    running, waiting = handler.submit(), handler.submit()
    assert signals.started.wait(PATIENCE)
    stopping = threading.Thread(target=pool.stop)
    stopping.start()
    until(lambda: not pool.is_running)
    signals.go_on.set()
    stopping.join(PATIENCE)
    assert running.result(PATIENCE) == "done"
    assert waiting.status == "pending"
    pool.stop()


def test_a_stop_with_a_time_limit_gives_back_what_has_not_ended(start: Callable[..., Pool], signals: Signals) -> None:
    pool = start()
    e = endless(signals, "async").submit()
    assert signals.started.wait(PATIENCE)
    pool.stop(timeout=0.01)
    assert signals.ended.is_set()
    assert e.status == "pending"


def test_a_handler_that_can_t_be_ended_does_not_hold_a_stop_up(start: Callable[..., Pool], signals: Signals) -> None:
    @job
    def deaf() -> None:
        signals.started.set()
        signals.go_on.wait(PATIENCE)  # one call into C: no interruption gets in

    pool = start()
    e = deaf.submit()
    assert signals.started.wait(PATIENCE)
    began = time.monotonic()
    pool.stop(drain=False)
    assert time.monotonic() - began < 10
    assert e.status == "pending"
    signals.go_on.set()


@KINDS
def test_an_outcome_whose_claim_is_gone_is_dropped(
    pool: Pool, signals: Signals, kind: str, leased: Leased, servers: Servers
) -> None:
    handler = until_told(signals, kind)
    e = handler.submit()
    assert signals.started.wait(PATIENCE)

    async def take_away() -> None:
        connection = await servers.superuser(leased.server.name)
        await connection.execute(
            f"UPDATE {leased.schema}.executions SET token = token + 1, claimed_by = -1 WHERE id = $1", e.id
        )

    servers.run(take_away())
    signals.go_on.set()
    until(lambda: pool.stats().stale == 1)
    assert e.status == "running"  # somebody else's now
    works(pool)
