"""How events and snapshots change a board's memory."""

from __future__ import annotations

from dataclasses import replace

from currant_lab.database.inspect import QueueCount
from currant_lab.events import Event, JobTally, Tally
from currant_lab.watch.snapshot import Snapshot
from currant_lab.watch.state import JobTrack, PoolTrack, State
from currant_lab.watch.tracks import Track
from currant_lab.watch.views import RibbonBatch

__all__ = ["MOST_NAMES", "RIBBON", "count_new", "ended_in", "fold", "forget", "queue_track", "steadied"]

RIBBON = 500
MOST_NAMES = 200
"""Queues, jobs and pools that are followed over time, each; more are counted, but not remembered."""

_FORGET_S = 600.0
_YIELD_S = 60.0
_STALE_S = 30.0
_FINAL = ("succeeded", "failed", "cancelled")
_TRUST = 0.2
_SURPRISE = 0.25


def ended_in(tally: Tally | JobTally) -> int:
    """Executions that ended, however they did."""
    return sum(tally.outcomes.get(status, 0) for status in _FINAL)


def fold(state: State, event: Event, now: float) -> None:
    """Add what a pool has said."""
    _fold_pool(state, event, now)
    total, claims = state.total, event.claims
    total.latency("claim", claims.claim_us, now)
    total.claimed(claims.claims, claims.empty, claims.sizes, claims.wakes, now)
    for name, tally in event.queues.items():
        _fold_queue(state, name, tally, now)
    for name, job in event.jobs.items():
        _fold_job(state, name, job, now)
    for batch in event.batches:
        at = now - batch.ago_us / 1e6
        state.ribbon.append(RibbonBatch(at, batch.size, batch.us, batch.queue, event.pool, batch.reason))
    del state.ribbon[:-RIBBON]


def queue_track(state: State, name: str) -> Track | None:
    """The queue's history; None when too many others have one that is young."""
    queues = state.queues
    if name not in queues:
        if len(queues) >= MOST_NAMES:
            oldest = min(queues, key=lambda one: queues[one].touched)
            if state.now - queues[oldest].touched < _YIELD_S:
                return None
            del queues[oldest]
        queues[name] = Track.make(state.now)
    queues[name].touched = state.now
    return queues[name]


def forget(state: State, snapshot: Snapshot) -> None:
    """Drop the queues that are gone: empty, not paused, without a pool, and nothing done in them for ten minutes."""
    kept = {queue.name for queue in snapshot.queues}
    kept.update(name for pool in snapshot.pools if pool.is_alive for name in pool.queues)
    gone = [name for name, track in state.queues.items() if snapshot.at - track.touched > _FORGET_S]
    for name in gone:
        if name not in kept:
            del state.queues[name]


def count_new(state: State, before: Snapshot, after: Snapshot) -> dict[str, float]:
    """What came in, per queue: what there is more of than there was, and what has ended in between."""
    passed = after.at - before.at
    if not 0 < passed < _STALE_S:
        return {}
    old = {queue.name: queue for queue in before.queues}
    latest = {queue.name: queue for queue in after.queues}
    unsure = []
    new = dict.fromkeys(old.keys() | latest.keys() | state.ended.keys(), 0.0)
    for name in new:
        then, now = old.get(name), latest.get(name)
        if (then and not then.exact) or (now and not now.exact):
            unsure.append((name, now.pending if now else 0))
            continue
        surplus = _held(now) - _held(then) + state.ended.get(name, 0) + state.debts.get(name, 0.0)
        new[name] = max(surplus, 0.0)
        state.debts[name] = min(surplus, 0.0) / 2
    if unsure:  # a sample is some percent off, more than comes in a second: the server's own counter knows better
        rest = max(after.inserted - before.inserted - sum(new.values()), 0.0)
        share = sum(pending for _, pending in unsure) or 1
        for name, pending in unsure:
            new[name] = rest * pending / share
    state.debts = {name: debt for name, debt in state.debts.items() if debt <= -1}
    for name, count in new.items():
        if name in state.queues:
            state.queues[name].count("in", count, passed)
    state.total.count("in", sum(new.values()), passed)
    return new


def steadied(state: State, before: Snapshot, after: Snapshot, new: dict[str, float]) -> Snapshot:
    """The snapshot with its samples held against what was known.

    A sample is some percent off, each time another way, while what came and what went is known nearly exactly: the
    count goes on from the last one, and a fifth of the way to the sample. A sample that is far off is believed.
    """
    if not after.listening or not new:
        return after
    old = {queue.name: queue for queue in before.queues}
    return replace(after, queues=tuple(_steady(state, old.get(queue.name), queue, new) for queue in after.queues))


def _steady(state: State, then: QueueCount | None, now: QueueCount, new: dict[str, float]) -> QueueCount:
    if now.exact or then is None or then.exact:
        return now
    expected = then.pending + new.get(now.name, 0.0) - state.ended.get(now.name, 0) - (now.running - then.running)
    if abs(now.pending - expected) > _SURPRISE * now.pending:
        return now
    return QueueCount(
        name=now.name,
        pending=round(expected + _TRUST * (now.pending - expected)),
        running=now.running,
        scheduled=now.scheduled,
        exact=False,
        paused_at=now.paused_at,
    )


def _held(queue: QueueCount | None) -> int:
    return queue.pending + queue.scheduled + queue.running if queue else 0


def _fold_pool(state: State, event: Event, now: float) -> None:
    pools = state.pools
    pool = pools.get(event.pool)
    if pool is None:
        if len(pools) >= MOST_NAMES:
            del pools[min(pools, key=lambda one: pools[one].heard_at)]
        pool = pools[event.pool] = PoolTrack.make(now)
    pool.ring.add("claims", event.claims.claims)
    pool.ring.add("executions", sum(ended_in(tally) for tally in event.queues.values()))
    if pool.statements is not None:
        pool.ring.add("statements", max(event.statements - pool.statements, 0))
    pool.heard_at, pool.name, pool.statements = now, event.name, event.statements
    pool.running, pool.buffered, pool.workers = event.running, event.buffered, event.workers
    pool.unsettled, pool.prefetch = event.unsettled, event.prefetch
    pool.clock_ahead_s = event.sent_at - now if event.sent_at else 0.0


def _fold_queue(state: State, name: str, tally: Tally, now: float) -> None:
    ended, failed = ended_in(tally), tally.outcomes.get("failed", 0)
    own = queue_track(state, name)
    for track in (state.total, own):
        if track is not None:
            track.count("out", ended)
            track.count("failed", failed)
            track.latency("wait", tally.wait_us, now)
            track.latency("run", tally.run_us, now)
    if own is not None:
        own.latency("claim", tally.claim_us, now)
        own.claimed(tally.claims, tally.empty, tally.sizes, tally.wakes, now)
    if len(state.ended) < 10 * MOST_NAMES or name in state.ended:
        state.ended[name] = state.ended.get(name, 0) + ended


def _fold_job(state: State, name: str, tally: JobTally, now: float) -> None:
    if name not in state.jobs:
        if len(state.jobs) >= MOST_NAMES:
            del state.jobs[min(state.jobs, key=lambda one: state.jobs[one].touched)]
        state.jobs[name] = JobTrack.make(now)
    for job in (state.all_jobs, state.jobs[name]):
        job.touched = now
        job.ring.add("out", ended_in(tally))
        job.ring.add("failed", tally.outcomes.get("failed", 0))
        job.wait.add(tally.wait_us, now)
        job.run.add(tally.run_us, now)
        job.wait_heat.add(tally.wait_us, now)
        job.run_heat.add(tally.run_us, now)
