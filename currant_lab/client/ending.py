"""From how an execution ended to what its handle returns or raises."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from currant_lab.client.waiting import UNKNOWN
from currant_lab.database.inspect import Ended, ExecutionInfo
from currant_lab.errors import CurrantError, ExecutionCancelled, ExecutionFailed, ExecutionTimeout, UnknownExecution
from currant_lab.jobs import registry
from currant_lab.kernel_loop import kernel_loop
from currant_lab.loop import background
from currant_lab.status import FINAL
from currant_lab.values import decode, return_converter

__all__ = ["check_wait", "ended_of", "error_of", "tell_stopped", "use_await", "value_of"]


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


def tell_stopped(interrupt: BaseException, what: str, cancel: str) -> None:
    """Note on what interrupted a wait that only the wait has ended. A notebook shows it as shortly as an error of
    ours: the whole traceback takes IPython 0.2 s and more to draw, and says nothing."""
    interrupt.add_note(f"Only the wait was stopped: {what}. To end it: {cancel}")
    render = getattr(CurrantError, "_render_traceback_", None)
    if render is not None:
        interrupt._render_traceback_ = lambda: render(interrupt)  # type: ignore[attr-defined]


def check_wait(what: str) -> None:
    """Refuse a wait for handlers where it would hold them up.

    Raises:
        CurrantError: called on the pool's own loop, or by an async handler on the kernel's.
    """
    if background.is_current or kernel_loop.is_handler:
        raise use_await(what)


def use_await(what: str) -> CurrantError:
    """The error of a blocking call on the pool's own loop."""
    return CurrantError(f"this would block the pool's own loop for ever: in an async job, {what}")
