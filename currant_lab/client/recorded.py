"""What a handle of a workflow's run does with its record. On the background loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from currant_lab.client.ending import error_of, value_of
from currant_lab.client.futures import call
from currant_lab.database import inspect, record
from currant_lab.database.inspect import Ended
from currant_lab.errors import CurrantError, ExecutionFailed, InvalidArguments, UnknownExecution
from currant_lab.ids import new_id
from currant_lab.jobs import check_name, registry
from currant_lab.outcomes import ErrorInfo
from currant_lab.values import decode, encode_result

if TYPE_CHECKING:
    from currant_lab.client.handles import Execution

__all__ = ["fork", "rerun", "send_signal", "signal", "value_of_step"]

_PAGE = 1_000


async def signal(handle: Execution, name: str, value: Any) -> None:
    """See `Execution.signal`."""
    check_name("signal", name)
    place = handle._place or handle._info
    spec = None if place is None else registry.get(place.job)
    if spec is not None and not spec.is_workflow:
        raise InvalidArguments(f"{spec.function.__name__} is a plain job: only a workflow waits for signals")
    client = handle._owner
    await record.send_signal(client.database, handle._id, name, encode_result(value, client.payload_limit))
    client.submitted(["+"])


async def send_signal(handle: Execution, name: str, value: Any) -> None:
    """`signal`, from any loop."""
    await call(signal(handle, name, value))


async def fork(handle: Execution, step: str | int) -> Execution:
    """See `Execution.fork`."""
    from currant_lab.client.handles import Execution

    client, copy = handle._owner, new_id()
    number = await _first(handle, step)
    if not await record.fork(client.database, handle._id, copy, number):
        raise UnknownExecution(f"there is no execution {handle.id} in the database (any more)")
    made = Execution(client, copy, handle._place)
    client.follow(made)
    client.submitted(["+"])
    return made


async def rerun(handle: Execution, step: str | int) -> None:
    """See `Execution.rerun`."""
    client = handle._owner
    number = await _first(handle, step)
    was = await record.rerun(client.database, handle._id, number)
    if was is None:
        raise UnknownExecution(f"there is no execution {handle.id} in the database (any more)")
    if was == "running":
        raise CurrantError(f"execution {handle.id} runs at the moment: cancel() it first")
    client.follow(handle)
    client.submitted(["+"])


async def _first(handle: Execution, step: str | int) -> int:
    """The number of the step to go on with; one behind the last is where the record ends."""
    if isinstance(step, bool) or not isinstance(step, int | str):
        raise InvalidArguments(f"step is the number of a step, or its name, not {step!r}")
    database = handle._owner.database
    if isinstance(step, str):
        return await record.find_step(database, handle._id, step, first=True)
    if step < 1:
        raise InvalidArguments(f"steps are counted from 1, not {step}")
    if step > 1:
        await record.find_step(database, handle._id, step - 1)
    return step


async def value_of_step(handle: Execution, step: str | int) -> Any:
    """See `Execution.__getitem__`."""
    client = handle._owner
    number = await record.find_step(client.database, handle._id, step)
    row = await record.step_value(client.database, handle._id, number)
    if row["batch"] is not None:
        return await _values_of_map(handle, row)
    if row["child"] is not None:
        return await _value_of_child(handle, row)
    if row["error"] is not None:
        info = record.error_of_row(row["error"])
        assert info is not None  # noqa: S101 - there is one
        raise ExecutionFailed(info.message, type=info.type, traceback=info.traceback, attempt=1)
    if row["result"] is not None:
        return decode(row["result"])
    if row["ended_at"] is None:
        raise CurrantError(f"step {number}, {row['kind']} {row['name']}, has not ended")
    return None


async def _value_of_child(handle: Execution, row: Any) -> Any:
    client = handle._owner
    found = await inspect.ended(client.database, [row["child"]])
    if not found:
        raise CurrantError(f"{row['kind']} {row['name']} ({UUID(bytes=row['child'])}) has not ended")
    error = error_of(found[0], row["name"])
    if error is not None:
        raise error
    return value_of(row["name"], found[0].result or await client.load_result(row["child"]))


async def _values_of_map(handle: Execution, row: Any) -> list[Any]:
    """The results of a map, exceptions in their places."""
    client, values = handle._owner, []
    ids = await inspect.batch_ids(client.database, row["batch"])
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        ended = {one.id: one for one in await inspect.ended(client.database, page)}
        large = [own for own in page if own in ended and ended[own].status == "succeeded" and ended[own].result is None]
        results = await inspect.results(client.database, large) if large else {}
        for own in page:
            one = ended.get(own, _NOT_ENDED)
            values.append(error_of(one, row["name"]) or value_of(row["name"], one.result or results[own]))
    return values


_NOT_ENDED = Ended(bytes(16), "failed", 0, ErrorInfo("CurrantError", "it has not ended"))
