"""`currant status`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from currant_lab.cli.base import opened
from currant_lab.cli.output import ago, console, duration, plain, print_json, show_table
from currant_lab.database import inspect, serving
from currant_lab.database.inspect import Finished, QueueCount
from currant_lab.database.serving import PoolInfo, Waiting

if TYPE_CHECKING:
    from currant_lab.client.client import Client


def run(args: Namespace) -> int:
    """Show the queues, the pools, and what none of them can run."""
    with opened(args) as client:
        queues, pools, waits, finished = client.run(_read(client))
        where = {"database": str(client.database.target), "schema": client.database.schema}
    if args.json:
        print_json(where | _as_json(queues, pools, waits, finished))
    else:
        _show(where, queues, pools, waits, finished)
    return 0


async def _read(client: Client) -> tuple[list[QueueCount], list[PoolInfo], list[Waiting], Finished]:
    database = client.database
    pools = await serving.pools(database)
    return (
        await inspect.queues(database),
        pools,
        await serving.waiting(database, pools),
        await inspect.finished(database),
    )


def _as_json(
    queues: Sequence[QueueCount], pools: Sequence[PoolInfo], waits: Sequence[Waiting], finished: Finished
) -> dict[str, Any]:
    import msgspec

    return {
        "queues": queues,
        "pools": [msgspec.to_builtins(pool) | {"alive": pool.is_alive} for pool in pools],
        "finished": finished,
        "waiting_for_code": [one for one in waits if not one.served],
    }


def _show(
    where: dict[str, str],
    queues: Sequence[QueueCount],
    pools: Sequence[PoolInfo],
    waits: Sequence[Waiting],
    finished: Finished,
) -> None:
    from rich.text import Text

    out = console()
    out.print(Text(f"{plain(where['database'])}, schema {where['schema']}\n"), soft_wrap=True)
    if queues:
        show_table(("~queue", ">pending", ">running", ">scheduled", ""), [_queue(queue, pools) for queue in queues])
    else:
        print("nothing waits or runs")
    print()
    if pools:
        columns = (">pool", "~name", "kind", "~process", ">workers", ">holds", "~queues", ">up", "")
        show_table(columns, [_pool(pool) for pool in pools])
    else:
        print("no pool runs: currant.start() in a notebook or `currant worker -m MODULE` starts one")
    about = "" if finished.exact else "about "
    print(
        f"\nfinished: {about}{finished.succeeded:,} succeeded, {finished.failed:,} failed, "
        f"{finished.cancelled:,} cancelled"
    )
    for one in waits:
        if not one.served and any(pool.is_alive for pool in pools):
            out.print(Text(_unserved(one), style="yellow"), soft_wrap=True)


def _queue(queue: QueueCount, pools: Sequence[PoolInfo]) -> tuple[object, ...]:
    about = "" if queue.exact else "~"
    heard = any(pool.is_alive and queue.name in pool.queues for pool in pools)
    note = f"paused {ago(queue.paused_at)} ago" if queue.paused_at else ""
    if not heard and (queue.pending or queue.scheduled):
        note = f"{note}, no pool listens" if note else "no pool listens"
    return (
        queue.name,
        f"{about}{queue.pending:,}",
        f"{queue.running:,}",
        f"{about if queue.scheduled else ''}{queue.scheduled:,}",
        note,
    )


def _pool(pool: PoolInfo) -> tuple[object, ...]:
    from rich.text import Text

    state: object = "" if pool.is_alive else Text(f"gone {duration(pool.age_s)}", style="red")
    process = f"{pool.pid}@{pool.host}"
    queues = ",".join(pool.queues)
    return pool.id, pool.name, pool.kind, process, pool.workers, pool.running, queues, ago(pool.started_at), state


def _unserved(one: Waiting) -> str:
    many = f"{'' if one.exact else 'at least '}{one.count:,} wait{'s' if one.count == 1 else ''} for `{plain(one.job)}`"
    if not one.known:
        return f"{many}: no live pool has this job"
    if not one.heard:
        return f"{many} in queue {plain(one.queue)}: no live pool works on it"
    return f"{many} in queue {plain(one.queue)}: the pools that have the job work on other queues"
