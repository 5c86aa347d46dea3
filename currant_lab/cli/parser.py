"""The words of `currant`. What they do is imported when they are used."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from currant_lab.bench.flags import add_flags
from currant_lab.cli import words
from currant_lab.status import Status

__all__ = ["parser"]

_EPILOG = """\
Without --database (or CURRANT_DATABASE_URL) everything is kept in an embedded PostgreSQL of your own.
A password is best kept in the environment or a passfile: other users can read a command line.
Exit codes: 0 done, 1 it failed, 2 the words were wrong.
"""


def parser() -> argparse.ArgumentParser:
    """The parser; `args.run(args)` does what was asked and returns the exit code."""
    top = argparse.ArgumentParser(
        prog="currant",
        description="Durable background jobs for notebooks, on PostgreSQL alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        parents=[_common()],
    )
    top.set_defaults(database=None, schema=None, verbose=False, json=False)
    top.add_argument("--version", action=_Version)
    commands = top.add_subparsers(dest="command", metavar="command", required=True)
    _work(commands)
    _look(commands)
    _control(commands)
    _steer(commands)
    _keep(commands)
    return top


class _Version(argparse.Action):
    """The version is read from the installed package, which takes a moment: only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from currant_lab.version import __version__

        print(f"currant {__version__}")
        parser.exit()


