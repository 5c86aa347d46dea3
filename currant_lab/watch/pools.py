"""The pools on a board: whether each is there, and what it does."""

from __future__ import annotations

from currant_lab.database.serving import PoolInfo
from currant_lab.watch.snapshot import Gone, Snapshot
from currant_lab.watch.state import PoolTrack, State
from currant_lab.watch.views import PoolState, PoolView

__all__ = ["reconcile", "views"]

QUIET_S = 12.0
"""A lease is renewed every five seconds: this is two renewals missed."""
LOST_S = 3.0
"""A healthy pool takes its lock back within this time after its connection broke."""
FORGOTTEN_S = 60.0


def reconcile(state: State, snapshot: Snapshot) -> None:
    """Remember since when pools look dead, and forget those that are long gone."""
    dead = {pool.id for pool in snapshot.pools if not pool.is_alive}
    state.first_dead = {id: state.first_dead.get(id, snapshot.at) for id in dead}
    known = {pool.id for pool in snapshot.pools} | {gone.id for gone in snapshot.gone}
    state.pools = {
        id: pool for id, pool in state.pools.items() if id in known or snapshot.at - pool.heard_at < FORGOTTEN_S
    }


def views(state: State) -> list[PoolView]:
    """All pools of a board, by id."""
    snapshot = state.snapshot
    known = {pool.id: pool for pool in snapshot.pools} if snapshot else {}
    gone = {pool.id: pool for pool in snapshot.gone} if snapshot else {}
    ids = sorted(known.keys() | gone.keys() | state.pools.keys())
    return [_view(state, id, known.get(id), gone.get(id)) for id in ids]


def _view(state: State, id: int, info: PoolInfo | None, gone: Gone | None) -> PoolView:
    track, now = state.pools.get(id), state.now
    since = now - state.snapshot.at if state.snapshot else 0.0
    one = info or gone
    ages = [now - track.heard_at] if track else []
    ages += [info.age_s + since] if info else [gone.ago_s + since] if gone else []
    age = max(min(ages, default=0.0), 0.0)
    condition = _condition(state, info, gone, age)
    runs = condition in ("alive", "quiet") and track is not None
    ended_age = None
    if condition in ("lost", "stopped"):
        first = state.first_dead.get(id)
        ended_age = gone.ago_s + since if gone else now - first if first is not None else age
    return PoolView(
        id=id,
        name=one.name if one else track.name if track else "",
        kind=one.kind if one else "",
        host=one.host if one else "",
        pid=one.pid if one else 0,
        version=one.version if one else "",
        workers=one.workers if one else track.workers if track else 0,
        running=track.running if runs and track else 0,
        buffered=track.buffered if runs and track else 0,
        prefetch=track.prefetch if runs and track else 0,
        unsettled=track.unsettled if runs and track else 0,
        queues=one.queues if one else (),
        seen_age_s=age,
        ended_age_s=ended_age,
        state=condition,
        claims_per_s=track.ring.rate("claims", now) if track else 0.0,
        executions_per_s=track.ring.rate("executions", now) if track else 0.0,
        statements_per_execution=_per_execution(track),
        listening=info.has_lock if info else True,
    )


def _condition(state: State, info: PoolInfo | None, gone: Gone | None, age: float) -> PoolState:
    if gone is not None:
        return "lost" if gone.lost else "stopped"
    if info is None:
        return "alive" if age < QUIET_S else "lost"
    if info.is_alive:
        return "alive" if age < QUIET_S else "quiet"
    looked_dead = state.now - state.first_dead.get(info.id, state.now)
    # Where the lease alone speaks, or is over, there is nothing to wait for.
    return "quiet" if info.has_lock and not info.held and looked_dead < LOST_S else "lost"


def _per_execution(track: PoolTrack | None) -> float | None:
    ended = track.ring.total("executions") if track else 0.0
    return track.ring.total("statements") / ended if track and ended else None
