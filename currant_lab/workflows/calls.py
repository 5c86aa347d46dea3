"""A plain call as a step: made once, then answered from the record, whatever it returned or raised."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable
from typing import Any

from currant_lab.errors import (
    CurrantError,
    DatabaseUnavailable,
    ExecutionFailed,
    InvalidArguments,
    NotStorable,
    UnknownExecution,
)
from currant_lab.jobs import JobSpec, Policy
from currant_lab.outcomes import ErrorInfo
from currant_lab.pool.describe import describe
from currant_lab.pool.threads import in_thread
from currant_lab.values import decode, return_converter

__all__ = ["call_here", "error_of_call", "name_of", "refusal", "returned"]


def name_of(function: Callable[..., Any]) -> str:
    """What a call is called on record.

    Raises:
        InvalidArguments: it can't be called.
    """
    if not callable(function):
        raise InvalidArguments(f"step() wants a function and its arguments, not {function!r:.80}")
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name).rpartition("<locals>.")[2][:200]


async def call_here(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call it: an async function on this loop, a plain one in a thread, so that it holds nobody up."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    context = contextvars.copy_context()
    value = await in_thread(functools.partial(context.run, function, *args, **kwargs))
    return await value if inspect.isawaitable(value) else value


def error_of_call(error: Exception, name: str) -> ErrorInfo:
    """What the record keeps of what a call raised."""
    if isinstance(error, NotStorable):
        return ErrorInfo("NotStorable", f"step {name}: {error}")
    return describe(error, own_frames=1)


_REFUSALS = {kind.__name__: kind for kind in (DatabaseUnavailable, InvalidArguments, NotStorable, UnknownExecution)}


def refusal(error: ErrorInfo) -> Exception:
    """What a step raises that could not begin: the same the first time, and every time from the record."""
    kind = _REFUSALS.get(error.type.rpartition(".")[2])
    if kind is not None:
        return kind(error.message)
    return ExecutionFailed(error.message, type=error.type, traceback=error.traceback, attempt=1)


def returned(function: Callable[..., Any], payload: bytes | None, error: ErrorInfo | None) -> Any:
    """What a call returns or raises: the same the first time, when it is made, and every time from the record.

    Raises:
        ExecutionFailed: the call raised; `type`, `message` and `traceback` say what.
        NotStorable: it returned what can't be kept.
    """
    if error is not None:
        if error.type == "NotStorable":
            raise NotStorable(error.message)
        raise ExecutionFailed(error.message, type=error.type, traceback=error.traceback, attempt=1)
    if payload is None:
        raise CurrantError("the record of this step is damaged: it has neither a value nor an error")
    return decode(payload, _converter(function))


@functools.lru_cache(maxsize=256)
def _converter(function: Callable[..., Any]) -> Callable[[Any], Any] | None:
    """For its return annotation."""
    if "return" not in getattr(function, "__annotations__", {}):
        return None
    return return_converter(JobSpec(function, Policy(), given_source=""))
