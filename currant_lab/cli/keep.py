"""`currant migrate | prune`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from currant_lab.cli.base import opened, settings_of
from currant_lab.cli.output import print_json, waiting
from currant_lab.errors import SchemaOutdated


def run_migrate(args: Namespace) -> int:
    """Bring the schema up to date, or with `--check` say whether it is."""
    from currant_lab.database.resolve import resolve
    from currant_lab.loop import background

    settings = settings_of(args)
    with waiting("looking at the schema" if args.check else "migrating"):
        target, _ = resolve(settings)
        before, applied, roles, lacks = background.run(
            _migrate(target, settings.schema, check=args.check, roles=args.roles)
        )
    from currant_lab.database.migrate import LATEST

    if args.json:
        version = before if args.check else LATEST
        print_json(
            {"schema": settings.schema, "version": version, "latest": LATEST, "applied": applied, "roles": roles}
        )
    elif applied:
        print(f"schema {settings.schema} is at version {LATEST}: applied {', '.join(applied)}")
    elif lacks is None:
        print(f"schema {settings.schema} is up to date, at version {LATEST}")
    if roles and not args.json:
        submit, work, watch = roles
        print(f"roles: {submit} may submit, {work} may run a pool, {watch} may look; GRANT one to each user")
    if lacks is not None:
        raise lacks
    return 0


async def _migrate(
    target: Any, schema: str, *, check: bool, roles: bool
) -> tuple[int, list[str], tuple[str, ...], SchemaOutdated | None]:
    """(version before, names of what was applied, roles that were granted to, why a check fails)."""
    import asyncpg

    from currant_lab.database import migrate
    from currant_lab.database.connect import check_server, connect
    from currant_lab.database.reasons import CONNECTION_LOST, explain
    from currant_lab.database.roles import make_roles

    conn = None
    try:
        # Prepared statements would not survive a pooler, should one be in between.
        conn = await connect(target, application_name="currant migrate", pooled=True)
        number = conn.get_server_version()
        check_server((number.major, number.minor))
        before = await migrate.version(conn, schema)
        if not check:
            applied = await migrate.migrate(conn, schema)
            return before, applied, await make_roles(conn, schema) if roles else (), None
        try:
            migrate.compare(before, schema)
        except SchemaOutdated as lacks:
            return before, [], (), lacks
        return before, [], (), None
    except (*CONNECTION_LOST, asyncpg.PostgresError) as error:
        raise explain(error, target, schema) from None
    finally:
        if conn is not None:
            await conn.close(timeout=2)


def run_prune(args: Namespace) -> int:
    """Remove the executions that finished longer ago than was said."""
    with opened(args, writes=True) as client, waiting("pruning"):
        done = client.prune(args.older_than)
    if args.json:
        print_json(done)
    else:
        print(
            f"removed {done.executions:,} executions, {done.partitions} whole partitions among them, "
            f"and {done.batches:,} empty batches"
        )
    return 0
