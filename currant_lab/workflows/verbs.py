"""What a workflow's function calls beside its jobs. Outside of a run they do the plain thing, where there is one."""

from __future__ import annotations

import asyncio
import inspect
import math
import secrets
import uuid as _uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar, overload

from currant_lab.context import durable, in_order
from currant_lab.errors import CurrantError, InvalidArguments
from currant_lab.jobs import check_name

__all__ = ["event", "now", "patched", "random", "sleep", "step", "uuid"]

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST_S = 100 * 366 * 86_400.0


@overload
async def step(function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
@overload
async def step(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...
@in_order
async def step(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function as a step of the workflow: once, its answer is on record.

    A plain function runs in a thread. A kernel that dies in the middle of the call makes it again.

    Raises:
        ExecutionFailed: it raised; `.type`, `.message` and `.traceback` say what, now and from the record.
        NotStorable: it returned what can't be kept.
    """
    run = durable()
    if run is not None:
        return await run.call(function, args, kwargs)
    value = function(*args, **kwargs)
    return await value if inspect.isawaitable(value) else value


@in_order
async def event(name: str, timeout: float | None = None, default: Any = None, *, type: Any = None) -> Any:
    """Wait for a signal of that name to this run: from `execution.signal(name, value)`, the command line, or SQL.

    One that came before is kept. Waiting holds no worker, and after a moment no memory.

    Args:
        name: of the signal.
        timeout: seconds to wait at most, counted from the first time, by the database's clock; None: for ever.
        default: what to return then.
        type: what the value is to be, as an annotation; by default whatever was sent.

    Raises:
        InvalidArguments: the value is not of that type.
        CurrantError: called outside of a workflow.
    """
    check_name("event", name)
    if timeout is not None:
        timeout = _seconds("timeout", timeout)
    run = durable()
    if run is None:
        raise CurrantError("event() waits for a signal to a run: call it inside a workflow's function")
    return await run.event(name, timeout, default, type)


@in_order
async def sleep(seconds: float) -> None:
    """Wait, by the database's clock: a run that dies meanwhile sleeps on. It holds no worker, and soon no memory."""
    seconds = _seconds("seconds", seconds)
    run = durable()
    await (asyncio.sleep(seconds) if run is None else run.sleep(seconds))


def now() -> datetime:
    """The present, in UTC: in a run the same whenever it is called again."""
    run = durable()
    return datetime.now(UTC) if run is None else datetime.fromisoformat(run.note("now", "now", _now))


def random() -> float:
    """A number from 0 up to 1: in a run the same whenever it is called again."""
    run = durable()
    return _random() if run is None else float(run.note("random", "random", _random))


def uuid() -> _uuid.UUID:
    """A random UUID: in a run the same whenever it is called again."""
    run = durable()
    return _uuid.uuid4() if run is None else _uuid.UUID(run.note("uuid", "uuid", lambda: str(_uuid.uuid4())))


def patched(name: str) -> bool:
    """Whether to go the new way, after a small change to a workflow: False in runs that came by here before it.

    Raises:
        CurrantError: called outside of a workflow.
    """
    check_name("patch", name)
    run = durable()
    if run is None:
        raise CurrantError("patched() asks whether a run began after a change: call it inside a workflow's function")
    return run.patched(name)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _random() -> float:
    return secrets.randbits(53) / 2**53


def _seconds(what: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 <= value <= _LONGEST_S:  # type: ignore[arg-type,operator]
        raise InvalidArguments(f"{what} is a number of seconds, at least 0 and at most 100 years, not {value!r}")
    return float(value)  # type: ignore[arg-type]
