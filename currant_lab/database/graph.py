"""What is tied to an execution by handles: the executions it waits for, those that wait for it, and theirs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

__all__ = ["MOST_TIED", "Tied", "TiedNode", "database_now", "read_tied"]

MOST_TIED = 2_000
"""Executions and batches that are read for one graph; the nearest."""

_MOST_BATCHES = 100


class TiedNode(NamedTuple):
    """An execution, or a batch that somebody waits for as a whole.

    Attributes:
        id: its own, or the batch's first.
        batch: the number of the batch; None for an execution.
        job: the name of its job; empty where nothing is left of it.
        counts: (status, how many) of a batch.
        parents: places in the list of those it waits for.
    """

    id: bytes
    batch: int | None
    job: str
    status: str
    counts: tuple[tuple[str, int], ...]
    attempt: int | None
    progress: float | None
    note: str | None
    began_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    parents: frozenset[int]


class Tied(NamedTuple):
    """A chain.

    Attributes:
        nodes: the one that was asked about is in the first.
        is_cut: there are more than were read.
    """

    nodes: list[TiedNode]
    is_cut: bool


async def database_now(database: Database) -> datetime:
    """The time by the database's clock."""
    now: datetime = await database.fetchval("doctor_clock")
    return now


async def read_tied(database: Database, id: bytes, limit: int = MOST_TIED) -> Tied:
    """The chain that an execution is part of."""
    found = await database.fetch("graph_nodes", id, limit + 1)
    rows = found[:limit]
    batches = [(row["batch"], row["id"], row["last_id"]) for row in rows if row["batch"] is not None][:_MOST_BATCHES]
    infos = await _executions(database, [row["id"] for row in rows if row["batch"] is None])
    inside = {
        own: batch for own, info in infos.items() if (batch := _batch_of(own, info["batch"], batches)) is not None
    }
    keys: list[Any] = []  # an id, or a batch, each at its place
    for row in rows:
        if row["batch"] is None:
            keys.append(inside.get(row["id"], row["id"]))
        elif (row["batch"], row["id"], row["last_id"]) in batches:
            keys.append((row["batch"], row["id"], row["last_id"]))
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    above: dict[Any, set[int]] = {key: set() for key in places}

    def add(child: Any, record: Any) -> None:
        whole = None if record["batch"] is None else (record["batch"], record["parent"], record["last_id"])
        parent = inside.get(record["parent"], record["parent"]) if whole is None else whole
        if parent in places and parent != child:
            above[child].add(places[parent])

    single = [key for key in places if isinstance(key, bytes)]
    if single:
        for record in await database.fetch("graph_edges", single):
            add(record["child"], record)
    nodes = []
    for key in places:
        if isinstance(key, bytes):
            nodes.append(_node(key, infos.get(key), frozenset(above[key])))
            continue
        for record in await database.fetch("graph_batch_edges", *key, limit):
            add(key, record)
        nodes.append(_batch_node(key, await database.fetch("graph_batch", *key), frozenset(above[key])))
    return Tied(nodes, len(found) > limit)


async def _executions(database: Database, ids: Sequence[bytes]) -> dict[bytes, Any]:
    records = await database.fetch("graph_executions", ids, min(ids), max(ids))
    return {record["id"]: record for record in records}


def _batch_of(id: bytes, batch: int | None, batches: Sequence[tuple[int, bytes, bytes]]) -> Any:
    return next((one for one in batches if one[0] == batch and one[1] <= id <= one[2]), None)


def _node(id: bytes, info: Any, parents: frozenset[int]) -> TiedNode:
    if info is None:
        return TiedNode(id, None, "", "unknown", (), None, None, "removed", None, None, None, parents)
    note = ": ".join(filter(None, (info["error_type"], info["note"])))
    return TiedNode(
        id, None, info["job"], info["status"], (), info["attempt"], info["progress"], note, info["created_at"],
        info["started_at"], info["finished_at"], parents,
    )  # fmt: skip


def _batch_node(key: tuple[int, bytes, bytes], rows: Sequence[Any], parents: frozenset[int]) -> TiedNode:
    counts = tuple((row["status"], row["count"]) for row in rows)
    job = rows[0]["job"] if rows else ""
    begun = [row["began_at"] for row in rows]
    started = [row["started_at"] for row in rows if row["started_at"] is not None]
    ended = [row["ended_at"] for row in rows]
    is_over = bool(rows) and all(at is not None for at in ended)
    return TiedNode(
        key[1], key[0], job, "", counts, None, None, None, min(begun, default=None), min(started, default=None),
        max(ended) if is_over else None, parents,
    )  # fmt: skip
