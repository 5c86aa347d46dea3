"""`currant workflows | show --tree | signal | fork`."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from currant_lab.cli.base import opened
from currant_lab.cli.output import ago, duration, moment, one_line, plain, print_json, show_table, status_text
from currant_lab.client.graphing import ended_at, short, waits_text
from currant_lab.client.handles import Execution
from currant_lab.database.inspect import ExecutionInfo
from currant_lab.database.record import StepInfo
from currant_lab.database.runs import MOST_IN_TREE, RunInfo, RunTree, list_runs, read_tree
from currant_lab.pictures.graph_nodes import SIGNS, tally

_FOLDED = 6
"""So many steps of one name in a row are one line."""


def run_workflows(args: Namespace) -> int:
    """List runs of workflows, newest first."""
    with opened(args) as client:
        found = client.run(list_runs(client.database, args.limit))
    if args.json:
        print_json([_summary(run) for run in found])
    elif found:
        columns = ("id", "~job", "status", ">steps", "~waits for", ">age")
        show_table(columns, [_row(run) for run in found])
    else:
        print("there are no runs of workflows yet")
    return 0


def _summary(run: RunInfo) -> dict[str, Any]:
    info = run.info
    return {
        "id": info.uuid, "job": info.job, "status": info.status, "done": run.finished, "begun": run.begun,
        "waits_for": run.waits_for, "due_at": run.due_at, "created_at": info.created_at,
        "finished_at": info.finished_at, "error": _error(info) or None,
    }  # fmt: skip


def _row(run: RunInfo) -> tuple[object, ...]:
    info = run.info
    now = waits_text(run.waits_for) or one_line(_error(info))[:200]
    return (
        info.uuid,
        short(info.job),
        status_text(info.status),
        f"{run.finished}/{run.begun}",
        now,
        ago(info.created_at),
    )


def _error(info: ExecutionInfo) -> str:
    return "" if info.error is None else f"{info.error.type}: {info.error.message}"


def run_tree(args: Namespace) -> int:
    """Show the steps of a run, and of the runs that it has begun, as a tree."""
    with opened(args) as client:
        tree = client.run(_tree(client, args.id))
    if args.json:
        print_json(_nested(tree))
        return 0
    show_table(("~step", "status", ">time", "~"), list(_lines(tree)))
    if not tree.steps:
        print("it has no steps: it is no run of a workflow, or has not begun")
    if _is_cut(tree):
        print(f"there are more than these {MOST_IN_TREE:,} steps")
    return 0


async def _tree(client: Any, id: UUID) -> RunTree:
    return await read_tree(client.database, await client.load(id.bytes))


def _is_cut(tree: RunTree) -> bool:
    return tree.is_cut or any(_is_cut(one) for runs in tree.runs.values() for one in runs)


def _nested(tree: RunTree) -> dict[str, Any]:
    info = tree.info
    steps = []
    for step in tree.steps:
        whole = {name: getattr(step, name) for name in StepInfo.__struct_fields__ if name not in ("child", "batch")}
        whole["child"] = None if step.child is None or step.batch is not None else UUID(bytes=step.child)
        steps.append(whole | {"batch": step.batch, "runs": [_nested(run) for run in tree.runs.get(step.number, ())]})
    return {
        "id": info.uuid, "job": info.job, "status": info.status, "created_at": info.created_at,
        "finished_at": info.finished_at, "error": _error(info) or None, "is_cut": tree.is_cut, "steps": steps,
    }  # fmt: skip


def _lines(tree: RunTree, before: str = "", branch: str = "") -> Iterator[tuple[object, ...]]:
    info = tree.info
    head = f"{before}{branch}{_sign(info.status)} {one_line(short(info.job))}"
    began = info.started_at or info.created_at
    yield (
        head,
        status_text(info.status),
        _took(began, info.finished_at),
        f"{info.uuid} {one_line(_error(info))}".strip(),
    )
    inner = before + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
    groups = [list(group) for _, group in groupby(tree.steps, lambda step: _likeness(step, tree))]
    rows: list[list[StepInfo]] = []
    for group in groups:
        rows += [group] if len(group) >= _FOLDED else [[step] for step in group]
    for at, group in enumerate(rows):
        mark = "└─ " if at == len(rows) - 1 else "├─ "
        runs = tree.runs.get(group[0].number, [])
        yield _line(group, inner + mark)
        below = inner + ("   " if mark == "└─ " else "│  ")
        for place, run in enumerate(runs):
            yield from _lines(run, below, "└─ " if place == len(runs) - 1 else "├─ ")


def _likeness(step: StepInfo, tree: RunTree) -> tuple[object, ...]:
    return step.kind, step.name, step.number if step.number in tree.runs or step.batch is not None else None


def _line(group: Sequence[StepInfo], lead: str) -> tuple[object, ...]:
    step = group[0]
    name = short(step.name) if step.kind in ("run", "map", "call") else f"{step.kind} {short(step.name)}"
    if len(group) > 1:
        counts = Counter(one.status for one in group)
        ended = [at for one in group if (at := ended_at(one)) is not None]
        last = max(ended) if len(ended) == len(group) else None
        worst = next(status for status in ("failed", "running", "cancelled", *counts) if counts[status])
        head = f"{lead}{step.number}–{group[-1].number} {_sign(worst)} {one_line(name)} × {len(group):,}"
        return head, status_text(worst), _took(step.began_at, last), tally(counts)
    size = "" if step.ended is None or step.unfinished is None else f" × {step.ended + step.unfinished:,}"
    head = f"{lead}{step.number} {_sign(step.status)} {one_line(name)}{size}"
    return head, status_text(step.status), _took(step.began_at, ended_at(step)), _aside(step)


def _aside(step: StepInfo) -> str:
    words = []
    if step.ended is not None and step.unfinished is not None and (step.unfinished or step.bad):
        bad, running = step.bad or 0, step.running or 0
        counts = {
            "succeeded": step.ended - bad,
            "failed": bad,
            "running": running,
            "pending": step.unfinished - running,
        }
        words.append(tally(counts))
    if step.attempt is not None and step.attempt > 1:
        words.append(f"attempt {step.attempt}")
    if step.progress is not None and step.status == "running":
        words.append(f"{step.progress:.0%} {step.progress_note or ''}".strip())
    if step.due_at is not None and step.status == "waiting":
        words.append(f"until {moment(step.due_at)}")
    if step.error is not None:
        words.append(f"{step.error.type}: {step.error.message}")
    return one_line(", ".join(words))[:200]


def _sign(status: str) -> str:
    return SIGNS.get(status, "?")


def _took(began: Any, ended: Any) -> str:
    return ago(began) if ended is None else duration((ended - began).total_seconds())


def run_signal(args: Namespace) -> int:
    """Send a signal to a run of a workflow."""
    with opened(args, writes=True) as client:
        Execution(client, args.id.bytes).signal(args.name, args.value)
    if args.json:
        print_json({"id": args.id, "signal": args.name})
    else:
        print(f"sent {plain(args.name)} to {args.id}")
    return 0


def run_fork(args: Namespace) -> int:
    """Begin another run that goes on from a step of one, and print its id."""
    with opened(args, writes=True) as client:
        made = Execution(client, args.id.bytes).fork(args.step)
    if args.json:
        print_json({"id": made.id, "of": args.id, "step": args.step})
    else:
        print(made.id)
    return 0
