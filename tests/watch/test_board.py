"""The board, fed by hand: what it shows is what a count over the raw values says."""

from __future__ import annotations

import itertools
import logging
import math
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from currant_lab import events
from currant_lab.database.inspect import QueueCount
from currant_lab.database.serving import PoolInfo, Waiting
from currant_lab.events import ClaimBatch, ClaimTally, Event, JobTally, Tally
from currant_lab.latency import Histogram, bucket_of, bucket_range
from currant_lab.watch.board import Board
from currant_lab.watch.folding import MOST_NAMES, RIBBON
from currant_lab.watch.snapshot import Gone, Holder, Snapshot

T0 = 1_800_000_000.0

microseconds = st.integers(0, 10**9)
names = st.text(max_size=20)


def histogram(values: list[int]) -> list[tuple[int, int]]:
    made = Histogram()
    for value in values:
        made.record(value)
    return made.counts()


def event(pool: int = 1, queue: str = "mail", **tally: object) -> Event:
    return Event(v=1, pool=pool, name="lab", sent_at=T0, workers=4, queues={queue: Tally(**tally)})  # type: ignore[arg-type]


def queue_count(name: str = "mail", pending: int = 0, running: int = 0, **rest: object) -> QueueCount:
    values = {"scheduled": 0, "exact": True, "paused_at": None} | rest
    return QueueCount(name=name, pending=pending, running=running, **values)  # type: ignore[arg-type]


def pool_info(id: int = 1, **rest: object) -> PoolInfo:
    values = {
        "name": "lab", "kind": "kernel", "host": "h", "pid": 7, "version": "1", "queues": ("mail",), "jobs": ("send",),
        "workers": 4, "has_lock": True, "started_at": datetime.now(UTC), "age_s": 1.0, "held": True, "running": 0,
    }  # fmt: skip
    return PoolInfo(id=id, **values | rest)  # type: ignore[arg-type]


def texts(board: Board) -> list[str]:
    return [trouble.text for trouble in board.troubles()]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(microseconds, min_size=1, max_size=30), min_size=1, max_size=5))
def test_percentiles_are_those_of_all_pools_values_together(pools: list[list[int]]) -> None:
    board = Board()
    for pool, values in enumerate(pools):
        for queue in ("a", "b"):
            board.fold(event(pool, queue, wait_us=histogram(values)), T0)
    merged = sorted(value for values in pools for value in values)
    for view in (*board.queues(), board.totals()):
        assert view.wait.count == len(merged) * (1 if view.name else 2)
        for share, shown in ((0.50, view.wait.p50_us), (0.95, view.wait.p95_us), (0.99, view.wait.p99_us)):
            true = merged[math.ceil(share * len(merged)) - 1]
            low, high = bucket_range(bucket_of(true))
            assert shown is not None
            assert low <= shown < high


def test_rates_shares_and_jobs() -> None:
    board = Board()
    board.reconcile(Snapshot(at=T0))
    for n in range(100):
        tally = JobTally(outcomes={"succeeded": 3, "failed": 1, "retry": 2}, run_us=[(5, 4)])
        one = event(outcomes={"succeeded": 3, "failed": 1, "retry": 2}, run_us=[(5, 4)])
        board.fold(msgspec.structs.replace(one, jobs={"send": tally}), T0 + n / 10)
    (queue,), (job,) = board.queues(), board.jobs()
    assert queue.out_per_s == pytest.approx(40, rel=0.05)
    assert job.out_per_s == pytest.approx(40, rel=0.05)
    assert queue.failed_share == job.failed_share == 0.25
    assert queue.run.count == job.run.count == len(job.run_hist) == 400
    assert sum(map(sum, board.heat("run", 300, "send").cells)) == 400
    assert board.heat("run", 300).cells == board.heat("run", 300, "send").cells
    board.advance(T0 + 700)
    (queue,), (job,) = board.queues(), board.jobs()
    assert (queue.out_per_s, queue.failed_share, queue.run.count, job.run.count) == (0, 0, 0, 0)


