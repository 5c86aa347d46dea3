"""The three group roles of a schema: who submits, who works, who watches."""

from __future__ import annotations

from typing import Any

import asyncpg

from currant_lab.database.statements import statement
from currant_lab.errors import DatabaseUnavailable

__all__ = ["make_roles", "role_names"]


def role_names(schema: str) -> tuple[str, str, str]:
    """The roles of a schema: for submitting only, for pools, for looking only."""
    return f"{schema}_submit", f"{schema}_work", f"{schema}_watch"


async def make_roles(conn: Any, schema: str) -> tuple[str, str, str]:
    """Make the roles that are missing, give each its rights, and return their names. Doing it again is harmless.

    Args:
        conn: an asyncpg connection of the schema's owner, outside of a transaction.
        schema: a migrated schema.

    Raises:
        DatabaseUnavailable: this user may make no roles, or isn't the schema's owner.
    """
    names = role_names(schema)
    try:
        async with conn.transaction():
            await conn.execute(statement("roles_make", schema))
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseUnavailable(
            f"the roles {', '.join(names)} can't be made here: {error}. Run this as a superuser, or let one CREATE "
            f"ROLE them and run it again as the owner of schema {schema!r}"
        ) from None
    return names