def _common() -> argparse.ArgumentParser:
    """What every command takes, before its name or after."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("where")
    group.add_argument("--database", metavar="URL", help="a PostgreSQL URL; default CURRANT_DATABASE_URL")
    group.add_argument("--schema", type=words.schema, help="the schema of Currant's tables; default currant")
    group.add_argument("-v", "--verbose", action="store_true", help="say more; show tracebacks")
    return common


def _command(
    commands: Any, name: str, where: str, help: str, *, json: bool = True, description: str = ""
) -> argparse.ArgumentParser:
    """A command whose function is `where`, as "module.function" of this package."""
    added: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=description or f"{help[0].upper()}{help[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        parents=[_common()],
    )
    if json:
        added.add_argument("--json", action="store_true", help="for programs")
    added.set_defaults(run=_later(where))
    return added


def _later(where: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = where.partition(".")

    def run(args: argparse.Namespace) -> int:
        done: int = getattr(importlib.import_module(f"currant_lab.cli.{module}"), function)(args)
        return done

    return run


def _work(commands: Any) -> None:
    _command(commands, "demo", "demo.run", "run the quickstart notebook from end to end", json=False)
    worker = _command(
        commands,
        "worker",
        "worker.run",
        "run a module's jobs until it is told to stop",
        description="A pool outside a notebook: imports the module from the current directory and runs its jobs.\n"
        "SIGTERM or Ctrl-C lets what runs end and stops; a second one stops at once and gives it back.",
    )
    worker.add_argument(
        "-m", "--module", action="append", required=True, metavar="MODULE", help="has the jobs; may be repeated"
    )
    worker.add_argument("--queues", type=words.queues, default=("default",), metavar="A,B", help="default: default")
    worker.add_argument("--workers", type=words.whole, default=16, metavar="N", help="how many run at once; default 16")
    worker.add_argument(
        "--executor", choices=("thread", "process"), default="thread", help="where jobs that aren't async run"
    )
    worker.add_argument("--name", help="what the pool is called; default: the module")
    bench = _command(
        commands,
        "bench",
        "bench.run",
        "measure how fast it is here, from the first submit to the last settle",
        json=False,
        description="Runs jobs that do nothing (or what you say) in a schema of its own, which is dropped again, and\n"
        "checks that each was settled once with its own result: a run that fails the check has no figures.",
    )
    add_flags(bench, whole=words.whole, queues=words.queues, span=words.span)
    bench.add_argument("--tell", action="store_true", help=argparse.SUPPRESS)  # for the notebook: progress as JSON


def _look(commands: Any) -> None:
    _command(commands, "status", "status.run", "show queues, pools, and what waits for code")
    listing = _command(commands, "list", "listing.run_list", "list executions, newest first")
    listing.add_argument(
        "filter", nargs="?", type=words.filter, metavar="FILTER", help="as 'status:failed job:fetch* age>5m \"text\"'"
    )
    listing.add_argument("--status", choices=[status.value for status in Status])
    listing.add_argument("--job", help="its full name, or the function's")
    listing.add_argument("--queue", type=words.queue)
    listing.add_argument("--limit", type=words.whole, default=20, metavar="N", help="how many at most; default 20")
    show = _command(commands, "show", "listing.run_show", "show all that is known of an execution")
    show.add_argument("id", type=words.execution, metavar="ID")
    show.add_argument("--tree", action="store_true", help="the steps of a workflow's run, and of the runs in it")
    runs = _command(commands, "workflows", "workflows.run_workflows", "list runs of workflows, and what they wait for")
    runs.add_argument("--limit", type=words.whole, default=20, metavar="N", help="how many at most; default 20")


def _control(commands: Any) -> None:
    retry = _command(commands, "retry", "control.run_retry", "run failed or cancelled executions again")
    _which(retry)
    cancel = _command(commands, "cancel", "control.run_cancel", "cancel executions that have not ended")
    _which(cancel)
    pause = _command(commands, "pause", "control.run_pause", "let nothing be started from a queue any more")
    pause.add_argument("queue", type=words.queue, metavar="QUEUE")
    resume = _command(commands, "resume", "control.run_resume", "let a paused queue go on")
    resume.add_argument("queue", type=words.queue, metavar="QUEUE")


def _steer(commands: Any) -> None:
    signal = _command(
        commands,
        "signal",
        "workflows.run_signal",
        "send a signal to a workflow's run",
        description="What the run's `currant.event(NAME)` returns, now or when it comes to it. The first one counts.",
    )
    signal.add_argument("id", type=words.execution, metavar="ID")
    signal.add_argument("name", type=words.signal, metavar="NAME")
    signal.add_argument("value", type=words.json, nargs="?", default=True, metavar="JSON", help="default: true")
    fork = _command(
        commands,
        "fork",
        "workflows.run_fork",
        "begin another run of a workflow that goes on from a step; print its id",
        description="A new run with the same arguments: what came before the step is answered from the record of this\n"
        "one, which stays as it is.",
    )
    fork.add_argument("id", type=words.execution, metavar="ID")
    fork.add_argument("--step", type=words.step, required=True, metavar="N", help="its number, or its name: the first")


def _which(command: argparse.ArgumentParser) -> None:
    """Either ids, or a filter."""
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", type=words.execution, nargs="*", default=[], metavar="ID")
    which.add_argument("--matching", type=words.filter, metavar="FILTER", help="all that this means, instead of ids")


def _keep(commands: Any) -> None:
    migrate = _command(commands, "migrate", "keep.run_migrate", "bring the schema up to date")
    how = migrate.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="change nothing; exit 1 unless it is up to date")
    how.add_argument(
        "--roles", action="store_true", help="make three group roles with least rights: SCHEMA_submit, _work, _watch"
    )
    _command(commands, "doctor", "doctor.run", "look for what is wrong, and say what to do; exit 1 if anything is")
    prune = _command(commands, "prune", "keep.run_prune", "remove what finished long ago")
    prune.add_argument(
        "--older-than",
        type=words.span,
        required=True,
        metavar="SPAN",
        help="as 30d, 12h, 45m; what runs or waits stays",
    )
    db = commands.add_parser("db", help="the database itself: url, start, stop, where, psql", parents=[_common()])
    db.set_defaults(run=_later("db.run_url"))
    parts = db.add_subparsers(dest="part", metavar="part", required=True)
    _command(parts, "url", "db.run_url", "print the database's URL, without its password")
    _command(parts, "start", "db.run_start", "start the embedded server and keep it until `currant db stop`")
    _command(parts, "stop", "db.run_stop", "stop the embedded server, unless others use it")
    _command(parts, "where", "db.run_where", "print the embedded server's directory")
    psql = _command(parts, "psql", "db.run_psql", "open psql on the database; what follows -- is for psql", json=False)
    psql.add_argument("arguments", nargs="*", metavar="-- ARGUMENT")
