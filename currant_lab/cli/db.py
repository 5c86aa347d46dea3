"""`currant db url | start | stop | where | psql`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from currant_lab.cli import keeper
from currant_lab.cli.base import settings_of
from currant_lab.cli.output import print_json, waiting
from currant_lab.database.embedded import EmbeddedServer
from currant_lab.database.embedded.binaries import find
from currant_lab.database.embedded.store import stores
from currant_lab.database.resolve import resolve
from currant_lab.database.url import Target, parse
from currant_lab.errors import CurrantError
from currant_lab.settings import Settings


def run_url(args: Namespace) -> int:
    """Print where the database is; never its password."""
    settings = settings_of(args)
    target = parse(settings.database) if settings.database is not None else _running(settings)
    if args.json:
        print_json({"url": str(target), "schema": settings.schema, "embedded": settings.database is None})
    else:
        print(target)
    return 0


def run_start(args: Namespace) -> int:
    """Start the embedded server, with a process that keeps it."""
    settings = settings_of(args)
    _note_url(settings)
    server = EmbeddedServer(settings.home)
    with waiting("starting the embedded server"):
        target = server.start()
        is_new = keeper.start(server)
    if args.json:
        print_json({"url": str(target), "where": str(server.where), "started": is_new})
    else:
        print(f"{target}\n{'runs' if is_new else 'was started before, and runs'} until `currant db stop`")
    return 0


def run_stop(args: Namespace) -> int:
    """Stop the embedded server; 1 while others use it."""
    settings = settings_of(args)
    _note_url(settings)
    server = EmbeddedServer(settings.home)
    was_running = server.is_running
    with waiting("stopping the embedded server"):
        keeper.stop(server)
        stopped = server.stop()
    if args.json:
        print_json({"stopped": stopped, "was_running": was_running})
    elif stopped:
        print("stopped" if was_running else "it was not running")
    if not stopped:
        raise CurrantError("notebooks, workers or other commands still use the embedded server: it stops with the last")
    return 0


def run_where(args: Namespace) -> int:
    """Print the embedded server's directory, whether it exists yet or not."""
    settings = settings_of(args)
    server = EmbeddedServer(settings.home)
    if args.json:
        print_json({"where": str(server.where), "running": server.is_running, "used": settings.database is None})
    else:
        print(server.where)
    return 0


def run_psql(args: Namespace) -> int:
    """Open psql; returns its exit code, 1 for any that isn't 0. The password goes by the environment, which other
    users can't read."""
    settings = settings_of(args)
    target, is_embedded = resolve(settings)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= target.environment()
    if is_embedded:
        environment["PGOPTIONS"] = f"-c search_path={settings.schema},public"
    # As a child rather than in this process's place: our lease keeps the server while psql is open.
    before = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is psql's, which starts with the default
    try:
        done = subprocess.run(
            [_psql(), *args.arguments],
            env=environment,
            check=False,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    return 1 if done.returncode else 0


def _psql() -> str:
    """The system's psql, which has a line editor; else the one of the embedded server's programs."""
    found = shutil.which("psql")
    if found is not None:
        return found
    own = Path(find(None).bin) / "psql"
    if not own.exists():
        raise CurrantError("there is no psql here: install the system's postgresql-client")
    return str(own)


def _running(settings: Settings) -> Target:
    """The target of the embedded server that runs."""
    for store in stores(EmbeddedServer(settings.home).home):
        target = store.target()
        if target is not None and store.answers():
            return target
    raise CurrantError("the embedded server isn't running: `currant db start` starts it")


def _note_url(settings: Settings) -> None:
    if settings.database is not None:
        print("currant: a database URL is set, so the embedded server isn't what jobs use here", file=sys.stderr)
