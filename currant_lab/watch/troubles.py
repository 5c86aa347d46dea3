"""What a person should know, in one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from currant_lab.watch.snapshot import Snapshot
from currant_lab.watch.state import State
from currant_lab.watch.views import PoolView, Trouble

__all__ = ["troubles"]

HOLDER_S = 60.0
DROPPED_S = 10.0
LOST_S = 300.0
CLOCK_S = 2.0
FULL = 0.5


def troubles(state: State, pools: Sequence[PoolView]) -> list[Trouble]:
    """All of them, errors first."""
    header, snapshot = state.header, state.snapshot
    found = []
    if not header.connected and header.trouble:
        found.append(Trouble("error", header.trouble, _hint(header.trouble)))
    found += _of_pools(pools)
    if snapshot is not None:
        found += [*_queues(state, snapshot), *_code(snapshot), *_server(state, snapshot)]
    if state.dropped_at is not None and state.now - state.dropped_at < DROPPED_S:
        found.append(Trouble("warning", "events dropped: resynchronised", "counts are right; rates may have a gap"))
    found += _clocks(state)
    return sorted(found, key=lambda trouble: trouble.severity != "error")


def _of_pools(pools: Sequence[PoolView]) -> Iterator[Trouble]:
    for pool in pools:
        if pool.state == "lost" and pool.ended_age_s is not None and pool.ended_age_s < LOST_S:
            text = f"pool {pool.name or pool.id} lost {_duration(pool.ended_age_s)} ago"
            yield Trouble("error", text, "what it held is given to other pools, or to the next that starts")
        elif pool.state == "quiet":
            text = f"pool {pool.name or pool.id} quiet for {_duration(pool.seen_age_s)}"
            yield Trouble("warning", text, "it has not renewed its lease")
        elif not pool.listening and pool.state == "alive":
            text = f"pool {pool.name or pool.id} polls: no notification reaches it through its pooler"
            yield Trouble("warning", text, "give it a URL that leads to the server itself")


def _queues(state: State, snapshot: Snapshot) -> Iterator[Trouble]:
    for queue in snapshot.queues:
        waits = queue.pending + queue.scheduled
        if not waits:
            continue
        about = "" if queue.exact else "about "
        many = f"{about}{waits:,} wait{'s' if waits == 1 else ''}"
        if queue.paused_at is not None:
            yield Trouble("warning", f"queue `{queue.name}` is paused: {many}", f"currant resume {queue.name}")
        if not any(pool.is_alive and queue.name in pool.queues for pool in snapshot.pools):
            yield Trouble(
                "error",
                f"no pool listens on `{queue.name}`: {many}",
                f"start one: currant worker -m MODULE --queues {queue.name}",
            )


def _code(snapshot: Snapshot) -> Iterator[Trouble]:
    counts: dict[str, int] = {}
    exact: dict[str, bool] = {}
    heard = {name for pool in snapshot.pools if pool.is_alive for name in pool.queues}
    for one in snapshot.waiting:
        if not one.served and one.queue in heard:
            counts[one.job] = counts.get(one.job, 0) + one.count
            exact[one.job] = exact.get(one.job, True) and one.exact
    for job, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:20]:
        least = "" if exact[job] else "at least "
        yield Trouble(
            "warning",
            f"{least}{count:,} wait{'s' if count == 1 else ''} for code: `{job}`",
            "run the cell that defines it, or start `currant worker -m MODULE`",
        )


def _server(state: State, snapshot: Snapshot) -> Iterator[Trouble]:
    holder = snapshot.holder
    if holder is not None:
        age = holder.age_s + max(state.now - snapshot.at, 0.0)
        if age >= HOLDER_S and holder.pid is None:
            text = f"prepared transaction `{holder.application}` ({_duration(age)}) holds vacuum back"
            yield Trouble("warning", text, "COMMIT PREPARED or ROLLBACK PREPARED it")
        elif age >= HOLDER_S:
            who = f"{holder.application or holder.username}, {holder.state} {_duration(age)}"
            text = f"pid {holder.pid} ({who}) holds vacuum back"
            yield Trouble("warning", text, f"end it: SELECT pg_terminate_backend({holder.pid})")
    if snapshot.notifications >= FULL:
        text = f"the server's notification queue is {snapshot.notifications:.0%} full"
        yield Trouble("error", text, "a session that LISTENs has a transaction open: end it")
    if not snapshot.listening:
        text = "no notification comes through: only what the database is asked is shown"
        yield Trouble("warning", text, "connect to the server itself, not through a pooler")


def _clocks(state: State) -> Iterator[Trouble]:
    snapshot = state.snapshot
    if snapshot is not None and abs(snapshot.clock_ahead_s) >= CLOCK_S:
        side = "ahead of" if snapshot.clock_ahead_s > 0 else "behind"
        text = f"the database's clock is {_duration(abs(snapshot.clock_ahead_s))} {side} this machine's"
        yield Trouble("warning", text, "synchronise both by NTP")
    for id, pool in state.pools.items():
        if abs(pool.clock_ahead_s) >= CLOCK_S and state.now - pool.heard_at < DROPPED_S:
            side = "ahead of" if pool.clock_ahead_s > 0 else "behind"
            text = f"the clock of pool {pool.name or id} is {_duration(abs(pool.clock_ahead_s))} {side} the database's"
            yield Trouble("warning", text, "synchronise both by NTP: ids made there decide what goes first")


def _hint(trouble: str) -> str:
    return "run `currant migrate`" if "migrate" in trouble else "it is tried again by itself"


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
