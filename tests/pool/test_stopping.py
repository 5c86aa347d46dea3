"""Stopping gives back what has not started, at once; drains; then hands back; and no attempt is wasted by it."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from currant_lab import job
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, Signals, double, double_plainly, endless, until, until_told
from tests.pool.worker import Books

STOPS = int(os.environ.get("STOPS", "40"))
"""`STOPS=100` by hand."""


@pytest.fixture
def books(leased: Leased) -> Iterator[Books]:
    made = Books(leased)
    yield made
    made.close()


def states(books: Books) -> Counter[tuple[str, int]]:
    rows = books.sql("SELECT status, attempt, count(*) AS n FROM currant.executions GROUP BY 1, 2")
    return Counter({(row["status"], row["attempt"]): row["n"] for row in rows})


def test_what_has_not_started_is_given_back_while_the_rest_ends(
    start: Callable[..., Pool], signals: Signals, books: Books
) -> None:
    pool = start(workers=1)
    # Short runs so far: the pool holds many in advance.
    double.map(range(500)).results(PATIENCE)
    held = until_told(signals, "async")
    until(lambda: held.name in books.sql("SELECT jobs FROM currant.pools")[0]["jobs"])
    books.sql(
        "INSERT INTO currant.executions (id, job, args)"  # the first by its id: a claim has it in front
        " SELECT CASE n WHEN 0 THEN currant.first_id(clock_timestamp()) ELSE currant.new_id() END,"
        " CASE n WHEN 0 THEN $1 ELSE $2 END, CASE n WHEN 0 THEN '[]'::bytea ELSE '[1]' END"
        " FROM generate_series(0, 300) AS n", held.name, double.name
    )  # fmt: skip
    pool.wake()
    assert signals.started.wait(PATIENCE)
    stopping = threading.Thread(target=pool.stop)
    asked = time.monotonic()
    stopping.start()
    until(lambda: states(books) == {("running", 1): 1, ("pending", 0): 300})
    took = time.monotonic() - asked
    assert stopping.is_alive(), "it did not wait for the handler"
    assert took < 1, took
    signals.go_on.set()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert books.sql("SELECT status FROM currant.history WHERE job = $1", held.name)[0]["status"] == "succeeded"
    assert states(books) == {("pending", 0): 300}
    # Some of them had been claimed in advance.
    (row,) = books.sql("SELECT count(*) AS n FROM currant.executions WHERE token = 1")
    assert 0 < row["n"] <= pool.stats().released  # of the first 500 some may have been given back, too


def test_after_its_time_a_stop_cancels_and_hands_back(
    start: Callable[..., Pool], signals: Signals, books: Books
) -> None:
    pool = start(workers=2)
    endless(signals, "async").submit()
    assert signals.started.wait(PATIENCE)
    asked = time.monotonic()
    pool.stop(timeout=0.3)
    took = time.monotonic() - asked
    assert signals.ended.is_set()
    assert states(books) == {("pending", 0): 1}
    assert 0.3 <= took < 2, took


@job
async def brief(x: int) -> int:
    import asyncio

    await asyncio.sleep(0.002)
    return x


@pytest.mark.timeout(180)
def test_many_stops_under_load(start: Callable[..., Pool], books: Books) -> None:
    """Nothing is left running, and in the end everything has run at its first attempt: none was spent on what was
    claimed and given back."""
    rng = random.Random(7)
    start(workers=8).stop()
    kinds = (double, double_plainly, brief)
    submitted = 0
    for _ in range(STOPS):
        for kind in kinds:
            kind.map(range(30))
            submitted += 30
        pool = start(workers=8)
        until(lambda pool=pool: pool.stats().settled > rng.randrange(40))  # type: ignore[misc]
        pool.stop(drain=rng.random() < 0.5, timeout=rng.choice((None, 0.01)))
        assert not books.sql("SELECT FROM currant.executions WHERE status = 'running'")
    start(workers=8)
    until(lambda: not books.sql("SELECT FROM currant.executions"))
    rows = books.sql("SELECT status, attempt, rescues, count(*) AS n FROM currant.history GROUP BY 1, 2, 3")
    assert [tuple(row) for row in rows] == [("succeeded", 1, 0, submitted)]
    pools = books.sql("SELECT count(*) AS n, count(stopped_at) AS stopped FROM currant.pools")
    assert tuple(pools[0]) == (STOPS + 2, STOPS + 1)
