"""What a person or a program sees: tables, JSON, and a sign of life while one waits."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "ago",
    "console",
    "duration",
    "moment",
    "one_line",
    "plain",
    "print_json",
    "print_table",
    "show_table",
    "status_text",
    "waiting",
]

_PIPE_WIDTH = 10_000
"""Columns where nobody looks: a table in a pipe is cut nowhere."""


def console(*, stderr: bool = False) -> Console:
    """A console that takes all text as it is: names from the database are no markup."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def plain(text: object) -> str:
    """Text from elsewhere with its control characters escaped: they would steer the terminal."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else letter.encode("unicode_escape").decode()
        for letter in str(text)
    )


def one_line(text: str) -> str:
    """The same on one line."""
    return plain(" ".join(text.split()))


def print_json(value: Any) -> None:
    """Write a value as indented JSON in UTF-8; times as ISO 8601, ids as text."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    print(text)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table without lines. A column that begins with `>` is one of numbers; only those that begin with `~` are cut
    where the terminal is too narrow."""
    from rich.table import Table
    from rich.text import Text

    texts = [
        [cell if isinstance(cell, Text) else Text(plain("" if cell is None else cell)) for cell in row] for row in rows
    ]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, name in enumerate(columns):
        widest = max((row[number].cell_len for row in texts), default=0)
        table.add_column(
            name.lstrip(">~"),
            justify="right" if name.startswith(">") else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=None if name.startswith("~") else max(widest, len(name.lstrip(">"))),
        )
    for row in texts:
        table.add_row(*row)
    print_table(table)


def print_table(table: Any) -> None:
    """Write a rich table; in a pipe without the spaces that fill its last column."""
    out = console()
    if sys.stdout.isatty():
        out.print(table)
        return
    with out.capture() as written:
        out.print(table)
    print("\n".join(line.rstrip() for line in written.get().splitlines()))


def status_text(status: str) -> Any:
    """A status in its colour."""
    from rich.text import Text

    colours = {"succeeded": "green", "failed": "red", "running": "cyan", "cancelled": "yellow", "pending": ""}
    return Text(status, style=colours.get(status, "dim"))


@contextlib.contextmanager
def waiting(what: str) -> Iterator[Any]:
    """A spinner with the time it has taken, on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        progress.add_task(plain(what), total=None)
        yield progress


def duration(seconds: float) -> str:
    """As `350 ms`, `4.2 s`, `12 min`, `3.5 h`, `6 d`."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def ago(then: datetime | None) -> str:
    """How long ago, by this machine's clock."""
    return "" if then is None else duration((datetime.now(UTC) - then).total_seconds())


def moment(then: datetime | None) -> str:
    """A moment in this machine's time."""
    return "" if then is None else then.astimezone().strftime("%Y-%m-%d %H:%M:%S")
