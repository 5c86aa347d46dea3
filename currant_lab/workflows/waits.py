"""Steps that end with a signal, or at a moment."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from currant_lab.database import record
from currant_lab.errors import InvalidArguments
from currant_lab.typed import converted
from currant_lab.values import decode
from currant_lab.workflows.patience import patiently_ask
from currant_lab.workflows.stepping import Way

__all__ = ["event", "sleep"]

_EVENT_BEAT_S = 0.25
"""A signal that comes while the function is in memory is found by looking, for as long as it stays there."""


async def event(way: Way, name: str, timeout: float | None, default: Any, type: Any) -> Any:
    """Wait for a signal.

    Raises:
        InvalidArguments: its value is not of the type that is asked for.
    """
    step = way.begin("event", name)
    if step.row is None:
        entry = step.entry()
        entry.seconds = timeout
        await way.start(step, lambda: way.write(entry))

    async def signalled() -> bytes | None:
        row = step.row
        if row is not None and row.is_over:
            return row.result
        if row is not None and row.signal is not None:  # it stays: its end may be written with what comes next
            ended = step.entry()
            ended.result, ended.is_over = row.signal, True
            way.write_later(ended)
            return row.signal
        while True:
            with way.rest.working():
                state = await patiently_ask(
                    lambda: record.event_state(way.client.database, way.running.id, step.number)
                )
            if state.is_over:
                return state.value
            left = _EVENT_BEAT_S if state.seconds_left is None else min(state.seconds_left, _EVENT_BEAT_S)
            with way.rest.waiting(step.number, is_patient=True):
                await asyncio.sleep(max(left, 0.001))
            if way.rest.has_ended:
                raise asyncio.CancelledError  # nobody looks for it any more

    payload = await way.end_of(step, signalled)
    if payload is None:
        return default
    value = decode(payload)
    return value if type is None else _typed(value, type, name)


async def sleep(way: Way, seconds: float, loaded_at: float) -> None:
    """Wait for a moment: `seconds` after the step was first begun, by the database's clock. The record was read at
    `loaded_at`, by `time.monotonic()`."""
    step = way.begin("sleep", f"{seconds:g} s")
    if step.row is None:
        entry = step.entry()
        entry.seconds = seconds
        await way.start(step, lambda: way.write(entry))
        left, since = seconds, time.monotonic()
    else:
        left, since = step.row.seconds_left or 0.0, loaded_at

    async def until() -> None:
        rest = left - (time.monotonic() - since)
        if rest > 0:
            with way.rest.waiting(step.number, is_patient=rest > 1):
                await asyncio.sleep(rest)

    await way.end_of(step, until)


def _typed(value: Any, type: Any, name: str) -> Any:
    try:
        return converted(value, type)
    except Exception as error:  # noqa: BLE001 - whatever a user's type raises means that the value is none
        raise InvalidArguments(f"the signal {name!r} is no {getattr(type, '__name__', type)}: {error}") from None
