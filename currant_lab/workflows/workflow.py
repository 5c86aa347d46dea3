"""`@workflow`: a function whose steps are on record. It can be stopped at any moment, and goes on where it was."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
import types
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any, ParamSpec, TypeVar, overload

from currant_lab.client import current
from currant_lab.client.job import Job, register
from currant_lab.context import Running, durable_variable, running
from currant_lab.errors import InvalidArguments
from currant_lab.jobs import Backoff, JobSpec, Policy
from currant_lab.pool.inline import without_this_frame
from currant_lab.workflows.local import run_local
from currant_lab.workflows.run import Run

__all__ = ["Workflow", "workflow"]

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("currant")

_BLOCKED_S = 1.0
_VERSIONS = 1_000_000


class Workflow(Job[P, R]):
    """A durable function. `submit` begins a run of it; in a run, what it awaits of jobs is recorded step by step.

    Attributes:
        version: what `@workflow(version=...)` said.
    """

    def __init__(self, spec: JobSpec, function: Callable[P, Coroutine[Any, Any, R]], version: int) -> None:
        super().__init__(spec)
        self.version = version
        self._function = function

    def local(self, /, *args: Any, steps: Mapping[str, Any] | None = None, **kwargs: Any) -> R:
        """Run it here and now, without a database: for unit tests.

        Args:
            *args: its arguments.
            steps: what its steps answer, by the name of the job, function or event: a value, an exception to raise, or
                a function that is called with the step's arguments. Jobs that are not named are called as functions;
                events that are not named time out; nothing sleeps.
            **kwargs: its arguments by name.

        Returns what it returns, and raises what it raises.
        """
        result: R = run_local(self._function, args, kwargs, steps or {})
        return result

    def __repr__(self) -> str:
        return f"<Workflow {self.name}>"


@overload
def workflow(function: Callable[P, Coroutine[Any, Any, R]], /) -> Workflow[P, R]: ...
@overload
def workflow(
    *,
    version: int = 1,
    name: str | None = None,
    queue: str = "default",
    priority: int = 0,
    retries: int = 0,
    backoff: float | Backoff | None = None,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Workflow[P, R]]: ...
def workflow(
    function: Callable[..., Any] | None = None,
    /,
    *,
    version: int = 1,
    name: str | None = None,
    queue: str = "default",
    priority: int = 0,
    retries: int = 0,
    backoff: float | Backoff | None = None,
) -> Any:
    """Make an async function a workflow: `@workflow`, or `@workflow(...)` with any of these.

    Args:
        function: an async function. Between its steps it does the same whenever it is called with the same arguments:
            what may differ comes from a step (`step`, `now`, `random`, `uuid`).
        version: from 2 on it is part of the name, so that runs go on with the version they began with: keep the old
            function beside the new one for as long as there are runs of it.
        name: the full name; by default `module:function`.
        queue: where its runs wait.
        priority: any smallint; higher ones go first.
        retries: how often a run goes on again after its function raised.
        backoff: seconds before that, or a `Backoff`.

    Raises:
        InvalidArguments: the function is not async, or a value won't do.
    """
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version < _VERSIONS:
        raise InvalidArguments(f"version is a whole number from 1, not {version!r}")
    given = {"queue": queue, "priority": priority, "retries": retries}
    policy = Policy().changed(**given if backoff is None else given | {"backoff": backoff})

    def make(function: Callable[..., Any]) -> Workflow[..., Any]:
        if isinstance(function, Job):
            function = function.spec.function
        if not inspect.iscoroutinefunction(function):
            raise InvalidArguments(
                f"a workflow is an async function, and {getattr(function, '__qualname__', function)!s} is not: "
                "write `async def`, or make it a @job"
            )
        suffix = f"@{version}" if version > 1 else ""
        durable = _durable(function)
        durable.__qualname__ = f"{function.__qualname__}{suffix}"
        spec = JobSpec(durable, policy, None if name is None else f"{name}{suffix}", is_workflow=True)
        return register(Workflow(spec, function, version), function)

    return make if function is None else make(function)


def _durable(function: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    @functools.wraps(function)
    async def durable(*args: Any, **kwargs: Any) -> Any:
        here = running()
        if here is None:
            return await function(*args, **kwargs)
        return await _drive(function, args, kwargs, here)

    return durable


async def _drive(
    function: Callable[..., Coroutine[Any, Any, Any]], args: tuple[Any, ...], kwargs: dict[str, Any], here: Running
) -> Any:
    run = await Run.load(current.get(), here)
    durable_variable.set(run)
    watching = asyncio.ensure_future(run.check_progress()) if run.is_replay else None
    value, error = None, None
    try:
        value = await _timed(function(*args, **kwargs), functools.partial(_tell_blocked, here.job))
    except BaseException as raised:  # noqa: BLE001 - raised again below, unless there is something else to say
        error = raised
    finally:
        if watching is not None:
            watching.cancel()
    await run.end(error)
    if error is not None:
        raise error.with_traceback(_own_frames(error))
    return value


def _own_frames(error: BaseException) -> types.TracebackType | None:
    """The traceback from the function's first frame on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


@types.coroutine
def _timed(coroutine: Coroutine[Any, Any, Any], tell: Callable[[float], None]) -> Generator[Any, Any, Any]:
    """Drive a coroutine, and tell once when it holds the loop for long."""
    act: Callable[[Any], Any] = coroutine.send
    argument: Any = None
    is_told = False
    while True:
        started = time.monotonic()
        try:
            waits_for = act(argument)
        except StopIteration as end:
            return end.value
        finally:
            took = time.monotonic() - started
            if took > _BLOCKED_S and not is_told:
                is_told = True
                tell(took)
        try:
            argument = yield waits_for
            act = coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:  # noqa: BLE001 - a cancellation, say
            act, argument = coroutine.throw, without_this_frame(error)


def _tell_blocked(job: str, seconds: float) -> None:
    _log.warning(
        "the workflow %s held the loop for %.1f s, and with it everything that runs on it: "
        "put what takes long into a job, or into `await currant.step(function, ...)`",
        job, seconds,
    )  # fmt: skip
