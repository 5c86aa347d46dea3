"""What the commands have in common: settings, and a client for as long as one is needed."""

from __future__ import annotations

import contextlib
import logging
import sys
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from currant_lab.settings import Settings, load

if TYPE_CHECKING:
    from currant_lab.client.client import Client

__all__ = ["log_to_stderr", "opened", "settings_of"]


def settings_of(args: Namespace) -> Settings:
    """The settings in force: file < environment < these words.

    Raises:
        CurrantError: one of them makes no sense.
    """
    return load(database=args.database, schema=args.schema)


@contextlib.contextmanager
def opened(args: Namespace, *, writes: bool = False) -> Iterator[Client]:
    """A client of the database. One that only looks takes replicas, and users who may only read.

    Raises:
        DatabaseUnavailable, SchemaOutdated, SchemaTooNew: see `Database.open`.
    """
    from currant_lab.client.client import Client
    from currant_lab.database.connect import Database
    from currant_lab.database.resolve import resolve
    from currant_lab.loop import background

    settings = settings_of(args)
    target, migrate = resolve(settings)
    database = background.run(
        Database.open(
            target,
            settings.schema,
            migrate=migrate,
            application_name=f"currant {args.command}",
            read_only=not (writes or migrate),  # the embedded server is ours: there the first look makes the schema
        )
    )
    client = Client(database, payload_limit=settings.payload_limit)
    try:
        yield client
    finally:
        client.close()


def log_to_stderr(verbose: bool) -> None:
    """Show warnings, or more, unless somebody has said where logs go."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    if not verbose:
        # Its warnings are tracebacks of reconnects, which the pool tells of in a line.
        logging.getLogger("asyncpg").setLevel(logging.ERROR)
