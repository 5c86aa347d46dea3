"""From how an execution ended to what its handle returns or raises."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from currant_lab.client.waiting import UNKNOWN
from currant_lab.database.inspect import Ended, ExecutionInfo
from currant_lab.errors import CurrantError, ExecutionCancelled, ExecutionFailed, ExecutionTimeout, UnknownExecution
from currant_lab.jobs import registry
from currant_lab.status import FINAL
from currant_lab.values import decode, return_converter

__all__ = ["ended_of", "error_of", "goes_on", "use_await", "value_of"]


def value_of(job: str, payload: bytes) -> Any:
    """The value of an encoded result, converted to the job's return annotation where this process has the job.

    Raises:
        NotStorable: it can't be read here.
    """
    spec = registry.get(job)
    return decode(payload, None if spec is None else return_converter(spec))


def error_of(ended: Ended, job: str) -> CurrantError | None:
    """The exception that stands for how an execution ended; None when it succeeded."""
    if ended.status == "succeeded":
        return None
    uuid = UUID(bytes=ended.id)
    if ended.status == UNKNOWN:
        return UnknownExecution(f"there is no execution {uuid} in the database (any more)")
    if ended.status == "cancelled":
        why = f": {ended.error.message}" if ended.error and ended.error.message else ""
        return ExecutionCancelled(f"execution {uuid} of {job} was cancelled{why}")
    if ended.error is None:
        return ExecutionFailed(f"execution {uuid} of {job} failed", attempt=ended.attempt)
    name = ended.error.type
    kind = ExecutionTimeout if name.rpartition(".")[2] == "ExecutionTimeout" else ExecutionFailed
    error = kind(ended.error.message, type=name, traceback=ended.error.traceback, attempt=ended.attempt)
    error.add_note(f"in execution {uuid} of {job}, attempt {ended.attempt}\n{ended.error.traceback}".rstrip())
    return error


def ended_of(info: ExecutionInfo) -> Ended | None:
    """How an execution ended, from its row; None when it hasn't."""
    return Ended(info.id, info.status, info.attempt, info.error) if info.status in FINAL else None


def goes_on(what: str, cancel: str) -> str:
    """The note on a wait that was interrupted."""
    return f"Only the wait was stopped: {what}. To end it: {cancel}"


def use_await(what: str) -> CurrantError:
    """The error of a blocking call on the pool's own loop."""
    return CurrantError(f"this would block the pool's own loop for ever: in an async job, {what}")
