"""What a pool, a batch, an execution and lists of them look like in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from currant_lab.client.batch import Batch
from currant_lab.client.client import Client
from currant_lab.client.graphing import error_words, graph_of_run, short, waits_text
from currant_lab.client.handles import Execution
from currant_lab.database import serving
from currant_lab.database.runs import list_runs
from currant_lab.errors import InvalidArguments
from currant_lab.jobs import registry, session_of_cell
from currant_lab.notebook.panel_pages import batch_bar, batch_words
from currant_lab.notebook.panel_state import BatchLine
from currant_lab.notebook.sessions import SESSION, interrupted
from currant_lab.notebook.views import Drawn, View, counted, moment
from currant_lab.status import Status

if TYPE_CHECKING:
    from currant_lab.pool.pool import Pool

__all__ = [
    "batch",
    "batch_of",
    "execution",
    "execution_of",
    "failures",
    "jobs",
    "listing",
    "logs",
    "pool",
    "pool_title",
    "runs",
    "status",
]

_MESSAGE = 120
"""Characters of an error that a table shows."""


def pool(shown: Pool) -> View:
    """A pool as it stands, without a query."""
    if not shown.is_running:
        return View(f"Pool {shown.name}: stopped")
    return View(pool_title(shown), facts=_pool_facts(shown), notes=_pool_notes(shown))


def status(client: Client, shown: Pool | None) -> View:
    """This kernel's pool, all queues, and what waits that nobody can run."""
    queues = client.queues()
    finished = client.finished()
    about = "" if finished.exact else "about "
    notes = [
        f"Finished: {about}{finished.succeeded:,} succeeded, {finished.failed:,} failed, "
        f"{finished.cancelled:,} cancelled."
    ]
    return View(
        "No pool runs in this kernel: `%currant start` starts one." if shown is None else pool_title(shown),
        facts=() if shown is None else _pool_facts(shown),
        columns=("queue", "pending", "running", "scheduled", ""),
        rows=[
            (queue.name, queue.pending, queue.running, queue.scheduled, "paused" if queue.paused_at else "")
            for queue in queues
        ],
        notes=(*([] if shown is None else _pool_notes(shown)), *_waiting(client), *notes),
    )


def _waiting(client: Client) -> list[str]:
    async def look() -> list[serving.Waiting]:
        return await serving.waiting(client.database, await serving.pools(client.database))

    sentences = []
    groups = client.run(look())
    lost = [group for group in groups if session_of_cell(group.job) not in (None, SESSION) and not group.known]
    for group in lost:
        ids = [str(one.id) for one in client.executions(status="pending", job=group.job, limit=3)]
        notebook = group.job.rpartition(":")[0]
        sentences.append(
            f"{counted(group.count)} of a cell of {notebook} interrupted by the end of its kernel: "
            + ", ".join(f"`%currant retry {id}`" for id in ids)
            + " puts the cell's text into a new cell."
        )
    for group in groups:
        if group.served or group.paused or group in lost:
            continue
        count = f"{'' if group.exact else 'at least '}{group.count:,}"
        wait = "waits" if group.count == 1 else "wait"
        name = group.job.rpartition(":")[2]
        if not group.known:
            sentences.append(f"{count} {wait} for `{name}`: run its cell ({group.job}).")
        elif not group.heard:
            sentences.append(f"{count} of `{name}` {wait} in queue {group.queue}, where no pool works.")
        else:
            sentences.append(f"{count} of `{name}` {wait} in queue {group.queue}: no pool there has the job.")
    return sentences


def pool_title(shown: Pool) -> str:
    """What a pool is, in a line."""
    return f"Pool {shown.name}: {shown.workers:,} workers on {', '.join(shown.queues)}"


def _pool_facts(shown: Pool) -> list[tuple[str, object]]:
    stats = shown.stats()
    facts: list[tuple[str, object]] = [
        ("running", stats.running),
        ("ready", stats.buffered),
        ("settled", stats.settled),
    ]
    if stats.claims > stats.empty_claims:
        each = stats.claimed / (stats.claims - stats.empty_claims)
        facts.append(("claims", f"{stats.claims:,}, {each:,.1f} executions each"))
    facts += [
        (label, f"p50 {_ms(found.p50)}, p95 {_ms(found.p95)}")
        for label, found in (("wait", stats.wait_ms), ("run", stats.run_ms))
        if found.count
    ]
    if stats.rescued:
        facts.append(("rescued", f"{stats.rescued:,} of pools that had died"))
    return facts


def _pool_notes(shown: Pool) -> list[str]:
    return [f"The database can't be reached, trying again: {shown.trouble}"] if shown.trouble else []


def _ms(value: float) -> str:
    return f"{value / 1000:,.1f} s" if value >= 1000 else f"{value:,.1f} ms"


def batch(shown: Batch) -> View:
    """A batch with its counts: one query."""
    return batch_of(shown, shown.counts())


def batch_of(shown: Batch, counts: Mapping[str, int], eta_s: float | None = None) -> View:
    """A batch with these counts, and the seconds it will still take."""
    line = BatchLine(0, shown.name or "", len(shown), counts, eta_s)
    name = "Batch" if shown.name is None else f"Batch {shown.name}"
    title = f"{name}: {counted(len(shown))} of {shown.job}"
    notes = [batch_words(line)] if line.done < sum(counts.values()) else []
    return View(title, facts=list(counts.items()), bar=batch_bar(line), notes=notes)


