"""One execution, told in lines: its story, and the texts that belong to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from currant_lab.status import FINAL, Status
from currant_tui.drawing.executions import bar, status_piece, took
from currant_tui.drawing.formats import age, micros
from currant_tui.drawing.lines import Line
from currant_tui.safe import paragraph, plain

if TYPE_CHECKING:
    from currant_lab.watch.detail import Attempt, Detail, Shown
    from currant_lab.watch.rows import ExecutionInfo

__all__ = [
    "PANES", "Pane", "attempt_line", "fact", "is_cancelling", "lines_of", "moment", "text_of",
    "traceback_lines",
]  # fmt: skip

Pane = Literal["Story", "Arguments", "Result", "Traceback", "Logs", "Source"]

PANES: tuple[Pane, ...] = ("Story", "Arguments", "Result", "Traceback", "Logs", "Source")

_LONGEST = 16 * 2**20
_LABEL = 11


def lines_of(detail: Detail, pane: Pane) -> tuple[Line, ...]:
    """What a pane shows."""
    if pane == "Story":
        return tuple(_story(detail))
    shown = text_of(detail, pane)
    if not shown:
        return ([(_nothing(detail, pane), "muted")],)
    if pane == "Traceback":
        return traceback_lines(shown)
    lines: list[Line] = [[(line, "")] for line in shown.split("\n")]
    if pane == "Source":
        wide = len(str(len(lines)))
        lines = [[(f"{number:>{wide}}  ", "muted"), *line] for number, line in enumerate(lines, 1)]
    return tuple(lines + _cut(detail, pane))


def text_of(detail: Detail, pane: Pane) -> str:
    """A pane's text, for the clipboard or another program: what is seen, without colours."""
    return _readable(_raw(detail, pane))


def _raw(detail: Detail, pane: Pane) -> str:
    match pane:
        case "Story":
            return "\n".join("".join(text for text, _ in line) for line in _story(detail))
        case "Traceback":
            parts = [f"attempt {one.attempt}:\n{_traceback(one)}" for one in detail.attempts if one.error is not None]
            return "\n\n".join([detail.traceback, *reversed(parts)] if detail.traceback else parts[::-1])
        case "Arguments":
            return detail.args.text
        case "Result":
            return detail.result.text if detail.result is not None else ""
        case "Logs":
            return detail.logs.text if detail.logs is not None else ""
        case "Source":
            return detail.source or ""


def _nothing(detail: Detail, pane: Pane) -> str:
    has_ended = detail.info.status in FINAL
    match pane:
        case "Result":
            return "It ended without a result." if has_ended else "It has not ended: there is no result yet."
        case "Traceback":
            return "No attempt has failed."
        case "Logs":
            return "It has printed nothing." if detail.info.attempt else "It has not started: nothing is printed yet."
        case "Source":
            return "Which version of the code it runs is known when it has ended." if not has_ended else (
                "The text of its function was not kept."
            )  # fmt: skip
        case _:
            return "Nothing."


def _cut(detail: Detail, pane: Pane) -> list[Line]:
    shown: Shown | None = {"Arguments": detail.args, "Result": detail.result, "Logs": detail.logs}.get(pane)
    if shown is None or shown.whole:
        return []
    unit = "characters" if pane == "Logs" else "bytes"
    side = "the end" if pane == "Logs" else "the beginning"
    return [[], [(f"This is {side} of {shown.size:,} {unit}; v opens all of it.", "warn")]]