@pytest.mark.parametrize("span", [300, 900, 3600])
def test_a_series_adds_up_and_says_where_nothing_is_known(span: int) -> None:
    board = Board()
    board.reconcile(Snapshot(at=T0, queues=(queue_count(pending=7),)))
    for second in range(100):
        board.fold(event(outcomes={"succeeded": 2}, wait_us=[(bucket_of(1000), 1)]), T0 + second)
    out, waiting = board.series("out", span), board.series("waiting", span, "mail")
    assert sum(value * out.step_s for value in out.values if value is not None) == 200
    assert len(out.values) == 300
    assert out.start + 300 * out.step_s > board.now >= out.start + 299 * out.step_s
    assert out.values[0] is None
    assert waiting.values[-1] == 7
    p50 = board.series("wait_p50", span, "mail").values[-1]
    assert p50 is not None
    assert abs(p50 - 1000) < 63
    board.lost("gone", T0 + 100)
    board.advance(T0 + 160)
    assert board.series("out", 300).values[-1] is None


def test_what_comes_in_is_what_is_more_and_what_has_ended() -> None:
    board = Board()
    board.reconcile(Snapshot(at=T0, queues=(queue_count(pending=100, running=5),)))
    for n in range(1, 11):
        board.fold(event(outcomes={"succeeded": 50}), T0 + n - 0.5)
        board.reconcile(Snapshot(at=T0 + n, queues=(queue_count(pending=100 + 10 * n, running=5),)))
    assert board.queues()[0].in_per_s == pytest.approx(60, rel=0.05)
    assert board.totals().in_per_s == pytest.approx(60, rel=0.05)


def test_claims() -> None:
    board = Board()
    for n in range(40):
        batches = [ClaimBatch("mail", n * 16 + i, 1000, "notify", 50_000) for i in range(16)]
        claims = {"claims": 16, "sizes": [(8, 12), (0, 4)], "claim_us": [(111, 16)], "wakes": {"notify": 16}}
        all_claims = ClaimTally(**claims, empty=4)  # type: ignore[arg-type]
        mail, web = Tally(**claims, empty=4), Tally(**claims, empty=16)  # type: ignore[arg-type]
        board.fold(
            Event(v=1, pool=1, prefetch=9, buffered=3, statements=100 + n, claims=all_claims,
                  queues={"mail": mail, "web": web}, batches=batches),
            T0 + n,
        )  # fmt: skip
    view = board.claims()
    assert len(view.ribbon) == RIBBON
    assert view.ribbon[-1].size == 639
    assert view.ribbon[-1].at == pytest.approx(T0 + 39 - 0.05)
    assert (view.empty_share, view.sizes, view.wakes) == (0.25, ((0, 160), (8, 480)), {"notify": 640})
    assert (view.claim.count, view.prefetch, view.buffered) == (640, 9, 3)
    assert (board.claims("mail").empty_share, board.claims("web").empty_share) == (0.25, 1.0)
    assert board.state.pools[1].ring.total("claims") == 40 * 16
    assert board.claims("other").claims == 0


def test_queues_that_are_gone_are_dropped_and_those_with_a_pool_are_there() -> None:
    board = Board()
    board.reconcile(Snapshot(at=T0, queues=(queue_count("old", pending=1),), pools=(pool_info(queues=("new",)),)))
    board.fold(event(queue="new"), T0)
    board.reconcile(Snapshot(at=T0 + 300, pools=(pool_info(queues=("new",)),)))
    assert [(queue.name, queue.waiting) for queue in board.queues()] == [("new", 0), ("old", 0)]
    assert board.series("waiting", 300, "old").values[-1] == 0
    board.reconcile(Snapshot(at=T0 + 601, pools=(pool_info(queues=("new",)),)))
    assert [queue.name for queue in board.queues()] == ["new"]
    assert list(board.state.queues) == ["new"]


