"""What pools say on the events channel, as values. Adding up all of a pool's events gives all that it did.

Events come from whoever may NOTIFY in this database, so everything in them is checked: a number that no pool would
send makes the event malformed.
"""

from __future__ import annotations

import logging
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

__all__ = ["VERSION", "Buckets", "ClaimBatch", "ClaimTally", "Event", "JobTally", "Tally", "decode", "encode"]

VERSION = 1
"""Fields may be added to a version; an event of another version is not read."""

_MOST_CHARACTERS = 8_000
"""PostgreSQL sends no larger notification."""

_log = logging.getLogger("currant")
_told: set[str] = set()

Count = Annotated[int, Meta(ge=0, le=2**53)]
Bucket = Annotated[int, Meta(ge=0, le=1_023)]
Size = Annotated[int, Meta(ge=0, le=2**31)]
Moment = Annotated[float, Meta(ge=0.0, le=1e11)]

Buckets = list[tuple[Bucket, Count]]
"""(bucket, count) of a latency histogram: see `currant_lab.latency`."""


class ClaimBatch(Struct, frozen=True, omit_defaults=True):
    """One queue's part of one claim statement.

    Attributes:
        queue: where it was claimed from.
        size: how many executions it brought.
        us: how long the statement took.
        reason: what woke it: `notify`, `capacity`, `poll`, `start`.
        ago_us: how long before the event was sent it had ended.
    """

    queue: str = ""
    size: Count = 0
    us: Count = 0
    reason: str = ""
    ago_us: Count = 0


class ClaimTally(Struct, frozen=True, omit_defaults=True):
    """How a pool claimed since its last event.

    Attributes:
        claims: claim statements.
        claimed: executions they brought.
        empty: those that brought none.
        sizes: (upper power of two, count) of executions per claim.
        claim_us: how long the statements took.
        wakes: statements per wake reason.
    """

    claims: Count = 0
    claimed: Count = 0
    empty: Count = 0
    sizes: list[tuple[Size, Count]] = []
    claim_us: Buckets = []
    wakes: dict[str, Count] = {}


class Tally(ClaimTally, frozen=True, omit_defaults=True):
    """What a pool did in one queue since its last event. Its claims are those that asked this queue.

    Attributes:
        outcomes: what has been settled, per status: `succeeded`, `failed`, `cancelled`, `retry`.
        wait_us: from submit, or the due time, to the start of the handler.
        run_us: from start to end of the handler.
    """

    outcomes: dict[str, Count] = {}
    wait_us: Buckets = []
    run_us: Buckets = []


class JobTally(Struct, frozen=True, omit_defaults=True):
    """What a pool did of one job since its last event: as in `Tally`."""

    outcomes: dict[str, Count] = {}
    wait_us: Buckets = []
    run_us: Buckets = []


class Event(Struct, frozen=True, omit_defaults=True):
    """One message of one pool.

    Attributes:
        v: the version.
        pool: its id.
        name: its name.
        sent_at: seconds since 1970 by its own machine's clock.
        running: executions whose handler runs.
        buffered: executions claimed and waiting for a worker.
        workers: concurrent slots.
        unsettled: outcomes not yet on disk.
        prefetch: how many executions it aims to hold ready.
        statements: SQL statements its engine has sent since its start.
        claims: its claim statements; one that asks several queues counts once.
        queues: what it did, per queue.
        jobs: the same, per job.
        batches: the latest claims of the interval, oldest first; 16 at most.
    """

    v: int
    pool: Annotated[int, Meta(ge=0, lt=2**31)]
    name: str = ""
    sent_at: Moment = 0.0
    running: Count = 0
    buffered: Count = 0
    workers: Count = 0
    unsettled: Count = 0
    prefetch: Count = 0
    statements: Count = 0
    claims: ClaimTally = ClaimTally()
    queues: dict[str, Tally] = {}
    jobs: dict[str, JobTally] = {}
    batches: list[ClaimBatch] = []


class _Version(Struct):
    v: int


_decode_event = msgspec.json.Decoder(Event).decode
_decode_version = msgspec.json.Decoder(_Version).decode


def decode(payload: str) -> Event | None:
    """The event in a notification; None when it is malformed or of another version, which is logged once per kind."""
    if len(payload) > _MOST_CHARACTERS:
        _tell("too long", f"{len(payload):,} characters")
        return None
    try:
        version = _decode_version(payload).v
        if version == VERSION:
            return _decode_event(payload)
        _tell(f"version {version}" if 0 <= version < 100 else "a strange version", f"version {version}")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        _tell("malformed", str(error))
    return None


def encode(event: Event) -> str:
    """The notification that carries an event."""
    return msgspec.json.encode(event).decode()


def _tell(kind: str, why: str) -> None:
    if kind not in _told:
        _told.add(kind)
        _log.warning("an event on the channel is not read, nor will others of this kind be told of: %.200s", why)
