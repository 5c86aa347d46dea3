"""`%currant bench`: the command in a process of its own, so that neither this kernel's pool nor its cells are part of
what is measured; its report as tables and a picture."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from IPython.core.error import UsageError

from currant_lab import session
from currant_lab.bench import figures
from currant_lab.bench.charts import chart
from currant_lab.bench.plan import Report
from currant_lab.errors import CurrantError
from currant_lab.notebook.following import Drawing, Progress
from currant_lab.notebook.views import View

__all__ = ["bench"]

_ENDS_WITHIN_S = 20.0
"""After an interrupt the command still drops its schema."""


def bench(words: Sequence[str]) -> View:
    """Run `currant bench` with these words, and show what it found.

    Raises:
        UsageError: the words make no sense.
        CurrantError: the run failed, or its books were wrong.
    """
    own, rest = _own_flags(words)
    with tempfile.TemporaryDirectory(prefix="currant-bench-") as place:
        path = Path(place, "report.json")
        told = _run([*rest, "--json", str(path), "--tell"], _environment(own.database))
        if told is not None:
            raise told
        report = msgspec.json.decode(path.read_bytes(), type=Report)
        if own.json not in (None, "-"):
            Path(own.json).write_bytes(path.read_bytes())
    _show(report)
    rows = [*figures.facts(report), *figures.surroundings(report)]
    return View(figures.title(report), facts=rows, columns=figures.LATENCY_COLUMNS, rows=figures.latencies(report))


def _own_flags(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """What is not passed on: the URL, whose password other users could read there, and where the figures go."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--database")
    parser.add_argument("--json")
    return parser.parse_known_args(words)


def _environment(database: str | None) -> dict[str, str]:
    url = database or session.settings().database
    return os.environ | ({"CURRANT_DATABASE_URL": url} if url is not None else {})


def _run(words: Sequence[str], environment: dict[str, str]) -> Exception | None:
    """Run the command with its progress shown; what it ended with, if that is an error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "currant_lab", "bench", *words],
        stdin=subprocess.PIPE,  # its end is the end of the command, however this kernel ends
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # an interrupt of the kernel must not meet it twice
        text=True,
        encoding="utf-8",
    )
    with process:
        try:
            said = _follow(process)
            code = process.wait()
        except BaseException:
            _end(process)
            raise
    if code == 0:
        return None
    message = said[-1] if said else f"the command has ended with {code}"
    message = message.removeprefix("currant bench: error: ").removeprefix("currant: ")
    return UsageError(f"%currant bench: {message}") if code == 2 else CurrantError(message)


def _follow(process: subprocess.Popen[str]) -> list[str]:
    """Show the progress it tells of; the other lines that it says."""
    assert process.stderr is not None  # noqa: S101 - asked for above
    said: list[str] = []
    drawing: Drawing | None = None
    for line in process.stderr:
        try:
            what, done, total = msgspec.json.decode(line, type=tuple[str, int, int])
        except msgspec.DecodeError:
            said.append(line.strip())
            continue
        if drawing is None:
            drawing = Drawing(Progress(what, total))
        if what != drawing.state.label:
            drawing.state = Progress(what, total)
        drawing.state.done, drawing.state.total = done, total or max(done, 1)
        drawing.refresh()
    if drawing is not None:
        drawing.state.end()
        drawing.refresh(last=True)
    return said


def _end(process: subprocess.Popen[str]) -> None:
    """Let it drop its schema, then end it."""
    assert process.stdin is not None  # noqa: S101 - asked for above
    process.stdin.close()
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _show(report: Report) -> None:
    from IPython import display

    display.display(chart(report))  # type: ignore[no-untyped-call]
