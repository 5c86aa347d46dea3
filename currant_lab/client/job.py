"""`@job`: what makes a function durable, and what is called in its place afterwards."""

from __future__ import annotations

import builtins
import copy
import functools
import math
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from types import ModuleType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from currant_lab.client import current
from currant_lab.client.batch import Batch, OnError
from currant_lab.client.chaining import after_of
from currant_lab.client.ending import use_await
from currant_lab.client.futures import Steps, arun_steps, run_steps
from currant_lab.client.handles import Execution
from currant_lab.client.mapping import WHOLE, map_steps
from currant_lab.context import durable, in_order
from currant_lab.database.submit import Placement
from currant_lab.errors import CurrantError, InvalidArguments
from currant_lab.jobs import Backoff, JobSpec, Policy, check_name, registry
from currant_lab.loop import background
from currant_lab.pool.echo import CaptureChoice, check_capture, submitting
from currant_lab.values import encode_args

__all__ = ["Job", "job", "register", "set_on_redefine"]

P = ParamSpec("P")
R = TypeVar("R")
J = TypeVar("J", bound="Job[..., Any]")

_LONGEST_DELAY_S = 100 * 366 * 86_400.0

_on_redefine: Callable[[str], None] | None = None


def set_on_redefine(tell: Callable[[str], None] | None) -> None:
    """Call `tell` with one sentence when a job is defined anew with other source. None, the default: silence."""
    global _on_redefine
    _on_redefine = tell


