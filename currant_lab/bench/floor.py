"""The floor: the engine's own statements, driven one after the other by one bare connection of the driver.

No handlers, no pool, no retries, no lease: nothing that keeps a job's books could do less on this server.
"""

from __future__ import annotations

import time
from typing import Any

from currant_lab.bench.plan import Plan
from currant_lab.database.connect import Database, connect
from currant_lab.database.statements import statement
from currant_lab.ids import new_ids
from currant_lab.pool.engine import statements

__all__ = ["bare"]

_CLAIM = 500
_START = (-(2**31), bytes(16))
_JOB = _QUEUE = "bare"


async def bare(database: Database, plan: Plan, jobs: int) -> tuple[float, float]:
    """(seconds of submitting, seconds in all) for as many executions with the plan's sizes.

    Args:
        database: a schema with nothing in the queue `bare`.
        plan: says how they are submitted, and how large arguments and results are.
        jobs: how many.
    """
    args = b'[1,"%s",0,0]' % (b"x" * plan.payload_size) if plan.is_shaped else b"[1]"
    result = b'"%s"' % (b"x" * plan.result_size) if plan.result_size else b"1"
    writing = await connect(database.target, application_name="currant bench")
    working = await connect(database.target, application_name="currant bench")
    try:
        sql = statements(database.schema)
        await working.execute(sql["pin_settle"])
        begun = time.perf_counter()
        await (_copy if plan.enqueue == "map" else _insert)(writing, database.schema, args, jobs)
        submitted = time.perf_counter() - begun
        await _work(working, sql, result, jobs)
        return submitted, time.perf_counter() - begun
    finally:
        await writing.close()
        await working.close()


async def _copy(conn: Any, schema: str, args: bytes, jobs: int) -> None:
    await conn.copy_records_to_table(
        "executions",
        schema_name=schema,
        columns=["id", "job", "queue", "args"],
        records=((id, _JOB, _QUEUE, args) for id in new_ids(jobs)),
    )


async def _insert(conn: Any, schema: str, args: bytes, jobs: int) -> None:
    one = await conn.prepare(statement("execution_submit", schema))
    for id in new_ids(jobs):
        await one.fetch(id, _JOB, _QUEUE, 0, None, None, args)


async def _work(conn: Any, sql: dict[str, str], result: bytes, jobs: int) -> None:
    claim, settle = await conn.prepare(sql["claim"]), await conn.prepare(sql["settle_succeeded"])
    done, (rank, after) = 0, _START
    while done < jobs:
        rows = await claim.fetch([_QUEUE], [rank], [after], [_CLAIM], [_JOB], 0, True)
        if not rows:
            rank, after = _START
            continue
        rank, after = 0, max(row["id"] for row in rows)
        many = len(rows)
        await settle.fetch(
            [row["id"] for row in rows],
            [row["token"] for row in rows],
            [result] * many,
            [1] * many,
            [1] * many,
            [None] * many,
        )
        done += many