def execution(shown: Execution, *, whole: bool = False) -> View:
    """An execution: one query, unless it is known to have ended; of a workflow, its steps too. `whole` adds the version
    it ran, traceback and log."""
    drawn = graph_of_run(shown)
    return execution_of(shown, is_lost=bool(interrupted(shown._owner, [shown])), whole=whole, drawn=drawn)


def execution_of(shown: Execution, *, is_lost: bool = False, whole: bool = False, drawn: Drawn | None = None) -> View:
    """The same, where it is known whether its kernel has ended and left it behind."""
    error = shown.error
    facts: list[tuple[str, object]] = [
        ("job", shown.job),
        ("status", "interrupted" if is_lost else shown.status.value),
        ("queue", shown.queue),
        ("attempt", shown.attempt),
        ("created", shown.created_at),
    ]
    facts += [(label, at) for label, at in (("started", shown.started_at), ("finished", shown.finished_at)) if at]
    bar: list[tuple[float, str]] = []
    if shown.progress is not None and shown.status != Status.SUCCEEDED:
        facts.append(("progress", f"{shown.progress:.0%} {shown.progress_note or ''}".strip()))
        if shown.status == Status.RUNNING:
            bar.append((shown.progress, "good"))
    if error is not None:
        facts.append(("error", _short(f"{error.type}: {error.message}" if error.message else error.type)))
    texts = []
    if whole:
        if shown.version:
            facts.append(("version", shown.version))
        parts = (
            ("source", shown.source or ""),
            ("traceback", error.traceback if error else ""),
            ("log", shown.logs),
        )
        texts = [(heading, text) for heading, text in parts if text]
    return View(f"Execution {shown.id}", facts=facts, texts=texts, bar=bar, drawn=drawn)


def failures(shown: Batch, labels: Sequence[object] | None = None) -> View:
    """The executions of a batch that have failed so far, each with its traceback.

    Args:
        shown: the batch.
        labels: what to call its executions, in the order of the inputs; by default their ids.

    Raises:
        InvalidArguments: there are not as many labels as executions.
    """
    if labels is not None and len(labels) != len(shown):
        raise InvalidArguments(f"there are {len(labels):,} labels for {len(shown):,} executions")
    found = []
    for index, one in enumerate(shown):
        if one.status == "failed" and (error := one.error) is not None:
            label = one.id if labels is None else labels[index]
            found.append((f"{label}: {_short(f'{error.type}: {error.message}')}", error.traceback))
    return View(f"{len(found):,} of {counted(len(shown))} failed", folded=found)


def logs(shown: Execution) -> View:
    """What an execution printed in its last attempt."""
    text = shown.logs
    title = f"Log of {shown.id} ({shown.job}, {shown.status.value})"
    return View(title, texts=[("log", text)]) if text else View(f"{title}: nothing was printed")


def listing(found: Sequence[Execution], limit: int) -> View:
    """Executions as a table."""
    if not found:
        return View("There are no such executions.")
    lost = interrupted(found[0]._owner, found)
    return View(
        f"{counted(len(found))}, newest first" + (" (--limit N shows more)" if len(found) == limit else ""),
        columns=("id", "job", "status", "attempt", "created", "error"),
        rows=[(one.id, one.job, _status(one, lost), one.attempt, moment(one.created_at), _error(one)) for one in found],
    )


def runs(client: Client, limit: int) -> View:
    """Runs of workflows as a table, newest first."""
    known = [name for name, spec in registry.specs().items() if spec.is_workflow]
    found = client.run(list_runs(client.database, limit, known))
    if not found:
        return View("There are no runs of workflows yet.")
    return View(
        f"{counted(len(found), 'run')}, newest first" + (" (--limit N shows more)" if len(found) == limit else ""),
        columns=("id", "workflow", "status", "steps", "waits for", "created", "error"),
        rows=[
            (
                run.info.uuid,
                short(run.info.job),
                run.info.status.value,
                f"{run.finished:,} of {run.begun:,}",
                waits_text(run.waits_for),
                moment(run.info.created_at),
                _short(error_words(run.info)),
            )
            for run in found
        ],
    )


def _status(one: Execution, lost: set[Execution]) -> str:
    return "interrupted" if one in lost else one.status.value


def _error(one: Execution) -> str:
    return _short(f"{one.error.type}: {one.error.message}") if one.error is not None else ""


def _short(text: str) -> str:
    return text if len(text) <= _MESSAGE else f"{text[: _MESSAGE - 1]}…"


def jobs() -> View:
    """The jobs this kernel can run."""
    specs = [(name, spec) for name, spec in sorted(registry.specs().items()) if session_of_cell(name) is None]
    if not specs:
        return View("No job is defined in this kernel: put @job before a function.")
    return View(
        f"{len(specs):,} {'job' if len(specs) == 1 else 'jobs'} in this kernel",
        columns=("job", "kind", "queue", "priority", "retries", "timeout", "version"),
        rows=[
            (
                name,
                "async" if spec.is_async else "plain",
                spec.policy.queue,
                spec.policy.priority,
                spec.policy.retries,
                "" if spec.policy.timeout is None else f"{spec.policy.timeout:g} s",
                spec.version,
            )
            for name, spec in specs
        ],
    )
