"""The SQL that Python speaks: one statement per file, found by its name."""

from __future__ import annotations

import functools
import re

from currant_lab.settings import check_schema

__all__ = ["in_schema", "is_repeatable", "statement"]


_REPEATABLE = "-- repeatable"
"""A line of its own in a statement's file: running it twice does no harm, so it is retried when its
connection breaks and nobody knows whether it ran."""

_INCLUDE = re.compile(r"^-- include (\w+)$", re.MULTILINE)
"""A line that stands for the text of another file: what several statements have in common is written once."""


@functools.cache
def statement(name: str, schema: str) -> str:
    """The text of `sql/NAME.sql` for this schema.

    Raises:
        CurrantError: the schema's name may not be used.
        FileNotFoundError: there is no such statement.
    """
    return in_schema(_whole(name), schema)


@functools.cache
def is_repeatable(name: str) -> bool:
    """Whether the statement says of itself that it may run twice."""
    return _REPEATABLE in (line.strip() for line in _text(name).splitlines())


def _whole(name: str) -> str:
    """The text of a statement with its parts in their places."""
    return _INCLUDE.sub(lambda match: _whole(match[1]), _text(name))


def in_schema(sql: str, schema: str) -> str:
    """SQL text with the schema's name put where it says `currant`.

    The word stands inside longer names too (`currant_wake`), so this is a plain replacement: nothing else in an
    SQL file may contain it.
    """
    return sql.replace("currant", check_schema(schema))


@functools.cache
def _text(name: str) -> str:
    from pathlib import Path  # 5 ms of the import

    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
