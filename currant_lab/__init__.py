"""Currant Lab: durable background jobs for notebooks, on PostgreSQL alone.

::

    import currant_lab as currant
    from currant_lab import job

    @job(retries=3)
    async def fetch(url: str) -> dict: ...

    currant.start()
    batch = fetch.map(urls)
    batch.to_frame()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import currant_lab.pool  # noqa: F401 - first, or loading it later would put the package in place of pool()
from currant_lab import context
from currant_lab.client import current as _current
from currant_lab.client.batch import Batch
from currant_lab.client.handles import Execution
from currant_lab.client.job import Job, job
from currant_lab.context import progress
from currant_lab.errors import (
    Cancel,
    CurrantError,
    DatabaseUnavailable,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionTimeout,
    InvalidArguments,
    NonDeterministic,
    NotStorable,
    PoolNotRunning,
    Retry,
    SchemaOutdated,
    SchemaTooNew,
    UnknownExecution,
)
from currant_lab.jobs import Backoff
from currant_lab.session import pool, start, stop
from currant_lab.workflows.verbs import event, now, patched, random, sleep, step, uuid
from currant_lab.workflows.workflow import Workflow, workflow

if TYPE_CHECKING:
    from currant_lab.pictures.graph import Graph
    from currant_lab.pool.pool import Pool
    from currant_lab.version import __version__

T = TypeVar("T")

__all__ = [
    "Backoff",
    "Batch",
    "Cancel",
    "CurrantError",
    "DatabaseUnavailable",
    "Execution",
    "ExecutionCancelled",
    "ExecutionFailed",
    "ExecutionTimeout",
    "InvalidArguments",
    "Job",
    "NonDeterministic",
    "NotStorable",
    "Pool",
    "PoolNotRunning",
    "Retry",
    "SchemaOutdated",
    "SchemaTooNew",
    "UnknownExecution",
    "Workflow",
    "__version__",
    "batch",
    "current",
    "event",
    "executions",
    "get",
    "graph",
    "job",
    "now",
    "patched",
    "pool",
    "progress",
    "random",
    "sleep",
    "start",
    "step",
    "stop",
    "track",
    "uuid",
    "workflow",
]


def get(id: str | UUID) -> Execution:
    """The execution of that id, whoever submitted it and whenever.

    Raises:
        UnknownExecution: there is none.
        InvalidArguments: this is no id.
    """
    return _current.get().get(id)


def batch(name: str) -> Batch:
    """The batch of that name, with all its executions: how to have it again after a restart.

    Raises:
        UnknownExecution: there is none.
    """
    return _current.get().batch(name)


def executions(
    status: str | None = None, job: str | None = None, queue: str | None = None, limit: int = 100
) -> list[Execution]:
    """Executions, newest first.

    Args:
        status: `scheduled`, `waiting`, `pending`, `running`, `succeeded`, `failed` or `cancelled`; None: any.
        job: a full name, or the function's.
        queue: the queue's name.
        limit: how many at most.
    """
    return _current.get().executions(status=status, job=job, queue=queue, limit=limit)


def graph(execution: Execution | str | UUID) -> Graph:
    """A picture of what belongs to an execution: the steps of a workflow's run; of any other the executions it waits
    for, those that wait for it, and theirs (the nearest 2,000). Many of one name are drawn as one.

    It is inline SVG in a notebook, text elsewhere; `save("x.svg")` writes a file.

    Args:
        execution: a handle or an id.

    Raises:
        UnknownExecution: there is none.
        InvalidArguments: this is no id.
    """
    from currant_lab.client.graphing import graph_of

    return graph_of(execution if isinstance(execution, Execution) else get(execution))


def current() -> Execution:
    """The execution whose handler calls this.

    Raises:
        CurrantError: called outside of a handler.
    """
    running = context.running()
    if running is None:
        raise CurrantError("current() is the running execution: call it inside a job's function")
    return _current.get().of_running(running)


def track(items: Iterable[T], total: int | None = None, note: str | None = None) -> Iterator[T]:
    """Loop over `items` and show how far it is: in a handler as the execution's progress, in a cell as a bar.

    A script in a terminal has one line on stderr; there is none where output goes elsewhere, under `CI`, and with
    `CURRANT_ANIMATION=0`.

    Args:
        items: what to loop over.
        total: how many there are, where `len(items)` doesn't say.
        note: words shown before the count.
    """
    if context.running() is not None:
        yield from context.track(items, total, note)
        return
    from currant_lab.notebook.tracking import tracked

    yield from tracked(items, total, note)


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext currant_lab`: adds `%currant` to the notebook. Harmless when done again."""
    from currant_lab.notebook.extension import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext currant_lab`: takes `%currant` away and stops the pool. What waits stays in the database."""
    from currant_lab.notebook.extension import unload

    unload(ipython)


def __getattr__(name: str) -> Any:
    """The names that only a running pool needs are loaded when they are used: with the database's driver they
    would double the time of the import."""
    if name == "Pool":
        from currant_lab.pool.pool import Pool

        return Pool
    if name == "__version__":
        from currant_lab.version import __version__

        return __version__
    raise AttributeError(f"module 'currant_lab' has no attribute {name!r}")
