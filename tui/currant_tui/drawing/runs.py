"""Runs of workflows, and the steps of one, as rows of tables: a tree on the left, when it was on the right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from currant_lab.pictures.graph_nodes import Node, label, said
from currant_tui.drawing.columns import Cell, Column, Row
from currant_tui.drawing.executions import SIGNS
from currant_tui.drawing.executions import bar as share_bar
from currant_tui.drawing.formats import age, count, micros
from currant_tui.drawing.lines import Ink, Line, Piece
from currant_tui.drawing.timeline import span_bar
from currant_tui.safe import plain

if TYPE_CHECKING:
    from currant_lab.watch.runs import RunInfo, RunTree, StepInfo

__all__ = [
    "RUNS", "STEPS", "Branch", "branches", "group_facts", "run_row", "short", "status_of", "step_facts", "step_name",
    "step_row", "waits",
]  # fmt: skip

RUNS = (
    Column("status", "status", 11),
    Column("job", "workflow", 14, stretches=True, most=28),
    Column("steps", "steps", 9, "right"),
    Column("waits", "waits for", 18, stretches=True),
    Column("age", "age", 6, "right"),
    Column("took", "took", 6, "right", rank=1),
    Column("id", "id", 13, rank=2),
)
STEPS = (
    Column("step", "step", 20, stretches=True, most=46),
    Column("status", "status", 11),
    Column("took", "took", 6, "right"),
    Column("attempt", "try", 3, "right", rank=3),
    Column("what", "what it says", 16, rank=1, stretches=True, most=40),
    Column("when", "when", 16, stretches=True),
)
_UNKNOWN: tuple[str, Ink] = ("?", "muted")
_PLAIN_KINDS = ("run", "map", "call", "now", "random", "uuid")
"""Kinds whose name says enough."""
_SHOWN_NAMES = 3
_SHOWN_FAILED = 20


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of the tree: a step of a run, or a run that is one of many of a step.

    Attributes:
        key: unique in the tree, and the same from look to look.
        run: the run that the step is of.
        step: None where the line is a run.
        lead: what stands before it.
    """

    key: str
    run: RunTree
    step: StepInfo | None
    lead: str


def short(job: object) -> str:
    """A name without its module or notebook; of a function in a function the last part."""
    name = str(job)
    return plain(name.rpartition(":")[2].rpartition(".<locals>.")[2] or name, 200)


def waits(names: tuple[str, ...]) -> str:
    """What a run waits for, in a few words."""
    counts = Counter(plain(name, 200) if name.startswith("event ") else short(name) for name in names)
    words = [f"{name} × {number}" if number > 1 else name for name, number in list(counts.items())[:_SHOWN_NAMES]]
    return ", ".join(words) + (", …" if len(counts) > _SHOWN_NAMES else "")


def run_row(run: RunInfo, now: float) -> Row:
    """A run's line of the list; `now` by the database's clock."""
    info = run.info
    end = now if info.finished_at is None else _seconds(info.finished_at, now)
    if info.error is not None:
        says: Cell = (f"{plain(info.error.type, 100)}: {plain(info.error.message, 300)}", "bad")
    elif run.due_at is not None and info.status == "waiting":
        says = ((waits(run.waits_for), ""), (f"  {_due(run.due_at, now)}", "muted"))
    else:
        says = (waits(run.waits_for), "")
    return Row(
        info.id.hex(),
        (
            status_of(info.status),
            (short(info.job), "strong"),
            (f"{count(run.finished)}/{count(run.begun)}", "" if run.begun else "muted"),
            says,
            (age(now - _seconds(info.created_at, now)), ""),
            (micros(max(end - _seconds(info.created_at, now), 0) * 1e6), ""),
            (str(info.uuid)[:13], "muted"),
        ),
        "muted" if info.status == "cancelled" else "",
    )


def branches(tree: RunTree, lead: str = "", place: str = "") -> Iterator[Branch]:
    """The tree, line by line: below a step stand those of the run that it is."""
    for at, step in enumerate(tree.steps):
        is_last = at == len(tree.steps) - 1
        key = f"{place}{step.number}"
        yield Branch(key, tree, step, lead + ("└ " if is_last else "├ "))
        below = lead + ("  " if is_last else "│ ")
        runs = tree.runs.get(step.number, [])
        if len(runs) == 1 and step.batch is None:
            yield from branches(runs[0], below, f"{key}.")
            continue
        for number, run in enumerate(runs):
            ends = number == len(runs) - 1
            yield Branch(f"{key}#{number}", run, None, below + ("└ " if ends else "├ "))
            yield from branches(run, below + ("  " if ends else "│ "), f"{key}#{number}.")


