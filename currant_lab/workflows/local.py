"""A workflow in place, without a database: what its steps answer is given."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from currant_lab.context import durable_variable
from currant_lab.errors import CurrantError
from currant_lab.values import bind
from currant_lab.workflows.calls import name_of

__all__ = ["run_local"]

_ABSENT: Any = object()


def run_local(
    function: Callable[..., Coroutine[Any, Any, Any]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    steps: Mapping[str, Any],
) -> Any:
    """Run `function` on a loop of its own, in a thread of its own, so that it works in a cell too."""
    outcome: list[Any] = []

    def run() -> None:
        durable_variable.set(LocalRun(steps))
        try:
            outcome.append((asyncio.run(function(*args, **kwargs)), None))
        except BaseException as error:  # noqa: BLE001 - raised again where it was called
            outcome.append((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="currant-local", daemon=True)
    thread.start()
    thread.join()
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


class _Ready:
    """Stands for an execution that was submitted in a local run."""

    def __init__(self, answer: Coroutine[Any, Any, Any]) -> None:
        self._answer = asyncio.ensure_future(answer)

    def __await__(self) -> Any:
        return self._answer.__await__()


class LocalRun:
    """Answers steps from a mapping; what is not in it is called."""

    def __init__(self, steps: Mapping[str, Any]) -> None:
        self._steps = steps
        self._places = itertools.count()

    async def run_job(self, job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The given answer, or that of the job's function."""
        args, kwargs = bind(job.spec, args, kwargs)
        function = getattr(job, "_function", job.spec.function)
        return await self._answer(self._find(job.name), function, args, kwargs)

    async def map_job(self, job: Any, iterables: tuple[Iterable[Any], ...], on_error: Any) -> list[Any]:
        """The given list, or the answer of each call."""
        given = self._find(job.name)
        if isinstance(given, list):
            return given
        calls = [self.run_job(job, tuple(call), {}) for call in zip(*iterables, strict=False)]
        return list(await asyncio.gather(*calls, return_exceptions=on_error == "return"))

    async def submit_job(self, job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Begin it; the answer is to be awaited."""
        return _Ready(self.run_job(job, args, kwargs))

    async def submit_map(self, job: Any, iterables: tuple[Iterable[Any], ...]) -> Any:
        """Begin all; the answers are to be awaited."""
        return _Ready(self.map_job(job, iterables, "raise"))

    async def await_handle(self, handle: Any) -> Any:
        """There are no executions here."""
        raise CurrantError(f"{handle!r} is in a database, and a local run has none")

    async def await_batch(self, batch: Any, on_error: Any) -> list[Any]:
        """Nor these."""
        return list(await self.await_handle(batch))

    async def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The given answer, or that of the function."""
        return await self._answer(self._find(name_of(function)), function, args, kwargs)

    async def event(self, name: str, timeout: float | None, default: Any, type: Any) -> Any:
        """The given value; without one the time has run out."""
        given = self._find(name)
        if given is _ABSENT:
            if timeout is None:
                raise CurrantError(f"it waits for the event {name!r} for ever: give it in steps={{{name!r}: …}}")
            return default
        return await self._answer(given, None, (), {})

    async def sleep(self, seconds: float) -> None:
        """Not here."""
        await asyncio.sleep(0)

    def note(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        """The given value, or a new one."""
        given = self._find(kind)
        return make() if given is _ABSENT else given

    def patched(self, name: str) -> bool:
        """New, unless it is said otherwise."""
        given = self._find(name)
        return True if given is _ABSENT else bool(given)

    def next_place(self) -> int:
        """As in a run."""
        return next(self._places)

    def _find(self, name: str) -> Any:
        short = name.rpartition(":")[2]
        return self._steps.get(name, self._steps.get(short, self._steps.get(short.partition("@")[0], _ABSENT)))

    @staticmethod
    async def _answer(
        given: Any, function: Callable[..., Any] | None, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if isinstance(given, BaseException):
            raise given
        if given is _ABSENT and function is not None:
            given = function
        if callable(given):
            given = given(*args, **kwargs)
        return await given if inspect.isawaitable(given) else given
