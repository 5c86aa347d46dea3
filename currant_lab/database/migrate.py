"""The schema: numbered SQL files, applied in order, each in a transaction of its own, recorded in `migrations`."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import asyncpg

from currant_lab.database.statements import in_schema, statement
from currant_lab.errors import DatabaseUnavailable, SchemaOutdated, SchemaTooNew
from currant_lab.settings import check_schema

__all__ = ["LATEST", "check", "migrate", "migrations", "version"]

_DIRECTORY = Path(__file__).parent / "migrations"
_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


@functools.cache
def migrations() -> tuple[tuple[int, str, str], ...]:
    """(version, name, SQL) of every migration this code knows, in order, from 1."""
    found = []
    for path in sorted(_DIRECTORY.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise RuntimeError(f"{path} is no migration: they are named 0001_what.sql")
        found.append((int(match[1]), match[2], path.read_text(encoding="utf-8")))
    if [number for number, *_ in found] != list(range(1, len(found) + 1)):
        raise RuntimeError(f"the migrations in {_DIRECTORY} aren't numbered one by one")
    return tuple(found)


LATEST = len(list(_DIRECTORY.glob("*.sql")))
"""The version of the schema that this code needs."""


async def migrate(conn: Any, schema: str) -> list[str]:
    """Bring the schema up to `LATEST`; creates it if need be. Returns the names of the migrations applied.

    Any number of processes may do this at once: each step takes an advisory lock named after the schema, and
    looks again under it.

    Args:
        conn: an asyncpg connection outside of a transaction.
        schema: its name.

    Raises:
        SchemaTooNew: the schema is of a newer Currant.
        DatabaseUnavailable: a right is missing, or tables of somebody else are in the way.
    """
    await _refuse_quoted(conn, schema)
    applied = []
    try:
        while (name := await _step(conn, schema)) is not None:
            applied.append(name)
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseUnavailable(
            f"schema {schema!r} can't be made or changed here: {error}. Run `currant migrate` as the database's "
            f"owner, or let it GRANT CREATE ON DATABASE to this user"
        ) from None
    except (asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError, asyncpg.DuplicateFunctionError) as error:
        raise DatabaseUnavailable(
            f"schema {schema!r} holds something that isn't Currant's: {error}. Choose another with CURRANT_SCHEMA"
        ) from None
    return applied


async def check(conn: Any, schema: str) -> None:
    """Make sure that the schema is the one this code needs. One round trip.

    Raises:
        SchemaOutdated: it is missing or older: run `currant migrate`.
        SchemaTooNew: it is newer: upgrade currant-lab here.
        DatabaseUnavailable: this user may not look.
    """
    compare(await version(conn, schema), schema)


def compare(found: int, schema: str) -> None:
    """Raise what `check` raises for a schema at version `found`; 0 means that there is none."""
    if found == 0:
        raise SchemaOutdated(f"this database has no Currant schema {schema!r} yet: run `currant migrate` once")
    if found < LATEST:
        raise SchemaOutdated(
            f"schema {schema!r} is at version {found}, and this Currant needs {LATEST}: run `currant migrate`"
        )
    if found > LATEST:
        raise SchemaTooNew(
            f"schema {schema!r} is at version {found}, and this Currant knows {LATEST}: upgrade currant-lab here"
        )


async def version(conn: Any, schema: str) -> int:
    """The version the schema is at; 0 when there is none.

    Raises:
        DatabaseUnavailable: this user may not look, or the tables there are somebody else's.
    """
    try:
        found = await conn.fetchval(statement("migrations_version", schema))
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return 0
    except asyncpg.InsufficientPrivilegeError:
        raise DatabaseUnavailable(
            f"this user may not use schema {schema!r}: let its owner GRANT USAGE ON SCHEMA {schema}, and "
            f"SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema}, to it"
        ) from None
    except asyncpg.UndefinedColumnError:
        raise DatabaseUnavailable(
            f"the table {schema}.migrations isn't Currant's: choose another schema with CURRANT_SCHEMA"
        ) from None
    return int(found)


async def _refuse_quoted(conn: Any, schema: str) -> None:
    """Which words are reserved only the server knows: it differs from one version to the next."""
    if await conn.fetchval(statement("quoted", schema), check_schema(schema)) != schema:
        raise DatabaseUnavailable(f"{schema!r} can't be the schema: it is a reserved word of this PostgreSQL")


async def _step(conn: Any, schema: str) -> str | None:
    """Apply the next migration, if there is one, and return its name."""
    async with conn.transaction():
        await conn.execute(statement("migrations_lock", schema))
        if not await conn.fetchval(statement("migrations_exists", schema)):
            found = 0
            if not await conn.fetchval(statement("schema_exists", schema), schema):
                await conn.execute(statement("schema_create", schema))
        else:
            found = await version(conn, schema)
        if found >= LATEST:
            compare(found, schema)
            return None
        number, name, sql = migrations()[found]
        await conn.execute(in_schema(sql, schema))
        await conn.execute(statement("migrations_record", schema), number, name)
        return name
