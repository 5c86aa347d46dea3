"""The words of `%currant`: sub-commands and flags, with argparse."""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
import sys
from typing import Any, NoReturn

from IPython.core.error import UsageError

from currant_lab.bench.flags import add_flags
from currant_lab.status import Status

__all__ = ["Told", "flags", "help_text", "known_words", "parse", "parse_cell", "split_call", "split_signal"]


class Told(Exception):
    """Help was asked for and given: there is nothing to do."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}{self._hint(message) or '.'} `{self.prog} -h` tells more")

    def _hint(self, message: str) -> str:
        """For a flag or a choice that is nearly one: which."""
        written = re.search(r"unrecognized arguments: (--?[\w-]+)|invalid choice: '([^']*)'", message)
        if written is None:
            return ""
        known = list(self._option_string_actions) if written[1] else _choices(self)
        close = difflib.get_close_matches((written[1] or written[2]).lower(), known, n=1)
        return f"; did you mean `{close[0]}`?" if close else ""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Told

    def print_help(self, file: Any = None) -> None:
        sys.stdout.write(self.format_help())


def _choices(parser: argparse.ArgumentParser) -> list[str]:
    return [str(choice) for action in parser._actions for choice in action.choices or ()]


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a whole number is expected, not {text!r}") from None


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number of seconds is expected, not {text!r}") from None


def _queues(text: str) -> tuple[str, ...]:
    return tuple(queue.strip() for queue in text.split(","))


def _build() -> tuple[_Parser, dict[str, _Parser]]:
    main = _Parser(
        prog="%currant",
        add_help=False,
        description="Durable background jobs in this notebook.",
        epilog="`%currant WORD -h` tells about one of them.",
    )
    main.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    made = main.add_subparsers(dest="word", metavar="WORD", required=True, parser_class=_Parser)
    words: dict[str, _Parser] = {}

    def word(name: str, help: str) -> _Parser:
        words[name] = made.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        return words[name]

    start = word("start", "start this kernel's pool, or show the one that runs")
    start.add_argument("--workers", type=_number, default=16, metavar="N", help="how many executions run at once (16)")
    start.add_argument("--queues", type=_queues, default=("default",), metavar="A,B", help="the queues to work on")
    start.add_argument("--database", metavar="URL", help="CURRANT_DATABASE_URL, else the embedded server")
    start.add_argument("--schema", metavar="S", help="CURRANT_SCHEMA, else currant")
    start.add_argument("--name", metavar="N", help="the namespace of this notebook's jobs; default: its own name")
    start.add_argument("--executor", choices=("thread", "process"), default="thread", help="where plain jobs run")
    start.add_argument("--loop", choices=("thread", "kernel"), default="thread", help="where async jobs run")
    start.add_argument("--echo", action="store_true", help="show what handlers print in the cell that submitted them")

    stop = word("stop", "stop the pool: what runs ends first, what waits stays in the database")
    stop.add_argument("--no-drain", action="store_true", help="cancel what runs and give it back")
    stop.add_argument("--timeout", type=_seconds, metavar="S", help="seconds to wait for what runs")

    word("status", "the pool, the queues, and what waits for code")
    word("panel", "what this kernel's pool does, live")
    look = word("tui", "a picture of the dashboard, and the command that opens it in a terminal")
    look.add_argument("--view", default="overview", metavar="V", help="the page: its name or number (overview)")
    look.add_argument("--seconds", type=_seconds, default=1.5, metavar="S", help="how long it follows before (1.5)")
    resize = word("resize", "change how many executions may run at once")
    resize.add_argument("workers", type=_number, metavar="N")
    for name, help in (("pause", "let no pool claim from a queue"), ("resume", "let a paused queue go on")):
        word(name, help).add_argument("queue", metavar="QUEUE")

    word("jobs", "the jobs that this kernel can run")
    listing = word("list", "executions, newest first")
    listing.add_argument("--status", choices=[str(status) for status in Status], metavar="S", help="its status")
    listing.add_argument("--job", metavar="J", help="a full name, or the function's")
    listing.add_argument("--queue", metavar="Q")
    listing.add_argument("--limit", type=_number, default=20, metavar="N", help="how many at most (20)")
    for name, help in (("show", "all about one execution"), ("logs", "what an execution printed")):
        word(name, help).add_argument("id", metavar="ID", help="an id, or a variable that holds the execution")
    runs = word("workflows", "runs of workflows, and what they wait for")
    runs.add_argument("--limit", type=_number, default=20, metavar="N", help="how many at most (20)")
    send = word("signal", 'send a signal to a workflow\'s run: %%currant signal run approved {"by": "ann"}')
    fork = word("fork", "begin another run of a workflow that goes on from a step")
    for one in (send, fork):
        one.add_argument("id", metavar="ID", help="an id, or a variable that holds the run")
    send.add_argument("name", metavar="NAME", help="what it is called in `currant.event(NAME)`")
    send.add_argument("value", nargs="?", default="true", metavar="JSON", help="what that returns (true)")
    fork.add_argument("--step", required=True, metavar="N", help="the first to be done anew: its number or name")
    for name, help in (("retry", "run failed or cancelled executions again"), ("cancel", "cancel executions")):
        word(name, help).add_argument("ids", nargs="+", metavar="ID", help="ids, or variables that hold executions")

    # Whether they make sense says `currant bench`, which is what runs.
    bench = word("bench", "measure how fast it is here, in a process of its own, and show the charts")
    add_flags(bench, whole=str, queues=str, span=str)
    bench.add_argument("--database", metavar="URL", help="default: the one that this kernel uses")

    submit = word("submit", "submit one execution: %%currant submit fetch('https://...')")
    submit.add_argument("--queue", metavar="Q")
    submit.add_argument("--priority", type=_number, metavar="P", help="higher ones go first")
    submit.add_argument("--delay", type=_seconds, metavar="S", help="seconds until it is due")
    submit.add_argument("--as", dest="variable", metavar="NAME", help="the variable that keeps the execution")
    submit.add_argument("--echo", action="store_true", help="show here what it prints; its log has it anyway")
    submit.add_argument("call", metavar="CALL", help="a call of a job, as Python")
    return main, words


def _build_cell() -> _Parser:
    cell = _Parser(
        prog="%%currant",
        description="Run the cell's body as one durable execution in the background, against this notebook's names.",
        epilog="Its last expression is the result. It belongs to this kernel: after a restart it is shown as "
        "interrupted, with its text, to be run again.",
    )
    cell.add_argument("--queue", metavar="Q", help="one that this kernel's pool works on")
    cell.add_argument("--priority", type=_number, metavar="P", help="higher ones go first")
    cell.add_argument("--as", dest="variable", metavar="NAME", help="the variable that keeps the execution")
    cell.add_argument("--wait", action="store_true", help="wait for the end, and show the result")
    cell.add_argument("--echo", action="store_true", help="show here what it prints; its log has it anyway")
    cell.add_argument("--again", metavar="ID", help="in place of this execution, which was interrupted")
    return cell


_main, _words = _build()
_cell = _build_cell()


def help_text() -> str:
    """What `%currant -h` shows."""
    return _main.format_help()


def parse(line: str) -> argparse.Namespace:
    """The words of a line of any sub-command but `submit`.

    Raises:
        UsageError: they make no sense; the message says which and what would.
        Told: they asked for help, which has been shown.
    """
    words = _split("%currant", line)
    if not words:
        _main.print_help()
        raise Told
    _check_word(words[0])
    return _parsed(words)


def _split(prog: str, line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{prog}: {str(error).lower()} in {line!r}") from None


def parse_cell(line: str) -> argparse.Namespace:
    """The flags behind `%%currant`; raises as `parse`."""
    return _cell.parse_args(_split("%%currant", line))


def flags(word: str | None) -> list[str]:
    """The flags of a sub-command, or of `%%currant` for None; for completion."""
    parser = _cell if word is None else _words.get(word)
    return [] if parser is None else [flag for flag in parser._option_string_actions if flag.startswith("--")]


def known_words() -> list[str]:
    """The sub-commands."""
    return list(_words)


_OPTION = re.compile(r"""(?:-h\b|--[A-Za-z-]+(?:(?:=|\s+)(?:"[^"]*"|'[^']*'|[^\s"']+))?)(?:\s+|$)""")


def split_call(rest: str) -> argparse.Namespace:
    """The options of `%currant submit` and, as it stands, the Python behind them."""
    options, call = [], rest.strip()
    while found := _OPTION.match(call):
        options += shlex.split(found.group())
        call = call[found.end() :]
    return _parsed(["submit", *options, *(["--", call] if call else [])])


_SIGNAL = re.compile(r"""([^\s-]\S*)\s+("[^"]*"|'[^']*'|[^\s"'-]\S*)\s+(.*)""")


def split_signal(rest: str) -> argparse.Namespace:
    """The words of `%currant signal`: what follows the name is JSON as it stands."""
    found = _SIGNAL.fullmatch(rest.strip())
    if found is None:
        return _parsed(["signal", *_split("%currant signal", rest)])
    id, name, value = found.groups()
    return _parsed(["signal", "--", id, *_split("%currant signal", name), value.removeprefix("'").removesuffix("'")])


def _parsed(words: list[str]) -> argparse.Namespace:
    """Parse; what is left over is told by the sub-command, which knows its own flags."""
    found, rest = _main.parse_known_args(words)
    if rest:
        _words[words[0]].error(f"unrecognized arguments: {' '.join(rest)}")
    found.given = words[1:]
    return found


def _check_word(word: str) -> None:
    if word in _words or word.startswith("-"):
        return
    close = difflib.get_close_matches(word.lower(), _words, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(_words)}"
    raise UsageError(f"%currant: there is no `{word}`; {hint}")
