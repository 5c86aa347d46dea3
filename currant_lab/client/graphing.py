"""Graphs and timelines of what a handle stands for: reads steps or ties, and has them drawn."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from currant_lab.client.drawing import read_spans, timeline_of
from currant_lab.database.graph import MOST_TIED, Tied, database_now, read_tied
from currant_lab.database.inspect import ExecutionInfo
from currant_lab.database.record import StepInfo, list_steps
from currant_lab.jobs import registry
from currant_lab.pictures.graph import Graph, graph
from currant_lab.pictures.graph_folding import in_order
from currant_lab.pictures.graph_nodes import Node, one_line, standing
from currant_lab.watch.steps import MOST_STEPS, StepLog, ended_at, nodes_of_steps, seconds, short

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.client.handles import Execution
    from currant_lab.pictures.base import Picture

__all__ = [
    "MOST_STEPS",
    "StepReading",
    "draw_steps",
    "ended_at",
    "error_words",
    "graph_of",
    "graph_of_run",
    "nodes_of_steps",
    "short",
    "timeline_of_run",
    "waits_text",
]

_SHOWN_WAITS = 3


def waits_text(names: Sequence[str]) -> str:
    """What a run waits for now, in a few words: `event approved`, `clean × 3, train`."""
    counts = Counter(short(name) for name in names)
    words = [f"{name} × {count}" if count > 1 else name for name, count in list(counts.items())[:_SHOWN_WAITS]]
    return one_line(", ".join(words) + (", …" if len(counts) > _SHOWN_WAITS else "")) if words else ""


def draw_steps(job: str, status: str, steps: Sequence[StepInfo], now: float, error: str = "") -> Graph:
    """The graph of a run.

    Args:
        job: the full name of the workflow.
        status: where the run stands.
        steps: in their order.
        now: seconds since 1970 by the database's clock.
        error: what it failed with, in words.
    """
    notes = [error] if error else []
    if len(steps) >= MOST_STEPS:
        notes.append(f"These are its first {MOST_STEPS:,} steps: more are not drawn.")
    return graph(f"{short(job)}, {status}", nodes_of_steps(steps), now, notes)


def graph_of(handle: Execution) -> Graph:
    """See `currant_lab.graph`."""
    return handle._owner.run(_graph(handle))


async def _graph(handle: Execution) -> Graph:
    client, own = handle._owner, handle._id
    info = await client.load(own)
    drawn = await StepReading(client, own).graph(info)
    if drawn is not None:
        return drawn
    now = (await database_now(client.database)).timestamp()
    return _draw_tied(info, await read_tied(client.database, own), now)


def error_words(info: ExecutionInfo) -> str:
    """What an execution failed with, in a line; empty where it did not."""
    return "" if info.error is None else f"{info.status}: {info.error.type}: {info.error.message}"


def _draw_tied(info: ExecutionInfo, tied: Tied, now: float) -> Graph:
    nodes = []
    for place, one in enumerate(tied.nodes):
        status = one.status or standing(status for status, _ in one.counts)
        kind = "execution" if one.batch is None else "batch"
        name = short(one.job) if one.job else str(UUID(bytes=one.id))
        nodes.append(
            Node(
                place, kind, name, status, one.parents, seconds(one.began_at), seconds(one.started_at),
                seconds(one.ended_at), one.attempt, one.progress, one.note or "", one.counts, is_asked=place == 0,
            )
        )  # fmt: skip
    try:
        nodes = in_order(nodes)
    except ValueError:  # executions of a batch that wait for others of it, through one that is not of it
        nodes = in_order([node._replace(parents=frozenset()) if node.kind == "batch" else node for node in nodes])
    notes = [f"There are more than these {MOST_TIED:,}: the nearest are drawn."] if tied.is_cut else []
    return graph(f"{short(info.job)}, {info.status}", nodes, now, notes)


def timeline_of_run(handle: Execution) -> Picture:
    """See `Execution.timeline`."""
    return handle._owner.run(_timeline(handle))


async def _timeline(handle: Execution) -> Picture:
    client, own = handle._owner, handle._id
    info = await client.load(own)
    steps = await list_steps(client.database, own, MOST_STEPS)
    if not steps:
        return timeline_of(info.job, await read_spans(client.database, [own]))
    from currant_lab.pictures.gantt import gantt

    now = (await database_now(client.database)).timestamp()
    return gantt(short(info.job), nodes_of_steps(steps), now)


class StepReading:
    """The graph of one run, read again and again.

    Attributes:
        log: its steps.
    """

    def __init__(self, client: Client, run: bytes) -> None:
        self._client = client
        self.log = StepLog(client.database, run)
        self._ahead_s: float | None = None  # the database's clock, of this machine's

    async def graph(self, info: ExecutionInfo, *, whole: bool = False) -> Graph | None:
        """The graph as it is now; None for what is no workflow, without a query where that is known here."""
        spec = registry.get(info.job)
        if spec is not None and not spec.is_workflow:
            return None
        steps = await self.log.read(whole=whole)
        if not steps and spec is None:
            return None
        if self._ahead_s is None:
            self._ahead_s = (await database_now(self._client.database)).timestamp() - time.time()
        return draw_steps(info.job, str(info.status), steps, time.time() + self._ahead_s, error_words(info))


def graph_of_run(handle: Execution) -> Graph | None:
    """The graph of a workflow's run; None for what is none."""
    return handle._owner.run(StepReading(handle._owner, handle._id).graph(handle._read()))
