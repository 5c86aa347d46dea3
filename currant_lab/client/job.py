"""`@job`: what makes a function durable, and what is called in its place afterwards."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Generic, ParamSpec, TypeVar, overload

from currant_lab.client import current
from currant_lab.client.batch import Batch
from currant_lab.client.ending import use_await
from currant_lab.client.futures import Steps, arun_steps, run_steps
from currant_lab.client.handles import Execution
from currant_lab.client.mapping import map_steps
from currant_lab.database.submit import Placement
from currant_lab.errors import InvalidArguments
from currant_lab.jobs import Backoff, JobSpec, Policy, check_name, registry
from currant_lab.loop import background
from currant_lab.pool.echo import CaptureChoice, check_capture, submitting
from currant_lab.values import encode_args

__all__ = ["Job", "job", "set_on_redefine"]

P = ParamSpec("P")
R = TypeVar("R")

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
        self._capture: CaptureChoice | None = None
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
        connection: Any = None,
        capture: CaptureChoice | None = None,
        **policy: Any,
    ) -> Job[P, R]:
        """The same job with other options for what is submitted through it.

        Args:
            delay: seconds until it is due, by the database's clock.
            at: the moment it is due, timezone-aware.
            connection: an asyncpg connection whose transaction `submit` joins; its result is then to be awaited.
            capture: "cell" shows what handlers print in the cell that submits, too; "log" only keeps it. By default
                as `start(capture=...)` says.
            **policy: `queue`, `priority`, `retries`, `backoff`, `timeout`, as in `@job`.

        Raises:
            InvalidArguments: an unknown option, or a value that won't do.
        """
        other = copy.copy(self)
        if policy:
            other.policy = self.policy.changed(**policy)
        if delay is not None:
            other._delay, other._at = _checked_delay(delay), None
        if at is not None:
            if delay is not None:
                raise InvalidArguments("delay and at exclude each other")
            other._delay, other._at = 0.0, _checked_moment(at)
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
        if connection is None and background.is_current:
            raise use_await("use `await job.asubmit(...)`")
        client = current.get()
        encoded = encode_args(self.spec, args, kwargs, client.payload_limit)
        if connection is not None:
            return client.submit_with(connection, self._placement(), encoded)
        with submitting(self._capture):
            return client.submit(self._placement(), encoded)

    async def asubmit(self, /, *args: Any, **kwargs: Any) -> Execution:
        """`submit` from async code, on any loop. Many at once share a statement and a commit."""
        if self._connection is not None:
            submitted: Awaitable[Execution] = self.submit(*args, **kwargs)
            return await submitted
        client = current.get()
        encoded = encode_args(self.spec, args, kwargs, client.payload_limit)
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
        if background.is_current:
            raise use_await("use `await job.amap(...)`")
        with submitting(self._capture):
            return run_steps(self._map_steps(iterables, batch))

    async def amap(self, /, *iterables: Iterable[Any], batch: str | None = None) -> Batch:
        """`map` from async code, on any loop."""
        with submitting(self._capture):
            return await arun_steps(self._map_steps(iterables, batch))

    def _map_steps(self, iterables: tuple[Iterable[Any], ...], batch: str | None) -> Steps[Batch]:
        if not iterables:
            raise InvalidArguments("map wants one iterable per parameter")
        if self._connection is not None:
            raise InvalidArguments("map has a transaction of its own: use submit with connection=")
        if batch is not None:
            check_name("batch", batch)
        try:
            calls = zip(*iterables, strict=False)
        except TypeError as error:
            raise InvalidArguments(f"map wants iterables: {error}") from None
        return map_steps(current.get(), self.spec, self._placement(), calls, batch)

    def _placement(self) -> Placement:
        """Where executions go. What the job itself says of retries, timeout and backoff stays out of the row, so
        that a job's newest definition counts for them."""
        policy, own = self.policy, self.spec.policy
        return Placement(
            job=registry.name_of(self.spec),
            queue=policy.queue,
            priority=policy.priority,
            retries=policy.retries if policy.retries != own.retries else None,
            options=policy.row_options(own) if policy is not own else None,
            delay=self._delay,
            at=self._at,
        )


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
        made: Job[..., Any] = Job(JobSpec(function, policy, name))
        if registry.add(made.spec) is not None and _on_redefine is not None:
            _on_redefine(f"`{function.__name__}` redefined: executions that start from now on run the new version")
        return made

    return make if function is None else make(function)


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
