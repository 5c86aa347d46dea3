"""Every error Currant raises.

::

    CurrantError
    ├── DatabaseUnavailable      no connection, or the server refuses what is needed
    ├── SchemaOutdated           the schema is older than this code: `currant migrate`
    ├── SchemaTooNew             the schema is newer than this code: upgrade currant-lab
    ├── InvalidArguments         also TypeError: raised by submit, nothing was written
    ├── NotStorable              also TypeError: a value that is not data
    ├── ExecutionFailed          .type .message .traceback .attempt
    │   └── ExecutionTimeout     the handler ran longer than its timeout
    ├── ExecutionCancelled
    ├── NonDeterministic         a workflow's function no longer does what its record says
    ├── PoolNotRunning
    ├── PoolLost                 the pool died with its process, too often
    └── UnknownExecution         also LookupError

`Retry` and `Cancel` are not errors: a handler raises them to say how its execution goes on.
"""

from __future__ import annotations

__all__ = [
    "Cancel",
    "CurrantError",
    "DatabaseUnavailable",
    "ExecutionCancelled",
    "ExecutionFailed",
    "ExecutionTimeout",
    "InvalidArguments",
    "NonDeterministic",
    "NotStorable",
    "PoolLost",
    "PoolNotRunning",
    "Retry",
    "SchemaOutdated",
    "SchemaTooNew",
    "UnknownExecution",
]


class CurrantError(Exception):
    """The root of every error that Currant raises."""


class DatabaseUnavailable(CurrantError):
    """The database can't be reached, or refuses what Currant needs of it. The message says what to do."""


class SchemaOutdated(CurrantError):
    """The database's schema is older than this version of Currant, or missing: run `currant migrate`."""


class SchemaTooNew(CurrantError):
    """The database's schema is newer than this version of Currant: upgrade currant-lab here."""


class InvalidArguments(CurrantError, TypeError):
    """The arguments don't fit the job's signature or its options. Nothing was written."""


class NotStorable(CurrantError, TypeError):
    """A value can't be kept as data. The message names the argument, or says "result"."""


class ExecutionFailed(CurrantError):
    """The execution ended as `failed`.

    Attributes:
        type: the qualified name of the handler's exception, as `ValueError` or `httpx.ReadTimeout`.
        message: its text.
        traceback: the formatted traceback, the handler's own frames only.
        attempt: the attempt that failed, counted from 1.
    """

    def __init__(self, message: str, *, type: str = "", traceback: str = "", attempt: int = 0) -> None:
        super().__init__(f"{type}: {message}" if type else message)
        self.type = type
        self.message = message
        self.traceback = traceback
        self.attempt = attempt


class ExecutionTimeout(ExecutionFailed):
    """The handler ran longer than its `timeout` on its last attempt."""


class ExecutionCancelled(CurrantError):
    """The execution ended as `cancelled`."""


class NonDeterministic(CurrantError):
    """A workflow's function does not do what its record says it did: the message names the step, and both.

    Attributes:
        number: of the step, counted from 1.
        recorded: what the record has there, as `run extract`; None: nothing more.
        found: what the function does there; None: it has ended.
    """

    def __init__(self, number: int, recorded: str | None, found: str | None) -> None:
        super().__init__(
            f"step {number} is {recorded or 'not there'} in the record, and the function "
            + (f"comes to {found} there" if found else "ends before it")
            + ": put it back as it was, or give the workflow a new version=; "
            f"fork(step={number}) goes on from here with the function as it is"
        )
        self.number = number
        self.recorded = recorded
        self.found = found


class PoolNotRunning(CurrantError):
    """There is no running pool in this process: `currant.start()` or `%currant start` first."""


class PoolLost(CurrantError):
    """The pools that ran an execution died with it, again and again. Named as the error of such an execution."""


class UnknownExecution(CurrantError, LookupError):
    """No execution, batch or job of this name or id is in the database."""


class Retry(Exception):
    """Raised by a handler: run this execution again, at most `retries` times where its job sets them,
    else as often as it asks.

    Args:
        after: seconds to wait; by default the job's backoff.
    """

    def __init__(self, after: float | None = None) -> None:
        super().__init__("retry" if after is None else f"retry after {after:g} s")
        self.after = after


class Cancel(Exception):
    """Raised by a handler: end this execution as `cancelled`, for the reason given."""
