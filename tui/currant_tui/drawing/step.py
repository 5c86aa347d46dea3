"""One step of a run, told in lines: what it is, when it was, what it was given, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from currant_lab.status import FINAL
from currant_lab.watch.steps import ended_at
from currant_tui.drawing.detail import attempt_line, fact, moment, traceback_lines
from currant_tui.drawing.executions import bar
from currant_tui.drawing.formats import count, micros
from currant_tui.drawing.lines import Line
from currant_tui.drawing.runs import status_of, step_name
from currant_tui.safe import paragraph, plain

if TYPE_CHECKING:
    from currant_lab.watch.detail import Shown
    from currant_lab.watch.runs import StepDetail, StepInfo

__all__ = ["step_lines"]

_SHOWN_LINES = 200
"""Of the arguments, and of the result: the page of the execution has all of them."""


def step_lines(detail: StepDetail, run: str, now: float) -> tuple[Line, ...]:
    """All that is known of a step of the run called `run`; `now` by the database's clock."""
    return tuple(_lines(detail, run, now))


def _lines(detail: StepDetail, run: str, now: float) -> Iterator[Line]:
    step, execution = detail.step, detail.execution
    yield fact("status", [status_of(step.status)])
    yield fact("step", [(f"{step.number} ", "accent"), (step_name(step), "strong"), (f"   of {run}", "muted")])
    yield fact("kind", [(step.kind, "")])
    if execution is not None:
        most = "" if execution.info.retries is None else f" of at most {execution.info.retries + 1}"
        yield fact("attempt", [(f"{execution.info.attempt}{most}", "warn" if execution.info.attempt > 1 else "")])
    yield fact("began", moment(step.began_at, now))
    if step.started_at is not None:
        yield fact("started", moment(step.started_at, now))
    yield from _end(step, now)
    if step.seen:
        yield fact("after", [(f"step {', '.join(map(str, step.seen[:50]))}", "")])
    if step.progress is not None and step.status == "running":
        note = plain(step.progress_note or "", 500)
        yield fact("progress", [*bar(step.progress, 20), (f" {step.progress:.0%}  {note}", "")])
    yield from _whose(step)
    if execution is not None and execution.attempts:
        yield []
        yield [("Attempts before this one", "strong")]
        yield from map(attempt_line, execution.attempts)
    if step.error is not None:
        yield []
        yield [("Error", "strong")]
        yield from traceback_lines(_text(step.error.traceback or f"{step.error.type}: {step.error.message}"))
    if execution is not None:
        yield from _payload("Arguments", execution.args)
    result = detail.result if execution is None else execution.result
    if result is not None:
        yield from _payload("Result", result)
    elif step.status == "waiting" and step.kind == "event":
        yield []
        yield [("It waits for its signal: s sends it.", "muted")]


def _end(step: StepInfo, now: float) -> Iterator[Line]:
    end = ended_at(step)
    if end is not None and step.status in FINAL:
        yield fact("ended", moment(end, now))
        yield fact("took", [(micros(max((end - step.began_at).total_seconds(), 0.0) * 1e6), "")])
    elif step.kind != "submit" and step.status not in FINAL:
        yield fact("takes", [(f"{micros(max(now - step.began_at.timestamp(), 0.0) * 1e6)} so far", "")])
    if step.due_at is not None and step.status not in FINAL:
        yield fact("ends by", moment(step.due_at, now))


def _whose(step: StepInfo) -> Iterator[Line]:
    if step.batch is not None:
        words = []
        if step.ended is not None and step.unfinished is not None:
            words = [f"   {count(step.ended)} of {count(step.ended + step.unfinished)} have ended"]
            words += [f", {count(step.bad)} not well"] if step.bad else []
        yield fact("batch", [(f"number {step.batch}", ""), ("".join(words), ""), ("   Enter lists it", "muted")])
    elif step.child is not None:
        yield fact("execution", [(str(UUID(bytes=step.child)), ""), ("   Enter opens it", "muted")])


def _payload(title: str, shown: Shown) -> Iterator[Line]:
    yield []
    yield [(title, "strong"), ("" if shown.whole else f"   the beginning of {shown.size:,} bytes", "warn")]
    lines = _text(shown.text).split("\n")
    for line in lines[:_SHOWN_LINES]:
        yield [(line, "")]
    if len(lines) > _SHOWN_LINES:
        yield [(f"… {len(lines) - _SHOWN_LINES:,} more lines", "warn")]


def _text(text: str) -> str:
    return paragraph(text, 64 * 1024).plain