def test_samples_do_not_make_a_queue_jump() -> None:
    board, true = Board(), 1_000_000
    shown = []
    for n in range(50):
        sampled = round(true * (1.05 if n % 2 else 0.95))
        board.reconcile(Snapshot(at=T0 + 2 * n, queues=(queue_count(pending=sampled, exact=False),), inserted=500 * n))
        shown.append(board.totals().waiting - true)
        board.fold(event(outcomes={"succeeded": 2_500}), T0 + 2 * n + 1)
        true -= 2_000
    assert max(abs(error) for error in shown[20:]) < 0.02 * true
    assert max(abs(later - one) for one, later in itertools.pairwise(shown[20:])) < 0.025 * true
    board.reconcile(Snapshot(at=T0 + 100, queues=(queue_count(pending=5_000_000, exact=False),)))
    assert board.totals().waiting == 5_000_000


def test_pools_that_go_quiet_and_are_lost() -> None:
    board = Board()
    board.reconcile(Snapshot(at=T0, pools=(pool_info(), pool_info(2, held=False), pool_info(3, age_s=61.0))))
    assert [pool.state for pool in board.pools()] == ["alive", "quiet", "lost"]
    board.reconcile(Snapshot(at=T0 + 8, pools=(pool_info(2, held=False),), gone=(
        Gone(1, "lab", "kernel", "h", 7, "1", ("mail",), 4, lost=False, ago_s=1.0),)))  # fmt: skip
    assert [pool.state for pool in board.pools()] == ["stopped", "lost"]
    assert "pool lab lost 8 s ago" in texts(board)
    board.advance(T0 + 30)
    board.fold(event(9), T0 + 30)
    assert board.pools()[-1].state == "alive"  # not in a snapshot yet
    board.advance(T0 + 60)
    assert board.pools()[-1].state == "lost"


def test_the_troubles_in_their_words() -> None:
    board = Board()
    waiting = Waiting("web", "fetch", 120, exact=True, known=False, heard=True, served=False, paused=False)
    board.reconcile(
        Snapshot(
            at=T0,
            queues=(
                queue_count(pending=1204),
                queue_count("web", pending=120),
                queue_count("p", 1, paused_at=datetime.now(UTC)),
            ),
            pools=(pool_info(queues=("web", "p")),),
            waiting=(waiting,),
            holder=Holder(4711, "psql", "u", "idle in transaction", 720.0),
            clock_ahead_s=-42.0,
        )
    )  # fmt: skip
    board.dropped(3, T0)
    assert set(texts(board)) == {
        "no pool listens on `mail`: 1,204 wait",
        "120 wait for code: `fetch`",
        "pid 4711 (psql, idle in transaction 12 min) holds vacuum back",
        "queue `p` is paused: 1 waits",
        "events dropped: resynchronised",
        "the database's clock is 42 s behind this machine's",
    }
    board.lost("no server answers", T0 + 5)
    assert board.troubles()[0].text == "no server answers"
    assert board.queues()[0].waiting == 1204
    assert board.header.data_age_s(T0 + 5) == 5
    board.reconcile(Snapshot(at=T0 + 20))
    assert texts(board) == []


def test_a_clock_that_goes_back_harms_nobody() -> None:
    board = Board()
    board.reconcile(Snapshot(at=T0, queues=(queue_count(pending=5),)))
    board.fold(event(outcomes={"succeeded": 1}), T0 + 1)
    board.fold(event(outcomes={"succeeded": 1}), T0 - 1)
    assert board.now == T0 + 1
    board.fold(event(outcomes={"succeeded": 1}), T0 - 7200)
    assert board.now == T0 - 7200
    board.reconcile(Snapshot(at=T0 - 7199, queues=(queue_count(pending=5),)))
    assert board.totals().waiting == 5
    assert sum(value or 0 for value in board.series("out", 300).values) == 1
    board.fold(event(outcomes={"succeeded": 1}), T0 + 10**7)
    assert board.totals().out_per_s > 0


