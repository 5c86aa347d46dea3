"""Handles as arguments: what an execution waits for, read from its payload, and their results put in their places.

A handle of one execution is a part of kind `execution`, its 16 bytes; one of a batch is of kind `batch`: the batch's
number (8 bytes, big-endian, 0 for a part of a batch) and its ids in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from currant_lab.errors import InvalidArguments, NotStorable
from currant_lab.parts import BATCH, EXECUTION, from_part
from currant_lab.values import decode, parts_of

__all__ = ["MOST_BYTES", "Ties", "arrays", "reader", "ties_of", "wanted"]

MOST_BYTES = 256 * 1024 * 1024
"""What the results that one execution takes from others may have, encoded and all together."""

_BINARY = b"\x01"


class Ties(msgspec.Struct, frozen=True):
    """What an execution waits for.

    Attributes:
        one: ids of executions.
        many: (first id, last id, count) of whole batches.
    """

    one: tuple[bytes, ...] = ()
    many: tuple[tuple[bytes, bytes, int], ...] = ()


def ties_of(payload: bytes, after: Sequence[tuple[str, bytes]] = ()) -> Ties | None:
    """What the execution with these arguments waits for, with `after` in addition; None for nothing."""
    if not after and payload[:1] != _BINARY:
        return None
    found = [*after, *((kind, bytes(data)) for kind, data in parts_of(payload) if kind in (EXECUTION, BATCH))]
    one: dict[bytes, None] = {}
    many: dict[tuple[bytes, bytes, int], None] = {}
    for kind, data in found:
        ids = _ids(kind, data)
        if kind == BATCH and data[:8] != bytes(8) and ids:
            many[min(ids), max(ids), len(ids)] = None
        else:
            one |= dict.fromkeys(ids)
    return Ties(tuple(one), tuple(many)) if one or many else None


def wanted(payload: bytes) -> list[bytes]:
    """The ids of the executions whose results these arguments take."""
    if not payload.startswith(_BINARY):
        return []
    found: dict[bytes, None] = {}
    for kind, data in parts_of(payload):
        if kind in (EXECUTION, BATCH):
            found |= dict.fromkeys(_ids(kind, bytes(data)))
    return list(found)


def reader(results: Mapping[bytes, bytes]) -> Callable[[str, memoryview], Any]:
    """Reads the parts of arguments, those that are handles with the encoded results of what they stand for."""

    def value(id: bytes) -> Any:
        if id not in results:
            raise InvalidArguments(f"the result of {UUID(bytes=id)}, which this takes, is no longer in the database")
        return decode(results[id])

    def read(kind: str, data: memoryview) -> Any:
        if kind == EXECUTION:
            return value(bytes(data))
        if kind == BATCH:
            return [value(id) for id in _ids(kind, bytes(data))]
        return from_part(kind, data)

    return read


def arrays(rows: Iterable[tuple[bytes, Ties]]) -> tuple[list[Any], ...]:
    """The arguments of the SQL function `tie`: children, parents, many, firsts, lasts, sizes."""
    made: tuple[list[Any], ...] = ([], [], [], [], [], [])
    for child, ties in rows:
        for parent in ties.one:
            made[0].append(child)
            made[1].append(parent)
        for first, last, count in ties.many:
            for column, item in zip(made[2:], (child, first, last, count), strict=True):
                column.append(item)
    return made


def _ids(kind: str, data: bytes) -> list[bytes]:
    start = 8 if kind == BATCH else 0
    if (len(data) - start) % 16 or len(data) < start + (16 if kind == EXECUTION else 0):
        raise NotStorable("the stored value can't be read: a handle in it is cut short")
    return [data[place : place + 16] for place in range(start, len(data), 16)]