def _story(detail: Detail) -> Iterator[Line]:
    info, now = detail.info, detail.now
    yield fact("status", [status_piece(info.status, cancelling=is_cancelling(info))])
    yield fact("job", [(plain(info.job, 200), "strong")])
    yield fact("queue", [(plain(info.queue, 200), ""), (f"   priority {info.priority}", "muted")])
    most = "" if info.retries is None else f" of at most {info.retries + 1}"
    rescued = f"   given back {info.rescues}x when its pool was lost" if info.rescues else ""
    yield fact("attempt", [(f"{info.attempt}{most}", ""), (rescued, "warn")])
    yield fact("submitted", moment(info.created_at, now))
    if info.due_at is not None:
        yield fact("due", moment(info.due_at, now))
    if info.started_at is not None:
        waited = info.started_at.timestamp() - max(info.created_at, info.due_at or info.created_at).timestamp()
        again = "" if info.attempt > 1 else f"   after {micros(max(waited, 0.0) * 1e6)} of waiting"
        yield fact("started", [*moment(info.started_at, now), (again, "muted")])
    if info.finished_at is not None:
        yield fact("finished", moment(info.finished_at, now))
    if ran := took(info, now):
        yield fact("ran", [(ran, "")])
    if info.progress is not None or info.progress_note:
        share = info.progress or 0.0
        yield fact("progress", [*bar(share, 20), (f" {share:.0%}  {plain(info.progress_note or '', 500)}", "")])
    if detail.pool is not None:
        yield fact("pool", [(plain(detail.pool, 300), "")])
    if detail.batch is not None:
        yield fact("batch", [(plain(detail.batch, 300), "")])
    if info.source is not None:
        yield fact("code", [(f"version {plain(info.source, 100)}", "")])
    yield fact("arguments", [(_one_line(detail.args), "")])
    if detail.result is not None:
        yield fact("result", [(_one_line(detail.result), "")])
    yield fact("id", [(str(info.uuid), "muted")])
    if info.error is not None:
        yield []
        yield [(plain(info.error.type, 300), "bad")]
        for text in _readable(info.error.message).split("\n"):
            yield [(text, "")]
    if detail.attempts:
        yield []
        yield [("Attempts before this one", "strong")]
        for attempt in detail.attempts:
            yield attempt_line(attempt)


def attempt_line(one: Attempt) -> Line:
    """An attempt before the present one."""
    start, end = _moment(one.started_at), _moment(one.finished_at)
    began = "" if start is None else f"{start.astimezone():%Y-%m-%d %H:%M:%S}"
    ran = "" if start is None or end is None else micros(max(0.0, (end - start).total_seconds()) * 1e6)
    pool = "" if one.pool is None else f"pool {one.pool}"
    line: Line = [(f"{one.attempt:>3}  ", "strong"), (f"{began:<20}", ""), (f"{ran:>7}  ", ""), (f"{pool:<9}", "muted")]
    if one.error is not None:
        line.append((f"{plain(one.error.type, 200)}: {plain(one.error.message, 500)}", "bad"))
    return line


def fact(label: str, pieces: Line) -> Line:
    """A line that begins with what it is."""
    return [(f"{label:<{_LABEL}}", "muted"), *pieces]


def moment(at: datetime, now: float) -> Line:
    """When, and how long ago."""
    ago = now - at.timestamp()
    told = f"   {age(ago)} ago" if ago >= 0 else f"   in {age(-ago)}"
    return [(f"{at.astimezone():%Y-%m-%d %H:%M:%S}", ""), (told, "muted")]


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None


def _traceback(one: Attempt) -> str:
    return "" if one.error is None else one.error.traceback or f"{one.error.type}: {one.error.message}"


def traceback_lines(text: str) -> tuple[Line, ...]:
    """A traceback, its files and its exceptions marked."""
    return tuple(_traceback_line(line) for line in text.split("\n"))


def _traceback_line(line: str) -> Line:
    if line.startswith("  File "):
        return [(line, "accent")]
    if line[:1] in (" ", "") or line.startswith(("Traceback", "attempt ")):
        return [(line, "muted" if line.strip(" ^~") == "" else "")]
    return [(line, "bad")]


def _one_line(shown: Shown) -> str:
    return plain(" ".join(shown.text[:2_000].split()), 300)


def _readable(text: str) -> str:
    return paragraph(text, _LONGEST).plain


def is_cancelling(info: ExecutionInfo) -> bool:
    """It runs, and was asked to end."""
    return info.cancelling and info.status is Status.RUNNING