class Job(Generic[P, R]):
    """A durable function. Called, it is the function itself; `submit` and `map` write executions.

    Which version of the function runs is decided when an execution starts: the newest that the pool has of the name.
    """

    def __init__(self, spec: JobSpec) -> None:
        self.spec = spec
        self.policy = spec.policy
        self._delay = 0.0
        self._at: datetime | None = None
        self._connection: Any = None
        self._after: tuple[tuple[str, bytes], ...] = ()
        self._capture: CaptureChoice | None = None
        self._known_placement: Placement | None = None
        functools.update_wrapper(self, spec.function)

    @property
    def name(self) -> str:
        """The job's full name in this process: `module:function`, or `<notebook>:function`."""
        return registry.name_of(self.spec)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The plain call: no database."""
        result: R = self.spec.function(*args, **kwargs)
        return result

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method: `thing.method(...)` is the plain call with `thing` in front."""
        return self if instance is None else functools.partial(self.spec.function, instance)

    def __repr__(self) -> str:
        return f"<Job {self.name}>"

    def options(
        self,
        *,
        delay: float | None = None,
        at: datetime | None = None,
        after: Iterable[Execution | Batch] = (),
        connection: Any = None,
        capture: CaptureChoice | None = None,
        **policy: Any,
    ) -> Job[P, R]:
        """The same job with other options for what is submitted through it.

        Args:
            delay: seconds until it is due, by the database's clock.
            at: the moment it is due, timezone-aware.
            after: executions and batches that have to succeed before it starts; their values aren't passed.
            connection: an asyncpg connection whose transaction `submit` joins; its result is then to be awaited.
            capture: "cell" shows what handlers print in the cell that submits, too; "log" only keeps it. By default
                as `start(capture=...)` says.
            **policy: `queue`, `priority`, `retries`, `backoff`, `timeout`, as in `@job`.

        Raises:
            InvalidArguments: an unknown option, or a value that won't do.
        """
        other = copy.copy(self)
        other._known_placement = None
        if policy:
            other.policy = self.policy.changed(**policy)
        if delay is not None:
            other._delay, other._at = _checked_delay(delay), None
        if at is not None:
            if delay is not None:
                raise InvalidArguments("delay and at exclude each other")
            other._delay, other._at = 0.0, _checked_moment(at)
        if after != ():
            other._after = self._after + after_of(after)
        if connection is not None:
            other._connection = connection
        if capture is not None:
            other._capture = check_capture(capture)
        return other

    def submit(self, /, *args: Any, connection: Any = None, **kwargs: Any) -> Any:
        """Write one execution and return its handle once it is on disk.

        With `connection=`, an asyncpg connection, it returns an awaitable instead, joins the transaction that the
        connection is in, and is there when that commits. (A job with a parameter of that name gets it as an
        argument; `options(connection=...)` says it then.)

        Raises:
            InvalidArguments, NotStorable: the arguments don't fit, or are not data. Nothing was written.
            DatabaseUnavailable: it could not be written.
            CurrantError: called on the pool's own loop: use `asubmit` there.
        """
        if connection is not None and "connection" in self.spec.signature.parameters:
            kwargs["connection"], connection = connection, None
        connection = connection if connection is not None else self._connection
        _check_plain(connection)
        if connection is None and background.is_current:
            raise use_await("use `await job.asubmit(...)`")
        client = current.get()
        encoded = encode_args(self.spec, args, kwargs, client.payload_limit)
        if connection is not None:
            return client.submit_with(connection, self._placement(), encoded)
        if self._capture is None:
            return client.submit(self._placement(), encoded)
        with submitting(self._capture):
            return client.submit(self._placement(), encoded)

    @in_order
    async def asubmit(self, /, *args: Any, **kwargs: Any) -> Execution:
        """`submit` from async code, on any loop. Many at once share a statement and a commit. In a workflow it is a
        step: submitted once, however often the function is called again."""
        run = durable()
        if run is not None:
            submitted_once: Execution = await run.submit_job(self, args, kwargs)
            return submitted_once
        if self._connection is not None:
            submitted: Awaitable[Execution] = self.submit(*args, **kwargs)
            return await submitted
        client = current.get()
        encoded = encode_args(self.spec, args, kwargs, client.payload_limit)
        if self._capture is None:  # a block costs 2 us of the 40 that one of many takes
            return await client.asubmit(self._placement(), encoded)
        with submitting(self._capture):
            return await client.asubmit(self._placement(), encoded)

    def map(self, /, *iterables: Iterable[Any], batch: str | None = None) -> Batch:
        """Write one execution per call, as `map(function, *iterables)` would make them; all of them or none.

        Args:
            *iterables: one per parameter. The shortest ends it.
            batch: a name. Submitting to a batch that exists writes only the calls that are new to it, and returns
                the handles of the others as they are.

        Raises:
            InvalidArguments, NotStorable: of one of the calls, with a note saying which. Nothing was written.
            InvalidArguments: the batch is of another job.
            DatabaseUnavailable: nothing was written.
            CurrantError: called on the pool's own loop: use `amap` there.
        """
        _check_plain(None)
        if background.is_current:
            raise use_await("use `await job.amap(...)`")
        with submitting(self._capture):
            return run_steps(self._map_steps(iterables, batch))

    @in_order
    async def amap(self, /, *iterables: Iterable[Any], batch: str | None = None) -> Batch:
        """`map` from async code, on any loop. In a workflow it is a step, and has no name."""
        run = durable()
        if run is not None:
            if batch is not None:
                raise InvalidArguments("a map in a workflow is on its record: batch= is for maps outside of one")
            mapped_once: Batch = await run.submit_map(self, iterables)
            return mapped_once
        with submitting(self._capture):
            return await arun_steps(self._map_steps(iterables, batch))

    @in_order
    async def run(self, /, *args: Any, **kwargs: Any) -> Any:
        """Submit one execution and wait for its result. In a workflow it is a step: done once, then answered from the
        record.

        Raises:
            ExecutionFailed, ExecutionCancelled: it ended so.
            InvalidArguments, NotStorable: as `submit`.
        """
        here = durable()
        if here is not None:
            return await here.run_job(self, args, kwargs)
        return await (await self.asubmit(*args, **kwargs))

    @in_order
    async def map_run(self, /, *iterables: Iterable[Any], on_error: OnError = "raise") -> list[Any]:
        """Submit one execution per call, as `map` does, and wait for the results, in the order of the inputs. In a
        workflow it is one step.

        Args:
            *iterables: one per parameter. The shortest ends it.
            on_error: "raise" the first failure as soon as one is known, or "return" exceptions in their places.
        """
        if not iterables:
            raise InvalidArguments("map_run wants one iterable per parameter")
        here = durable()
        if here is not None:
            return await here.map_job(self, iterables, on_error)
        return await (await self.amap(*iterables)).aresults(on_error)

    def _map_steps(self, iterables: tuple[Iterable[Any], ...], batch: str | None) -> Steps[Batch]:
        if not iterables:
            raise InvalidArguments("map wants one iterable per parameter")
        if self._connection is not None:
            raise InvalidArguments("map has a transaction of its own: use submit with connection=")
        if batch is not None:
            check_name("batch", batch)
        try:
            iterables = tuple(iterable if isinstance(iterable, WHOLE) else iter(iterable) for iterable in iterables)
        except TypeError as error:
            raise InvalidArguments(f"map wants iterables: {error}") from None
        return map_steps(current.get(), self.spec, self._placement(), iterables, batch)

    def _placement(self) -> Placement:
        """Where executions go. What the job itself says of retries, timeout and backoff stays out of the row, so
        that a job's newest definition counts for them."""
        policy, own, name = self.policy, self.spec.policy, registry.name_of(self.spec)
        known = self._known_placement
        if known is not None and known.job == name:
            return known
        self._known_placement = Placement(
            job=name,
            queue=policy.queue,
            priority=policy.priority,
            retries=policy.retries if policy.retries != own.retries else None,
            options=policy.row_options(own) if policy is not own else None,
            delay=self._delay,
            at=self._at,
            after=self._after,
        )
        return self._known_placement


