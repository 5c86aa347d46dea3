"""A handler's call on its way to another process of this machine, and back with what it printed.

Functions travel by cloudpickle between a pool and its own processes; the database never sees them.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cloudpickle

from currant_lab.context import Running, running_variable
from currant_lab.errors import NotStorable
from currant_lab.outcomes import ErrorInfo
from currant_lab.pool.capture import Log
from currant_lab.pool.describe import describe

__all__ = ["COROUTINE", "ShippedCall", "ShippedResult", "begin_process", "call_shipped"]

_LOOK_S = 1.0

COROUTINE = "result is a coroutine: the handler must await it (is an `async` or `await` missing?)"


@dataclass(frozen=True, slots=True)
class ShippedCall:
    """A function with its arguments, as bytes that any process with this package can call."""

    payload: bytes

    running: Running

    @classmethod
    def of(
        cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any], running: Running
    ) -> ShippedCall:
        """Pack a call. A job's function is packed by value: its name in its module means the job."""
        return cls(cloudpickle.dumps((function, args, kwargs)), running)


@dataclass(frozen=True, slots=True)
class ShippedResult:
    """What came of a `ShippedCall`. Value and error are packed, so that one which can't be unpacked is this
    execution's failure and not the executor's. `info` is set when it failed."""

    packed: bytes | None
    info: ErrorInfo | None
    logs: str | None

    def value(self) -> Any:
        """What the handler returned, where `info` is None."""
        return cloudpickle.loads(self.packed or b"")

    def error(self) -> BaseException:
        """What the handler raised, where `info` is set; a plain Exception if it could not travel."""
        with contextlib.suppress(Exception):
            error = cloudpickle.loads(self.packed or b"")
            if isinstance(error, BaseException):
                return error
        return Exception(self.info.message if self.info else "")


class _Writer(io.TextIOBase):
    def __init__(self, log: Log) -> None:
        self._log = log

    def write(self, text: str) -> int:
        self._log.write(text)
        return len(text)


def _packed(value: Any) -> bytes:
    if inspect.iscoroutine(value):
        value.close()
        raise NotStorable(COROUTINE)
    try:
        packed: bytes = cloudpickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - a value's own __reduce__ may raise anything
        raise NotStorable(
            f"result: a {type(value).__qualname__} can't leave its process, and is not data: {error}"
        ) from None
    return packed


def call_shipped(call: ShippedCall) -> ShippedResult:
    """Run in the other process: call the function with its output caught."""
    log = Log()
    writer = _Writer(log)
    try:
        function, args, kwargs = cloudpickle.loads(call.payload)
        running_variable.set(call.running)  # the main thread of such a process has nothing else to do
        with contextlib.redirect_stdout(writer), contextlib.redirect_stderr(writer):
            value = function(*args, **kwargs)
        return ShippedResult(_packed(value), None, log.text())
    except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its outcome
        info = describe(error, own_frames=1)
        packed = None
        with contextlib.suppress(Exception):
            packed = cloudpickle.dumps(error.with_traceback(None))
        return ShippedResult(packed, info, log.text())


def begin_process(parent: int) -> None:
    """In the other process, first: leave interrupts alone, and end soon after `parent`, as one whose kernel was
    killed would stay for ever."""
    _leave_interrupts()
    threading.Thread(target=_end_with, args=(parent,), name="currant-parent", daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


def _leave_interrupts() -> None:
    """A Ctrl-C, and the interrupt of a cell, go to all processes of the terminal or the
    kernel. They stop a wait or begin a drain there, and are no business of an execution. A handler that does nothing
    rather than none: programs that a job starts begin with the default."""
    signal.signal(signal.SIGINT, lambda *_: None)
