"""What is said to wrong words, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from currant_lab.cli import main, words
from currant_lab.cli.output import duration, one_line, plain


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "list --status done",
        "list --limit 0",
        "show 123",
        "retry",
        "pause",
        "prune",
        "prune --older-than 30",
        "prune --older-than -1d",
        "worker",
        "worker -m x --workers many",
        "worker -m x --queues a,,b",
        "worker -m x --executor cloud",
        "status --schema Upper",
        "status --jso",
        "db",
        "db drop",
        "migrate --chec",
    ],
)
def test_wrong_words_end_with_2_and_say_why(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "usage: currant" in told.err


@pytest.mark.parametrize("line", ["--help", "--version", "worker --help", "db --help", "db psql --help"])
def test_help_is_no_failure(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 0
    assert capsys.readouterr().out


def test_import_is_light() -> None:
    """Neither the package nor the parser loads what only some commands need."""
    script = (
        "import sys, currant_lab, currant_lab.cli.parser as p; p.parser();"
        "print(*[m for m in ('rich', 'asyncpg', 'IPython', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("45m", timedelta(minutes=45)),
        ("1.5min", timedelta(seconds=90)),
        ("2w", timedelta(days=14)),
        ("0s", timedelta()),
    ],
)
def test_spans(text: str, span: timedelta) -> None:
    assert words.span(text) == span


def test_text_from_elsewhere_does_not_steer_the_terminal() -> None:
    assert plain("a\x1b[31mb\rc\u202e") == "a\\x1b[31mb\\rc\\u202e"
    assert one_line("a\n  b\tc") == "a b c"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 ms"),
        (0.35, "350 ms"),
        (4.21, "4.2 s"),
        (90, "90 s"),
        (720, "12 min"),
        (12_600, "3.5 h"),
        (518_400, "6 d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
