"""The life of an execution as one pure function: `step(record, action)`.

The SQL statements do what this function says; the model tests hold them against it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

__all__ = ["FINAL", "MINIMUM_RESCUES", "Action", "Record", "Status", "TransitionError", "rescue_limit", "step"]


class Status(StrEnum):
    """Where an execution stands."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})

MINIMUM_RESCUES = 3
"""How often an execution may lose its pool and be given back, however few retries its job has: a killed
kernel is no fault of the job's."""


class Action(StrEnum):
    """What can happen to an execution that exists."""

    PROMOTE = "promote"  # its time has come
    READY = "ready"  # all it waits for has succeeded
    READY_LATER = "ready_later"  # the same, and it is not due yet
    CLAIM = "claim"
    RELEASE = "release"  # claimed, not started, given back
    PUT_AWAY = "put_away"  # a workflow's function waits, and has been put away
    PUT_AWAY_LATER = "put_away_later"  # the same, and a moment brings it back too
    BRING_BACK = "bring_back"  # what it waits for has happened
    RESCUE = "rescue"  # its pool died
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY_LATER = "retry_later"  # this attempt failed, another follows after a delay
    RETRY_NOW = "retry_now"
    CANCEL = "cancel"  # asked for from outside
    SETTLE_CANCELLED = "settle_cancelled"
    REVIVE = "revive"  # a person runs a failed or cancelled execution again


class Record(msgspec.Struct, frozen=True):
    """The part of an execution's row that decides what may happen to it."""

    status: Status
    attempt: int = 0
    token: int = 0
    rescues: int = 0
    retries: int = 0
    cancelling: bool = False


class TransitionError(ValueError):
    """This action does not exist in this status."""


def rescue_limit(retries: int) -> int:
    """How many pools may die holding an execution before it ends as `failed`."""
    return max(retries, MINIMUM_RESCUES)


def step(record: Record, action: Action) -> Record:
    """Return the record after `action`.

    Raises:
        TransitionError: the action does not exist in this status.
    """
    match record.status, action:
        case Status.SCHEDULED, Action.PROMOTE:
            return replace(record, status=Status.PENDING)
        case Status.WAITING, Action.READY:
            return replace(record, status=Status.PENDING)
        case Status.WAITING, Action.READY_LATER:
            return replace(record, status=Status.SCHEDULED)
        case Status.PENDING, Action.CLAIM:
            return replace(record, status=Status.RUNNING, attempt=record.attempt + 1, token=record.token + 1)
        case Status.RUNNING, Action.RELEASE:
            return replace(record, status=_back(record), attempt=record.attempt - 1)
        case Status.RUNNING, (Action.PUT_AWAY | Action.PUT_AWAY_LATER):
            later = Status.WAITING if action is Action.PUT_AWAY else Status.SCHEDULED
            return replace(
                record,
                status=Status.CANCELLED if record.cancelling else later,
                attempt=record.attempt - 1,
            )
        case ((Status.WAITING | Status.SCHEDULED), Action.BRING_BACK):
            return replace(record, status=Status.PENDING)
        case Status.RUNNING, Action.RESCUE:
            if record.cancelling:
                return replace(record, status=Status.CANCELLED)
            if record.rescues >= rescue_limit(record.retries):
                return replace(record, status=Status.FAILED)
            return replace(record, status=Status.PENDING, rescues=record.rescues + 1)
        case Status.RUNNING, Action.SUCCEED:
            return replace(record, status=Status.SUCCEEDED)
        case Status.RUNNING, Action.FAIL:
            return replace(record, status=Status.FAILED)
        case Status.RUNNING, Action.RETRY_LATER:
            return replace(record, status=Status.CANCELLED if record.cancelling else Status.SCHEDULED)
        case Status.RUNNING, Action.RETRY_NOW:
            return replace(record, status=_back(record))
        case Status.RUNNING, Action.SETTLE_CANCELLED:
            return replace(record, status=Status.CANCELLED)
        case Status.RUNNING, Action.CANCEL:
            return replace(record, cancelling=True)
        case ((Status.SCHEDULED | Status.WAITING | Status.PENDING), Action.CANCEL):
            return replace(record, status=Status.CANCELLED)
        case ((Status.FAILED | Status.CANCELLED), Action.REVIVE):
            return replace(record, status=Status.PENDING, attempt=0, rescues=0, cancelling=False)
        case _:
            raise TransitionError(f"an execution that is {record.status} cannot {action}")


def _back(record: Record) -> Status:
    """Where a claim that ends without an outcome leaves the execution."""
    return Status.CANCELLED if record.cancelling else Status.PENDING