counts = st.dictionaries(names, st.integers(0, 2**53), max_size=3)
buckets = st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 2**53)), max_size=5)
tallies = st.builds(Tally, claims=st.integers(0, 2**53), empty=st.integers(0, 2**53), wakes=counts, outcomes=counts,
                    sizes=buckets, claim_us=buckets, wait_us=buckets, run_us=buckets)  # fmt: skip
jobs = st.builds(JobTally, outcomes=counts, wait_us=buckets, run_us=buckets)
batches = st.lists(
    st.builds(ClaimBatch, queue=names, size=st.integers(0, 2**53), us=st.integers(0, 2**53), reason=names)
)
claimed = st.builds(ClaimTally, claims=st.integers(0, 2**53), empty=st.integers(0, 2**53), wakes=counts, sizes=buckets,
                    claim_us=buckets)  # fmt: skip
wild = st.builds(Event, v=st.just(1), pool=st.integers(0, 2**31 - 1), name=names, sent_at=st.floats(0, 1e11),
                 statements=st.integers(0, 2**53), claims=claimed, queues=st.dictionaries(names, tallies, max_size=3),
                 jobs=st.dictionaries(names, jobs, max_size=3), batches=batches)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(wild, st.floats(0, 4e9)), max_size=8))
def test_no_event_harms_the_board(said: list[tuple[Event, float]]) -> None:
    board = Board()
    for one, now in said:
        board.fold(one, now)
        board.reconcile(Snapshot(at=now))
    for read in (board.queues, board.totals, board.pools, board.jobs, board.claims, board.troubles):
        read()
    for measure in ("waiting", "in", "out", "wait_p99", "claim_p50"):
        board.series(measure, 300)  # type: ignore[arg-type]
    board.heat("wait", 900)


@settings(deadline=None, max_examples=60)
@given(wild)
def test_events_survive_the_wire(one: Event) -> None:
    payload = events.encode(one)
    if len(payload) <= 8_000:
        assert events.decode(payload) == one


@pytest.mark.parametrize(
    "payload",
    ["", "x", "[]", "{}", '{"v":2,"pool":1}', '{"v":1}', '{"v":1,"pool":-1}', '{"v":1,"pool":1,"sent_at":-1}',
     "[" * 7_000,
     '{"v":1,"pool":1,"queues":{"a":{"wait_us":[[99999999,1]]}}}', '{"v":1,"pool":1,"name":"' + "x" * 8_000 + '"}',
     '{"v":1,"pool":1,"queues":{"a":{"claims":1e400}}}', '{"v":1,"pool":1,"queues":{"a":{"claims":-1}}}', "\ud800"],
    ids=range(14),
)  # fmt: skip
def test_what_no_pool_would_say_is_not_read(payload: str) -> None:
    assert events.decode(payload) is None


def test_each_kind_is_told_of_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_told", set())
    with caplog.at_level(logging.WARNING, "currant"):
        for _ in range(3):
            for payload in ("nonsense", '{"v":7}', "x" * 9_000):
                assert events.decode(payload) is None
    assert len(caplog.records) == 3


def test_an_event_of_an_older_pool_is_read() -> None:
    old = '{"v":1,"pool":3,"name":"n","sent_at":1.5,"queues":{"q":{"claims":1}},"running":0,"buffered":0,"workers":1}'
    read = events.decode(old)
    assert read is not None
    assert read.jobs == {}
    assert read.queues["q"].claims == 1


def test_names_without_end_are_not_kept() -> None:
    board = Board()
    for n in range(3 * MOST_NAMES):
        one = Event(v=1, pool=n, queues={f"q{n}": Tally(outcomes={"succeeded": 1})}, jobs={f"j{n}": JobTally()})
        board.fold(one, T0)
    assert len(board.queues()) == len(board.jobs()) == len(board.pools()) == MOST_NAMES
    assert sum(value or 0 for value in board.series("out", 300).values) == 3 * MOST_NAMES
