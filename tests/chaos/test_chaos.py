"""A few rounds of the chaos of `make chaos`, in the short form; and the audit notices what it is there to notice."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.chaos.driver import plan, run
from tests.chaos.faults import FAULTS
from tests.chaos.faults.network import ConnectionsCut
from tests.chaos.faults.processes import Frozen, Killed
from tests.chaos.faults.server import ConnectionsTerminated, ImmediateRestart
from tests.chaos.faults.server_limits import ConnectionsExhausted, Deadlock, DiskFull, StatementTimeouts
from tests.chaos.world import world

QUICK = (
    Killed, ConnectionsTerminated, ImmediateRestart, ConnectionsCut, Deadlock, StatementTimeouts, ConnectionsExhausted,
    DiskFull, Frozen,
)  # fmt: skip


SEED = 20261125
"""Always the same faults in the same order: `make chaos` is there to look for others."""


@pytest.mark.timeout(300)
def test_nothing_is_lost_whatever_breaks() -> None:
    report = run(len(QUICK), SEED, kinds=QUICK, length=0.2, is_loud=True)
    print(report.text())
    assert report.is_good, report.text()
    assert report.executions > 300
    assert report.rescued > 0
    assert report.woven.chained > 100
    assert report.woven.away > 5
    assert report.woven.signals > 5


def test_a_seed_plans_the_same_faults() -> None:
    first, again = plan(random.Random(5), FAULTS), plan(random.Random(5), FAULTS)
    rounds = [next(first) for _ in range(60)]
    assert rounds == [next(again) for _ in range(60)]
    assert {kind for kinds in rounds[: len(FAULTS)] for kind in kinds} == set(FAULTS)
    assert any(len(kinds) > 1 for kinds in rounds)


NTH = (
    "(SELECT id FROM currant.history WHERE status = 'succeeded' AND job LIKE 'tests.chaos.jobs:%'"
    " ORDER BY id DESC OFFSET {} LIMIT 1)"
)
CHILD = (
    "(SELECT d.child FROM currant.dependencies AS d JOIN currant.history AS h ON h.id = d.child"
    " WHERE h.status = 'succeeded' AND h.job LIKE 'tests.chaos.chains:%'"
    " AND NOT EXISTS (SELECT FROM currant.steps AS s WHERE s.child = d.child)"
    " ORDER BY d.child DESC, d.parent OFFSET {} LIMIT 1)"
)
RUN = (
    "(SELECT id FROM currant.history WHERE status = 'succeeded' AND job = 'tests.chaos.flows:errand'"
    " ORDER BY id DESC LIMIT 1)"
)
CHILDREN_ENDED = CHILD.replace("SELECT d.child FROM", "SELECT count(*) FROM").partition(" ORDER BY")[0] + ")"
NEW_TIES = 12
"""Ties of new children: enough for each that is tampered with to be another, the first without all of its own."""

RUNS_ENDED = "SELECT count(*) FROM currant.history WHERE status = 'succeeded' AND job = 'tests.chaos.flows:errand'"
TAMPER: dict[str, tuple[str, Callable[..., bool]]] = {
    "twice": (
        "INSERT INTO public.moves (id, was, now, token, attempt, rescues, pool)"
        f" SELECT id, was, now, token, attempt, rescues, pool FROM public.moves WHERE id = {NTH.format(1)}"
        " AND now = 'succeeded'",
        lambda books: books.twice == 1,
    ),
    "a stale outcome": (
        f"UPDATE currant.history SET token = token + 1 WHERE id = {NTH.format(2)}",
        lambda books: any("was accepted as that of" in one for one in books.wrong),
    ),
    "a wrong result": (
        f"UPDATE currant.history SET result = '[7, 1]' WHERE id = {NTH.format(3)}",
        lambda books: any(one.endswith("is 7") for one in books.wrong),
    ),
    "a claim that nobody made": (
        f"DELETE FROM public.moves WHERE now = 'running' AND id = {NTH.format(4)}",
        lambda books: any("which no claim gave out" in one for one in books.wrong),
    ),
    "something left": (
        "INSERT INTO currant.executions (id, job, status, args) VALUES (gen_random_uuid(), 'nobody', 'waiting', '[]')",
        lambda books: any("are left" in one for one in books.wrong),
    ),
    "a tie that is gone": (
        f"DELETE FROM currant.dependencies WHERE child = {CHILD.format(0)}",
        lambda books: any("and was submitted with" in one for one in books.wrong),
    ),
    "a child that was too early": (
        "UPDATE public.moves SET n = n + 1000000 WHERE now = 'succeeded'"
        f" AND id IN (SELECT parent FROM currant.dependencies WHERE child = {CHILD.format(4)})",
        lambda books: any("was started before its parent" in one for one in books.wrong),
    ),
    "a child that says that it was too early": (
        f"UPDATE currant.history SET started_at = '2020-01-01' WHERE id = {CHILD.format(5)}",
        lambda books: any("says that it started before" in one for one in books.wrong),
    ),
    "a step that is gone": (
        f"DELETE FROM currant.steps WHERE number = 1 AND execution = {RUN}",
        lambda books: any("has the steps" in one for one in books.wrong),
    ),
    "a signal that is another": (
        f"UPDATE currant.signals SET value = '7777' WHERE name = 'go' AND execution = {RUN}",
        lambda books: any("= 7777, and" in one for one in books.wrong),
    ),
    "a wait without an end": (
        f"INSERT INTO currant.awaited (child, run) SELECT {CHILD.format(2)}, {RUN}",
        lambda books: any(one.startswith("a wait of") for one in books.wrong),
    ),
    "a tie to nobody": (
        f"INSERT INTO currant.dependencies (parent, child) VALUES ({CHILD.format(3)}, gen_random_uuid())",
        lambda books: any(one.startswith("a tie of") for one in books.wrong),
    ),
    "lost": (
        f"DELETE FROM currant.history WHERE id = {NTH.format(0)}",
        lambda books: books.lost == 1,
    ),
}


@pytest.mark.timeout(120)
def test_the_audit_notices() -> None:
    with world(1, length=0.2) as whole:
        whole.await_started("a")
        whole.until("the first ends", lambda: whole.sql("SELECT FROM currant.history LIMIT 1"))
        whole.sleep(2)
        whole.rest()
        books = whole.books
        assert books.executions > 0
        assert (books.lost, books.twice, books.wrong) == (0, 0, [])
        runs, children = whole.sql(RUNS_ENDED), whole.sql(f"SELECT {CHILDREN_ENDED} AS n")[0]["n"]
        whole.until("a run", lambda: whole.sql(RUNS_ENDED) != runs)
        whole.until("children", lambda: whole.sql(f"SELECT {CHILDREN_ENDED} AS n")[0]["n"] >= children + NEW_TIES)
        whole.rest(before_check=lambda: [whole.sql(text) for text, _ in TAMPER.values()])
        missed = [what for what, (_, is_noticed) in TAMPER.items() if not is_noticed(books)]
        assert not missed, (missed, books)