def step_row(branch: Branch, begin: float, now: float, width: int) -> Row:
    """A line of the tree; the last cell says when it was between `begin` and `now`, in `width` cells."""
    step = branch.step
    if step is None:
        info = branch.run.info
        first, last = _seconds(info.created_at, now), _end(info.finished_at, now)
        cells: tuple[Cell, ...] = (
            ((branch.lead, "muted"), (short(info.job), "")), status_of(info.status),
            (micros(max(last - first, 0) * 1e6), ""), ("", ""), ("", ""),
            span_bar(first, first, last, begin, now, width, SIGNS.get(info.status, _UNKNOWN)[1]),
        )  # fmt: skip
        return Row(branch.key, cells)
    first, last = _seconds(step.began_at, now), _last(step, now)
    waited = last if step.status in ("waiting", "pending", "scheduled") else first
    if step.started_at is not None:
        waited = _seconds(step.started_at, now)
    size = "" if step.ended is None or step.unfinished is None else f" × {step.ended + step.unfinished:,}"
    return Row(
        branch.key,
        (
            ((branch.lead, "muted"), (f"{step.number} ", "accent"), (step_name(step), "strong"), (size, "")),
            status_of(step.status),
            (micros(max(last - first, 0) * 1e6), ""),
            (str(step.attempt) if step.attempt and step.attempt > 1 else "", "warn"),
            _says(step, now),
            span_bar(first, waited, last, begin, now, width, SIGNS.get(step.status, _UNKNOWN)[1]),
        ),
    )


def step_facts(branch: Branch, now: float) -> list[Line]:
    """The step under the cursor: what it is, when it was, whose it is, and its error."""
    step, info = branch.step, branch.run.info
    of: Piece = (f"  of {short(info.job)}", "muted")
    if step is None:
        return [
            [status_of(info.status), (f"  {short(info.job)}", "strong"), ("  a run of its own", "muted")],
            _fact("run", str(info.uuid)),
        ]
    lines: list[Line] = [
        [
            status_of(step.status),
            (f"  {step.number} ", "accent"),
            (step_name(step), "strong"),
            (f"  {step.kind}", ""),
            of,
        ]
    ]
    when = f"began {age(now - _seconds(step.began_at, now))} ago"
    if (last := _last(step, now)) < now:
        when += f", took {micros(max(last - _seconds(step.began_at, now), 0) * 1e6)}"
    if step.due_at is not None and step.status == "waiting":
        when += f", {_due(step.due_at, now)}"
    if step.seen:
        when += f", after step {', '.join(map(str, step.seen[:12]))}"
    lines.append(_fact("when", when))
    if step.error is not None:
        error = f"{plain(step.error.type, 200)}: {plain(step.error.message, 2_000)}"
        lines.append([*_fact("error", "")[:1], (error, "bad")])
    if step.batch is not None:
        lines.append(_fact("batch", f"number {step.batch}"))
    elif step.child is not None:
        lines.append(_fact("execution", str(UUID(bytes=step.child))))
    elif step.kind == "event" and step.status == "waiting":
        lines.append(_fact("signal", "s sends it"))
    return lines


def group_facts(node: Node, now: float) -> list[Line]:
    """A group of steps: how many of which status, and those that failed."""
    numbers = [part.key for part in node.parts]
    lines: list[Line] = [
        [status_of(node.status), ("  ", ""), (plain(label(node), 200), "strong"), (f"  {said(node, now)}", "")],
        _fact("steps", f"{min(numbers):,} to {max(numbers):,}; Enter shows them"),
    ]
    failed = [part for part in node.parts if part.status == "failed"][:_SHOWN_FAILED]
    return lines + [
        [*_fact(f"✗ {part.key}", "")[:1], (f"{plain(part.name, 100)}: {plain(part.note, 500)}", "bad")]
        for part in failed
    ]


def _fact(of: str, words: str) -> Line:
    return [(f"{of:<11}", "muted"), (words, "")]


def step_name(step: StepInfo) -> str:
    """What it is called, and of which kind where that does not go without saying."""
    name = plain(step.name, 200) if step.kind == "event" else short(step.name)
    return name if step.kind in _PLAIN_KINDS else f"{step.kind} {name}"


def _says(step: StepInfo, now: float) -> Cell:
    if step.error is not None:
        return (f"{plain(step.error.type, 100)}: {plain(step.error.message, 300)}", "bad")
    if step.ended is not None and step.unfinished is not None and (step.unfinished or step.bad):
        done = step.ended / max(step.ended + step.unfinished, 1)
        bad = f" {count(step.bad)} bad" if step.bad else ""
        return (*share_bar(done, 6, "warn"), (f" {count(step.ended)}", ""), (bad, "bad"))
    if step.progress is not None and step.status == "running":
        note = plain(step.progress_note or "", 300)
        return (*share_bar(step.progress, 6, "warn"), (f" {step.progress:.0%} {note}", ""))
    if step.due_at is not None and step.status == "waiting":
        return (_due(step.due_at, now), "muted")
    return (plain(step.progress_note or "", 300), "muted")


def status_of(status: str) -> Piece:
    """A status as a sign and a word, one that nobody knows too."""
    sign, ink = SIGNS.get(status, _UNKNOWN)
    return f"{sign} {plain(status, 40)}", ink


def _due(at: datetime, now: float) -> str:
    left = _seconds(at, now) - now
    return f"{age(left)} left" if left > 0 else "due"


def _last(step: StepInfo, now: float) -> float:
    """The end of a step, or now: a submit is over once it is on record, a sleep when it is due, seen to or not."""
    if step.kind == "submit":
        return _seconds(step.began_at, now)
    due = _end(step.due_at, now)
    return min(due, now) if step.ended_at is None and step.kind == "sleep" else _end(step.ended_at, now)


def _end(at: datetime | None, now: float) -> float:
    return now if at is None else _seconds(at, now)


def _seconds(at: datetime, now: float) -> float:
    """Seconds since 1970; a moment that no calendar here knows is now."""
    try:
        return at.timestamp()
    except (OverflowError, ValueError):
        return now
