"""Workers are killed again and again; every run still ends once, with the right result, and leaves nothing behind.

`KILLED_RUNS` and `KILLED_GRAPH` in the environment make these longer: runs of a workflow, executions of a random graph.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from currant_lab.client.batch import Batch
from currant_lab.client.handles import Execution
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.worker import Books, Worker
from tests.workflows import jobs

RUNS = int(os.environ.get("KILLED_RUNS", "40"))
GRAPH = int(os.environ.get("KILLED_GRAPH", "3000"))
LONG_S = 120 + (RUNS + GRAPH / 50) * 0.5
"""Only what hangs takes so long."""

# What settles is inserted into history: once.
AUDIT = (
    "CREATE TABLE currant.ends (id uuid NOT NULL, status text NOT NULL)",
    """CREATE FUNCTION currant.note_end() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
           INSERT INTO currant.ends VALUES (NEW.id, NEW.status);
           RETURN NULL;
       END $$""",
    "CREATE TRIGGER note_end AFTER INSERT ON currant.history FOR EACH ROW EXECUTE FUNCTION currant.note_end()",
)


class Killer:
    """Two workers. Every so often one of them is killed, and another of its name takes its place."""

    def __init__(self, leased: Leased, directory: Path, every_s: float, workers: int) -> None:
        self._new = lambda name: Worker(leased, directory, name, workers=workers, module=jobs.MODULE)
        self._every_s = every_s
        self._workers = {name: self._new(name) for name in ("a", "b")}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self.killed = 0

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for worker in self._workers.values():
            worker.close()

    def _go_on(self) -> None:
        for name in itertools.cycle("ab"):
            if self._is_over.wait(self._every_s):
                return
            self._workers[name].kill()
            self.killed += 1
            self._workers[name] = self._new(name)


@pytest.fixture
def audited(books: Books) -> Books:
    for statement in AUDIT:
        books.sql(statement)
    return books


@pytest.fixture
def client(start: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process submits and signals, and runs nothing."""
    monkeypatch.setenv(jobs.QUICKLY, "1")
    start(queues=("nobody",))


def settled_once(books: Books, expected: int) -> None:
    (row,) = books.sql(
        "SELECT count(*) AS n, count(DISTINCT id) AS ids, count(*) FILTER (WHERE status <> 'succeeded') AS bad"
        " FROM currant.ends"
    )
    assert (row["n"], row["ids"], row["bad"]) == (expected, expected, 0)
    assert books.sql("SELECT FROM currant.executions") == []
    assert books.sql("SELECT run FROM currant.awaited UNION ALL SELECT run FROM currant.awaited_batches") == []


@pytest.mark.timeout(LONG_S)
def test_runs_of_a_workflow(leased: Leased, client: None, audited: Books, tmp_path: Path) -> None:
    chance = random.Random(11)
    with Killer(leased, tmp_path, 1.5, workers=8) as killer:
        runs = list(jobs.whole.map(range(RUNS)))
        for n in chance.sample(range(RUNS), RUNS):  # some long before they are awaited, some long after
            runs[n].signal("go", 100 + n)
            threading.Event().wait(chance.expovariate(RUNS / 3))
        assert [run.result(LONG_S) for run in runs] == [jobs.right(n, 100 + n) for n in range(RUNS)]
        killed = killer.killed
    assert killed > 1
    settled_once(audited, RUNS * jobs.EXECUTIONS)
    for run in runs:
        assert [step.number for step in run.steps] == list(range(1, jobs.STEPS + 1))
    (row,) = audited.sql(
        "SELECT count(*) AS n, count(DISTINCT child) AS children FROM currant.steps WHERE kind IN ('run', 'submit')"
    )
    assert row["n"] == row["children"] == RUNS * (5 + 2), "a step began an execution, and each began its own"


@pytest.mark.timeout(LONG_S)
def test_a_random_graph(leased: Leased, client: None, audited: Books, tmp_path: Path) -> None:
    """Each execution says how deep it lies, which only an order that the graph allows gets right."""
    chance = random.Random(13)
    handles: list[Execution | Batch] = []
    depths: list[int] = []
    with Killer(leased, tmp_path, 1.5, workers=50) as killer:
        while len(handles) < GRAPH:
            known = len(handles)
            parents = [
                chance.sample(range(max(0, known - 500), known), min(known, chance.randrange(4))) for _ in range(100)
            ]
            handles += jobs.depth.map([[handles[p] for p in above] for above in parents])
            depths += [1 + max((depths[p] for p in above), default=0) for above in parents]
        total = jobs.depth.submit([handles[-1], *handles[:3]])
        assert [handle.result(LONG_S) for handle in handles] == depths  # type: ignore[union-attr]
        assert total.result(LONG_S) == 1 + max(depths[-1], *depths[:3])
        killed = killer.killed
    assert killed > 0
    settled_once(audited, len(handles) + 1)
    early = audited.sql(
        "SELECT d.child FROM currant.dependencies AS d JOIN currant.history AS p ON p.id = d.parent"
        " JOIN currant.history AS c ON c.id = d.child WHERE c.started_at < p.started_at"
    )
    assert early == []
