"""Memory and connections stay bounded: with a long backlog, a database that hangs, handlers that never end."""

from __future__ import annotations

import gc
import os
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, Signals, double, endless, until
from tests.pool.worker import Books

WAITING = int(os.environ.get("WAITING", "100000"))
"""`WAITING=10000000` by hand."""
PREFETCH = 1_000
"""The most that a pool holds in advance (`native/src/buffer.rs`)."""


@pytest.fixture
def books(leased: Leased) -> Iterator[Books]:
    made = Books(leased)
    yield made
    made.close()


def resident_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def connections(books: Books) -> int:
    (row,) = books.sql("SELECT count(*) AS n FROM pg_stat_activity WHERE application_name LIKE 'currant%'")
    return int(row["n"])


def fill(books: Books, name: str, count: int) -> None:
    books.sql(
        "INSERT INTO currant.executions (id, job, args)"
        " SELECT currant.new_id(), $1, '[1]' FROM generate_series(1, $2)", name, count
    )  # fmt: skip


def test_a_long_backlog_costs_no_memory(start: Callable[..., Pool], books: Books) -> None:
    name = double.name
    pool = start(workers=16)
    fill(books, name, 2_000)
    pool.wake()
    until(lambda: pool.stats().settled >= 2_000)
    before, opened = resident_mb(), connections(books)
    pool.pause("default")
    fill(books, name, WAITING)
    pool.resume("default")
    most = 0
    while pool.stats().settled < 12_000:
        stats = pool.stats()
        most = max(most, stats.buffered + stats.running)
    assert most <= PREFETCH + 2 * 16
    assert connections(books) <= opened + 1
    assert resident_mb() - before < 40, "MB for a backlog that is not its own"
    pool.stop()
    books.sql("TRUNCATE currant.executions")


def test_a_database_that_hangs_meets_back_pressure(start: Callable[..., Pool], books: Books) -> None:
    pool = start(workers=16)
    double.map(range(3_000)).results(PATIENCE)
    opened = connections(books)
    most = 0
    for _ in range(2):
        fill(books, double.name, 6_000)
        books.sql("BEGIN")
        books.sql("LOCK TABLE currant.executions IN ACCESS EXCLUSIVE MODE")
        pool.wake()
        settled = pool.stats().settled
        quiet = threading.Event()
        for _ in range(10):
            quiet.wait(0.05)
            stats = pool.stats()
            most = max(most, stats.claimed - stats.settled - stats.stale - stats.released)
        assert pool.stats().settled - settled <= 500, "it did not hang"  # one batch may have been under way
        books.sql("COMMIT")
        until(lambda settled=settled: pool.stats().settled > settled + 600)  # type: ignore[misc]
    # In advance, running, and the outcomes of what had run: as many again, and two statements' worth on the way.
    assert most <= 3 * PREFETCH + 2 * 16, "held by a pool whose database does not answer"
    assert connections(books) <= opened + 1
    until(lambda: pool.stats().settled == 15_000)
    assert pool.stats().stale == 0


def test_handlers_that_never_end_take_nothing_with_them(
    start: Callable[..., Pool], signals: Signals, books: Books
) -> None:
    stuck = endless(signals, "async")
    pool = start(workers=2)
    pool.pause("default")
    double.map(range(1_000))  # fast so far: much is held in advance
    handles = [stuck.submit(), stuck.submit()]
    double.map(range(2_000))
    pool.resume("default")
    until(lambda: all(handle.status == "running" for handle in handles))

    def is_quiet() -> bool:
        """Whether it holds nothing in advance, and has hardly asked for anything in a second."""
        before = pool.stats().statements
        threading.Event().wait(1)
        return pool.stats().buffered <= 2 and pool.stats().statements - before <= 5

    # What it holds in advance goes back when it sees that nothing moves; others may run it, and it asks for no more.
    until(is_quiet)
    pending = "SELECT FROM currant.executions WHERE status = 'pending'"
    until(lambda: len(books.sql(pending)) >= 2_998 - pool.stats().settled)
    assert pool.stats().buffered <= 2
    for handle in handles:
        handle.cancel()
    until(lambda: not books.sql("SELECT FROM currant.executions"))