@overload
def job(function: Callable[P, R], /) -> Job[P, R]: ...
@overload
def job(
    *,
    name: str | None = None,
    queue: str = "default",
    priority: int = 0,
    retries: int = 0,
    backoff: float | Backoff | None = None,
    timeout: float | None = None,
) -> Callable[[Callable[P, R]], Job[P, R]]: ...
def job(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    queue: str = "default",
    priority: int = 0,
    retries: int = 0,
    backoff: float | Backoff | None = None,
    timeout: float | None = None,
) -> Any:
    """Make a function durable: `@job`, or `@job(...)` with any of these.

    Args:
        function: async or plain; its arguments and its result are data (see `currant_lab.values`).
        name: the job's full name; by default `module:function`.
        queue: where its executions wait.
        priority: any smallint; higher ones go first.
        retries: how often an execution is run again after it has failed: 3 means at most 4 runs.
        backoff: seconds before a retry, or a `Backoff`; by default 1 s, doubling up to 5 minutes.
        timeout: seconds that one run may take.

    Raises:
        InvalidArguments: a value won't do.
    """
    given = {"queue": queue, "priority": priority, "retries": retries, "timeout": timeout}
    policy = Policy().changed(**given if backoff is None else given | {"backoff": backoff})

    def make(function: Callable[..., Any]) -> Job[..., Any]:
        if isinstance(function, Job):
            function = function.spec.function
        return register(Job(JobSpec(function, policy, name)), function)

    return make if function is None else make(function)


def register(made: J, function: Callable[..., Any]) -> J:
    """Let this process run `made`, a job made of `function`, and say what its name meant before."""
    replaced = registry.add(made.spec) is not None
    if _on_redefine is not None:
        if replaced:
            _on_redefine(f"`{function.__name__}` redefined: executions that start from now on run the new version")
        elif (before := _shadowed(function)) is not None:
            _on_redefine(f"`{function.__name__}` was {before}: from here on it means this job")
    return made


def _check_plain(connection: object) -> None:
    """Refuse in a workflow what would be done again whenever its function is called again."""
    if durable() is not None:
        what = "with a connection of its own" if connection is not None else "and wait with the thread"
        raise CurrantError(
            f"a workflow can't submit {what}: `await job.run(...)`, `await job.map_run(...)` and "
            "`await job.asubmit(...)` are on its record"
        )


def _shadowed(function: Callable[..., Any]) -> str | None:
    """What the name of a job meant before its cell ran, where that will be missed."""
    name = function.__name__
    before = function.__globals__.get(name)
    if isinstance(before, ModuleType):
        return f"the module {before.__name__} (`import {before.__name__} as …` gives it another name)"
    if before is None and function.__qualname__ == name and hasattr(builtins, name):
        return f"Python's own (`del {name}` brings it back)"
    return None


def _checked_delay(delay: object) -> float:
    is_number = isinstance(delay, int | float) and not isinstance(delay, bool)
    if not is_number or not math.isfinite(delay) or not 0 <= delay <= _LONGEST_DELAY_S:  # type: ignore[arg-type,operator]
        raise InvalidArguments(f"delay is a number of seconds, at least 0 and at most 100 years, not {delay!r}")
    return float(delay)  # type: ignore[arg-type]


def _checked_moment(at: object) -> datetime:
    if not isinstance(at, datetime):
        raise InvalidArguments(f"at is a datetime, not {at!r}")
    if at.utcoffset() is None:
        raise InvalidArguments(
            f"at={at} has no timezone, so it means another moment on every machine: "
            "use at.astimezone() for this machine's, or datetime.now(UTC) + ..."
        )
    return at
