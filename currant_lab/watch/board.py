"""The state behind every dashboard, and how events and snapshots change it. No I/O, no clock, no display."""

from __future__ import annotations

from dataclasses import replace

from currant_lab.database.inspect import QueueCount
from currant_lab.events import Event
from currant_lab.watch import folding
from currant_lab.watch import pools as pool_views
from currant_lab.watch import troubles as wordings
from currant_lab.watch.snapshot import Snapshot
from currant_lab.watch.state import JobTrack, State
from currant_lab.watch.tracks import Track
from currant_lab.watch.views import (
    ClaimsView,
    Header,
    Heat,
    JobView,
    Measure,
    PoolView,
    Quantiles,
    QueueView,
    Series,
    Trouble,
)

__all__ = ["Board"]

_BACK_S = 5.0


class Board:
    """What goes on in a database.

    Feed it with `fold` and `reconcile`, let it age with `advance`, and read the rest. Times come in as `now`, by the
    database's clock; one that goes back by more than five seconds begins the histories anew.

    Attributes:
        state: all of it, for a recording.
    """

    def __init__(self, *, database: str = "", server_version: str = "", schema: str = "", now: float = 0.0) -> None:
        header = Header(database, server_version, schema)
        self.state = State(header, Track.make(now), JobTrack.make(now), now)

    @property
    def now(self) -> float:
        """The database's clock at the last change."""
        return self.state.now

    @property
    def header(self) -> Header:
        """Where the numbers come from, and how fresh they are."""
        return self.state.header

    @property
    def snapshot(self) -> Snapshot | None:
        """The last one; None before the first."""
        return self.state.snapshot

    def describe(self, *, database: str, server_version: str, schema: str) -> None:
        """Say where the numbers come from."""
        self.state.header = replace(self.state.header, database=database, server_version=server_version, schema=schema)

    def advance(self, now: float) -> None:
        """Let time pass, with no news."""
        state = self.state
        if now < state.now - _BACK_S:
            self._begin_anew(now)
        now = max(now, state.now)
        known = state.header.connected
        if state.now == 0.0:
            state.total, state.all_jobs = Track.make(now), JobTrack.make(now)
        elif int(now) != int(state.now):
            for track in (state.total, *state.queues.values()):
                track.advance(now, known=known)
            for job in (state.all_jobs, *state.jobs.values()):
                job.ring.advance(now, known=known)
                job.wait.advance(now)
                job.run.advance(now)
            for pool in state.pools.values():
                pool.ring.advance(now, known=known)
        state.now = now

    def fold(self, event: Event, now: float) -> None:
        """Add what a pool has said."""
        self.advance(now)
        state, now = self.state, self.state.now
        state.events += 1
        state.header = replace(state.header, heard_at=now)
        folding.fold(state, event, now)

    def reconcile(self, snapshot: Snapshot) -> None:
        """Put the database's own numbers in place of what was thought."""
        self.advance(snapshot.at)
        state, before = self.state, self.state.snapshot
        is_first = not state.header.connected
        state.header = replace(
            state.header, connected=True, trouble=None, snapshot_at=snapshot.at, heard_at=max(state.now, snapshot.at)
        )
        for queue in snapshot.queues:
            folding.queue_track(state, queue.name)
        if before is not None and not is_first:
            snapshot = folding.steadied(state, before, snapshot, folding.count_new(state, before, snapshot))
        state.snapshot = snapshot
        counts = {queue.name: queue for queue in snapshot.queues}
        for name, track in state.queues.items():
            count = counts.get(name)
            track.gauge("waiting", count.pending if count else 0.0)
            track.gauge("running", count.running if count else 0.0)
        state.total.gauge("waiting", sum(queue.pending for queue in snapshot.queues))
        state.total.gauge("running", sum(queue.running for queue in snapshot.queues))
        state.ended.clear()
        folding.forget(state, snapshot)
        pool_views.reconcile(state, snapshot)

    def dropped(self, count: int, now: float) -> None:
        """Events were lost; the next snapshot tells how things stand."""
        self.advance(now)
        if count > 0:
            self.state.dropped_at = self.state.now

    def lost(self, reason: str, now: float) -> None:
        """The database is away; the last picture stays."""
        self.advance(now)
        self.state.header = replace(self.state.header, connected=False, trouble=reason)

    def queues(self) -> list[QueueView]:
        """The queues that hold something, are paused, have a pool, or were worked on within ten minutes; by name."""
        counts = {queue.name: queue for queue in self._counts()}
        pools: dict[str, int] = {}
        for pool in self.state.snapshot.pools if self.state.snapshot else ():
            for name in pool.queues if pool.is_alive else ():
                pools[name] = pools.get(name, 0) + 1
        names = sorted(counts.keys() | self.state.queues.keys() | pools.keys())
        return [self._queue_view(name, counts.get(name), pools.get(name, 0)) for name in names]

    def totals(self) -> QueueView:
        """The same over all queues; its name is empty. Paused: when all are."""
        counts, track, now = self._counts(), self.state.total, self.now
        oldest = [age for queue in counts if (age := self._oldest(queue.name)) is not None]
        snapshot = self.state.snapshot
        return QueueView(
            name="",
            waiting=sum(queue.pending for queue in counts),
            exact=all(queue.exact for queue in counts),
            scheduled=sum(queue.scheduled for queue in counts),
            running=sum(queue.running for queue in counts),
            in_per_s=track.rate("in", now),
            out_per_s=track.rate("out", now),
            failed_share=track.failed_share(),
            oldest_s=max(oldest, default=None),
            wait=Quantiles.of(track.recent["wait"].histogram()),
            run=Quantiles.of(track.recent["run"].histogram()),
            paused=bool(counts) and all(queue.paused_at is not None for queue in counts),
            listening_pools=sum(pool.is_alive for pool in snapshot.pools) if snapshot else 0,
        )

    def pools(self) -> list[PoolView]:
        """The pools that are there, or ended within ten minutes; by id."""
        return pool_views.views(self.state)

    def jobs(self) -> list[JobView]:
        """The jobs that were worked on in the last hour; by name."""
        return [_job_view(name, job, self.now) for name, job in sorted(self.state.jobs.items())]

    def claims(self, queue: str | None = None) -> ClaimsView:
        """How pools claim, from one queue or from all."""
        state = self.state
        track = state.total if queue is None else state.queues.get(queue, Track.make(self.now))
        claims, empty = (track.claims.merged.get(key, 0) for key in (0, 1))
        histogram = track.recent["claim"].histogram()
        live = [pool for pool in self.pools() if pool.state in ("alive", "quiet")]
        sent = sum(pool.ring.total("statements") for pool in state.pools.values())
        ended = sum(pool.ring.total("executions") for pool in state.pools.values())
        return ClaimsView(
            ribbon=tuple(batch for batch in state.ribbon if queue is None or batch.queue == queue),
            sizes=tuple(sorted(track.sizes.merged.items())),
            claim=Quantiles.of(histogram),
            claim_hist=histogram,
            claims=claims,
            empty_share=min(empty / claims, 1.0) if claims else 0.0,
            wakes={reason: count for reason, recent in track.wakes.items() if (count := recent.merged.get(0, 0))},
            statements_per_execution=sent / ended if ended else None,
            prefetch=sum(pool.prefetch for pool in live),
            buffered=sum(pool.buffered for pool in live),
        )

    def series(self, measure: Measure, span_s: int, queue: str | None = None) -> Series:
        """A measure over the last 300, 900 or 3,600 seconds, of one queue or of all."""
        track = self.state.total if queue is None else self.state.queues.get(queue)
        if track is None:
            track = Track.make(self.now)
        return track.series(measure, span_s)

    def heat(self, which: str, span_s: int, job: str | None = None) -> Heat:
        """The distribution of `wait` or `run` over time, of one job or of all."""
        track = self.state.all_jobs if job is None else self.state.jobs.get(job)
        if track is None:
            track = JobTrack.make(self.now)
        return (track.wait_heat if which == "wait" else track.run_heat).heat(span_s, self.now)

    def troubles(self) -> list[Trouble]:
        """What a person should know, the worst first."""
        return wordings.troubles(self.state, self.pools())

    def _begin_anew(self, now: float) -> None:
        """The database's clock went back: what is remembered lies in the future."""
        old = self.state
        self.state.now = 0.0
        old.queues.clear()
        old.jobs.clear()
        old.pools.clear()
        old.ribbon.clear()
        old.first_dead.clear()
        old.dropped_at = None
        old.snapshot = None
        old.header = replace(old.header, snapshot_at=0.0, heard_at=min(old.header.heard_at, now))

    def _counts(self) -> tuple[QueueCount, ...]:
        return self.state.snapshot.queues if self.state.snapshot else ()

    def _oldest(self, name: str) -> float | None:
        snapshot = self.state.snapshot
        age = (snapshot.oldest or {}).get(name) if snapshot else None
        return None if age is None or snapshot is None else max(age + self.now - snapshot.at, 0.0)

    def _queue_view(self, name: str, count: QueueCount | None, pools: int) -> QueueView:
        track, now = self.state.queues.get(name), self.now
        return QueueView(
            name=name,
            waiting=count.pending if count else 0,
            exact=count.exact if count else True,
            scheduled=count.scheduled if count else 0,
            running=count.running if count else 0,
            in_per_s=track.rate("in", now) if track else 0.0,
            out_per_s=track.rate("out", now) if track else 0.0,
            failed_share=track.failed_share() if track else 0.0,
            oldest_s=self._oldest(name) if count and count.pending else None,
            wait=Quantiles.of(track.recent["wait"].histogram()) if track else Quantiles(),
            run=Quantiles.of(track.recent["run"].histogram()) if track else Quantiles(),
            paused=bool(count and count.paused_at is not None),
            listening_pools=pools,
        )


def _job_view(name: str, job: JobTrack, now: float) -> JobView:
    wait, run = job.wait.histogram(), job.run.histogram()
    ended = job.ring.total("out")
    share = min(job.ring.total("failed") / ended, 1.0) if ended else 0.0
    return JobView(name, job.ring.rate("out", now), share, Quantiles.of(wait), Quantiles.of(run), wait, run)
