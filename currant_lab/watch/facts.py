"""How the database itself stands: sizes, dead rows, who holds vacuum back, connections, partitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import asyncpg

__all__ = ["DatabaseView", "TableView", "Transaction", "database_of"]


class TableView(msgspec.Struct, frozen=True):
    """A table or a partition: rows are estimates, bytes are with its indexes, `vacuumed_s` is since the last vacuum."""

    name: str
    rows: int
    dead: int
    bytes: int
    vacuumed_s: float | None
    is_partition: bool


class Transaction(msgspec.Struct, frozen=True):
    """Who sees the oldest rows: no vacuum removes what it may still look at. `xmin_age` in transactions."""

    pid: int
    application: str
    username: str | None
    state: str | None
    xmin_age: int
    age_s: float | None


class DatabaseView(msgspec.Struct, frozen=True):
    """`notifications` is the share (0 to 1) of the notification queue in use."""

    bytes: int
    notifications: float
    connections: int
    max_connections: int
    oldest: Transaction | None
    tables: tuple[TableView, ...]


def database_of(record: asyncpg.Record | None, tables: Sequence[asyncpg.Record]) -> DatabaseView:
    """The view that rows of `list_database` and `list_tables` say."""
    if record is None:
        raise ValueError("list_database always has one row")
    oldest = None
    if record["pid"] is not None:
        oldest = Transaction(**{name: record[name] for name in Transaction.__struct_fields__})
    return DatabaseView(
        bytes=record["bytes"],
        notifications=record["notifications"],
        connections=record["connections"],
        max_connections=record["max_connections"],
        oldest=oldest,
        tables=tuple(TableView(**dict(table)) for table in tables),
    )
