"""`currant bench`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from currant_lab.bench.flags import plan_of
from currant_lab.cli.base import settings_of
from currant_lab.cli.output import console, print_json, show_table
from currant_lab.errors import InvalidArguments

if TYPE_CHECKING:
    from currant_lab.bench.plan import Report
    from currant_lab.bench.run import Progress


def run(args: Namespace) -> int:
    """Measure, and report. Raises, so that the command ends with 1 and without a figure, if the run's books are
    wrong."""
    plan, settings = plan_of(args), settings_of(args)
    for path in (args.json, args.html):
        _check_can_be_written(path)
    if args.html is not None:
        from currant_lab.bench import page  # says now, and not after the run, that matplotlib is missing

        page.check()
    from currant_lab.bench.run import measure

    if args.tell:
        threading.Thread(target=_end_with_caller, name="caller", daemon=True).start()

    with _progress(args.tell) as tell:
        report = measure(plan, settings, tell)
    if args.html is not None:
        Path(args.html).write_text(page.page(report), encoding="utf-8")
    if args.json == "-":
        print_json(report)
        return 0
    if args.json is not None:
        Path(args.json).write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    _show(report)
    return 0


def _end_with_caller() -> None:
    """Interrupt this process when the program that has asked for lines of progress closes its end, or dies."""
    with contextlib.suppress(OSError):
        while os.read(0, 1_024):  # by its number: Python's own reader would hold a lock that the exit wants
            pass
    os.kill(os.getpid(), signal.SIGINT)


def _check_can_be_written(path: str | None) -> None:
    if path is None or path == "-":
        return
    place = Path(path)
    if place.is_dir():
        raise InvalidArguments(f"{path} is a directory: name a file in it")
    if not place.absolute().parent.is_dir():
        raise InvalidArguments(f"there is no directory {place.absolute().parent} to write {place.name} to")


@contextlib.contextmanager
def _progress(tell: bool) -> Iterator[Progress]:
    """A bar on stderr where that is a terminal; lines of JSON for a program that asked for them."""
    if tell:
        yield lambda *what: print(msgspec.json.encode(what).decode(), file=sys.stderr, flush=True)
        return
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Ten redraws a second would be a part of what is measured.
    with Progress(*columns, console=console(stderr=True), transient=True, refresh_per_second=4) as progress:
        task, now = progress.add_task("start", total=None), "start"

        def show(what: str, done: int, total: int) -> None:
            nonlocal task, now
            if what != now:
                progress.remove_task(task)
                task, now = progress.add_task(what, total=total or None), what
            progress.update(task, completed=done)

        yield show


def _show(report: Report) -> None:
    from currant_lab.bench import figures

    print(f"{figures.title(report)}\n")
    show_table(("what", "~how much"), figures.facts(report))
    print()
    show_table(tuple(f">{name}" if name else "" for name in figures.LATENCY_COLUMNS), figures.latencies(report))
    print()
    show_table(("where", "~"), figures.surroundings(report))
