"""Steps that are executions of their own: one of a job, or one that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from currant_lab.client.chaining import check_here
from currant_lab.client.handles import Execution, Known
from currant_lab.database.submit import NewExecution
from currant_lab.errors import InvalidArguments, NonDeterministic
from currant_lab.ids import new_id
from currant_lab.parts import NotData
from currant_lab.values import encode_args
from currant_lab.workflows.calls import refusal
from currant_lab.workflows.patience import patiently
from currant_lab.workflows.replay import Step
from currant_lab.workflows.stepping import Way

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.client.job import Job

__all__ = ["await_there", "check_awaited", "run_one", "submit_one"]


async def run_one(way: Way, job: Job[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Submit one execution, and wait for its result."""
    encoded = encode_args(job.spec, args, kwargs, way.client.payload_limit)
    step = way.begin("run", job.name)
    handle = await _child(way, step, job, encoded)
    return await way.end_of(step, lambda: _result(way, step, handle), handle.acancel)


async def submit_one(way: Way, job: Job[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Execution:
    """Submit one execution, and go on."""
    encoded = encode_args(job.spec, args, kwargs, way.client.payload_limit)
    return await _child(way, way.begin("submit", job.name, ends=False), job, encoded)


async def await_there(way: Way, handle: Execution) -> Any:
    """Wait for an execution that is there already.

    Raises:
        InvalidArguments: it is in another database.
    """
    check_awaited(handle._owner)
    place = handle._place or handle._info
    step = way.begin("result", place.job if place is not None else "execution")
    if step.row is None:
        entry = step.entry()
        entry.awaits = handle._id
        await way.start(step, lambda: way.write(entry))
    elif step.row.child != handle._id:
        way.break_off(NonDeterministic(step.number, f"result {step.row.name}", f"that of {handle.id}"))
    elif step.row.ended is not None:  # it answers in its turn, without a pause
        handle = Execution(way.client, handle._id, Known(step.row.name), step.row.ended)
    return await way.end_of(step, lambda: _result(way, step, handle))


def check_awaited(owner: Client) -> None:
    """Refuse what belongs to another database than the run."""
    try:
        check_here(owner)
    except NotData as error:
        raise InvalidArguments(str(error)) from None


async def _child(way: Way, step: Step, job: Job[..., Any], encoded: bytes) -> Execution:
    """The execution that a step has begun, or begins."""
    placement = job._placement()
    row = step.row
    if row is not None and row.child is not None:
        return Execution(way.client, row.child, placement, row.ended)
    if row is not None and row.error is not None:
        raise refusal(row.error)
    entry = step.entry()
    entry.child = NewExecution.make(new_id(), placement, encoded)
    handle = Execution(way.client, entry.child.id, placement)
    way.client.follow(handle)
    await way.start(step, lambda: way.write(entry), handle.acancel)
    return handle


async def _result(way: Way, step: Step, handle: Execution) -> Any:
    if handle._has_ended():
        return await patiently(handle._await)
    with way.rest.waiting(step.number):
        return await patiently(handle._await)
