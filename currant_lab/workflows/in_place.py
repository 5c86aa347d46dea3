"""Steps that are made in place: a plain call, a value that is made once, a change that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from currant_lab.values import decode, encode_result
from currant_lab.workflows.calls import call_here, error_of_call, name_of, returned
from currant_lab.workflows.stepping import Way

__all__ = ["call", "is_patched", "note"]


async def call(way: Way, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function, and keep what it returns or raises."""
    step = way.begin("call", name_of(function))
    row = step.row
    if row is not None and row.is_over:

        async def from_record() -> Any:
            return returned(function, row.result, row.error)

        return await way.end_of(step, from_record)
    step.gate = None  # it has not ended: nothing on record hangs on its end
    way.write_later(step.entry())

    async def run_here() -> Any:
        ended = step.entry()
        ended.is_over = True
        with way.rest.working():
            try:
                ended.result = encode_result(await call_here(function, args, kwargs), way.client.payload_limit)
            except Exception as error:  # noqa: BLE001 - whatever it raises is on record
                ended.error = error_of_call(error, step.name)
            await way.write(ended)
        return returned(function, ended.result, ended.error)

    return await way.end_of(step, run_here)


def note(way: Way, kind: str, name: str, make: Callable[[], Any]) -> Any:
    """A value that is made once. It is written with the next step: before that nothing can hang on it."""
    step = way.begin(kind, name, ends=False)
    if step.row is not None and step.row.result is not None:
        return decode(step.row.result)
    entry = step.entry()
    entry.result, entry.is_over = encode_result(make()), True
    way.write_later(entry)
    return decode(entry.result)


def is_patched(way: Way, name: str) -> bool:
    """Whether this run began after a change: those on whose record it isn't go on as they were."""
    row = way.replay.next_row
    if row is not None and (row.kind, row.name) != ("patched", name):
        return False
    return bool(note(way, "patched", name, lambda: True))
