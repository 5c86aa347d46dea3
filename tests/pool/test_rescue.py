"""What a dead pool held is given back in time, what a living one holds is not, and who lost a claim is told."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from currant_lab.loop import background
from currant_lab.pool.pool import Pool
from tests.chaos.jobs import TRACE
from tests.client.proxy import Wire
from tests.conftest import Leased
from tests.pool.helpers import KINDS, Signals, endless, until, works
from tests.pool.worker import Books, Worker

Begin = Callable[..., Worker]


@pytest.fixture
def books(leased: Leased) -> Iterator[Books]:
    made = Books(leased)
    yield made
    made.close()


@pytest.fixture
def begin(leased: Leased, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Starts pools in processes of their own; what is left of them is killed."""
    monkeypatch.setenv(TRACE, str(tmp_path / "trace"))  # this process may run their jobs as well
    made: list[Worker] = []

    def start(name: str, url: str | None = None, workers: int = 4) -> Worker:
        made.append(Worker(leased, tmp_path, name, url, workers))
        return made[-1]

    yield start
    for worker in made:
        if worker.process.poll() is None:
            worker.close()


def until_begun(books: Books, count: int = 1) -> None:
    until(lambda: books.sql("SELECT count(*) AS n FROM currant.executions WHERE status = 'running'")[0]["n"] == count)


def patient(books: Books, path: Path) -> bytes:
    """An execution that runs until there is a file."""
    (id,) = books.submit("patient", json.dumps([1, str(path)]))
    until_begun(books)
    return id


def test_a_new_pool_of_the_same_name_has_the_work_back_within_a_second(
    start: Callable[..., Pool], begin: Begin, books: Books, tmp_path: Path
) -> None:
    took: list[float] = []
    while not took or (took[-1] >= 1 and len(took) < 3):  # a busy machine has two more tries
        worker = begin("lab")
        books.submit("patient", json.dumps([1, str(tmp_path / "go")]), 10)  # four run
        until_begun(books, 4)
        asked = time.monotonic()
        other = start(name="other", queues=["other"])
        usual = time.monotonic() - asked  # what a start takes here with nobody to rescue
        other.stop()
        worker.kill()
        asked = time.monotonic()
        pool = start(name="lab", queues=["other"])  # a queue of its own, so that what is back stays pending
        took.append(time.monotonic() - asked - usual)
        states = books.sql("SELECT status, rescues, count(*) FROM currant.executions GROUP BY 1, 2 ORDER BY 2")
        assert [tuple(row) for row in states] == [("pending", 0, 6), ("pending", 1, 4)]
        pool.stop()
        books.sql("DELETE FROM currant.executions")
    assert took[-1] < 1, took


def test_other_pools_notice_within_ten_seconds_here_and_elsewhere(
    start: Callable[..., Pool], begin: Begin, books: Books, tmp_path: Path
) -> None:
    here, elsewhere = begin("here", workers=1), begin("elsewhere", workers=1)
    start(name="lab", queues=["other"])  # long before: its renewals come every five seconds
    ids = books.submit("patient", json.dumps([1, str(tmp_path / "go")]), 2)
    until_begun(books, 2)
    # As if it were on another host: nothing is known of its process, only of its lock.
    books.sql("UPDATE currant.pools SET host = 'far', boot_id = 'far' WHERE pid = $1", elsewhere.pid)
    killed = time.monotonic()
    here.kill()
    elsewhere.kill()
    until(lambda: all(books.row(id)["rescues"] == 1 for id in ids))
    took = time.monotonic() - killed
    assert took < 10, took


def test_a_pool_whose_connections_are_cut_and_who_comes_back_keeps_its_work(
    leased: Leased, begin: Begin, books: Books, tmp_path: Path
) -> None:
    wire = background.run(Wire(leased.server.port).open())
    url = f"postgresql://postgres@127.0.0.1:{wire.port}/postgres?sslmode=disable"
    worker = begin("cut", url)
    books.sql("UPDATE currant.pools SET host = 'far', boot_id = 'far'")
    id = patient(books, tmp_path / "go")
    background.run(wire.cut())
    until(lambda: not books.sql("SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1", pool_of(books, id)))
    first = begin("first to look")
    os.kill(first.pid, signal.SIGSTOP)  # it would look again after three seconds, however slow this machine is
    assert books.sql("SELECT suspect_since FROM currant.pools WHERE pid = $1", worker.pid)[0]["suspect_since"]
    wire.is_cut = False
    until(lambda: books.sql("SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = $1", pool_of(books, id)))
    os.kill(first.pid, signal.SIGCONT)
    begin("second to look")
    (tmp_path / "go").touch()
    until(lambda: books.row(id)["status"] == "succeeded")
    row = books.row(id)
    assert (row["attempt"], row["token"], row["rescues"]) == (1, 1, 0)
    background.run(wire.close())


def pool_of(books: Books, id: bytes) -> int:
    return int(books.row(id)["claimed_by"])


def test_a_pool_that_is_only_slow_is_not_robbed(begin: Begin, books: Books, tmp_path: Path) -> None:
    worker = begin("slow", workers=1)
    os.mkfifo(tmp_path / "go")
    (id,) = books.submit("deaf", json.dumps([1, str(tmp_path / "go")]))  # nothing of Python moves in there
    until_begun(books)
    seen = "SELECT seen_at, lost_at FROM currant.pools WHERE pid = $1"
    before = books.sql(seen, worker.pid)[0]["seen_at"]
    begin("first to look")
    until(lambda: books.sql(seen, worker.pid)[0]["seen_at"] > before)
    assert books.row(id)["status"] == "running", "the GIL was let go: this shows nothing"
    begin("second to look")
    os.close(os.open(tmp_path / "go", os.O_WRONLY))
    until(lambda: books.row(id)["status"] == "succeeded")
    row = books.row(id)
    assert (row["attempt"], row["token"], row["rescues"]) == (1, 1, 0)
    assert books.sql(seen, worker.pid)[0]["lost_at"] is None


@KINDS
def test_who_lost_a_claim_is_told_and_its_outcome_is_refused(
    pool: Pool, signals: Signals, books: Books, kind: str
) -> None:
    execution = endless(signals, kind).submit()
    assert signals.started.wait(20)
    # What another pool does that takes this one for dead.
    books.sql("UPDATE currant.pools SET lost_at = now() WHERE id = $1", pool.id)
    books.sql(
        "UPDATE currant.executions"
        " SET status = 'pending', claimed_by = NULL, claimed_at = NULL, rescues = 1, job = 'gone'"
    )
    before = pool.id
    pool.resize(5)  # renews the lease, and hears of it
    assert signals.ended.wait(20)
    until(lambda: pool.stats().stale == 1)
    assert pool.id > before
    row = books.row(execution.id.bytes)
    assert (row["status"], row["token"]) == ("pending", 1)
    books.sql("DELETE FROM currant.executions")
    works(pool)
