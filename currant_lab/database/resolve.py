"""From settings to a database that can be connected to."""

from __future__ import annotations

from currant_lab.database.embedded import EmbeddedServer
from currant_lab.database.url import Target, parse
from currant_lab.settings import Settings

__all__ = ["resolve"]


def resolve(settings: Settings) -> tuple[Target, bool]:
    """The target, and whether the schema is migrated without asking: only on the embedded server, which is ours.

    Blocks: starts the embedded server if no URL is given and it isn't running. Call it before every connect to the
    embedded server: an earlier target may be of a server that has stopped since.

    Raises:
        DatabaseUnavailable: the URL makes no sense, or the embedded server can't start, and why.
    """
    if settings.database is not None:
        return parse(settings.database), False
    return EmbeddedServer(settings.home).start(), True
