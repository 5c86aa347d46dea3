"""A map on its way into the database: encoded in chunks, written by COPY, in one transaction."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from currant_lab.client.batch import Batch
from currant_lab.client.futures import Steps
from currant_lab.client.handles import Known
from currant_lab.client.submitter import is_passing, patiently_again
from currant_lab.database.submit import BatchWriter, Placement
from currant_lab.errors import CurrantError, DatabaseUnavailable
from currant_lab.ids import new_ids
from currant_lab.jobs import JobSpec
from currant_lab.pool.echo import echoes
from currant_lab.values import encode_args, encode_calls

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.database.connect import Database

__all__ = ["WHOLE", "MakeWriter", "map_steps"]

MakeWriter = Callable[["Database", Placement, str | None], BatchWriter]

WHOLE = (list, tuple, range, itertools.repeat)
"""Iterables whose values are there before they are asked for."""

_CHUNK = 5_000
_KEPT_ROWS = 50_000
_KEPT_BYTES = 32 * 1024 * 1024
"""Up to here a map is encoded as a whole before a transaction is opened: one that waits for a slow iterable would
hold back vacuum in the whole database, and what is kept can be written again when the connection breaks."""


def map_steps(
    client: Client,
    spec: JobSpec,
    placement: Placement,
    iterables: tuple[Iterable[Any], ...],
    name: str | None,
    make_writer: MakeWriter = BatchWriter,
) -> Steps[Batch]:
    """Submit one execution per call that `map(function, *iterables)` would make, all or none. `make_writer` makes what
    writes them, in a transaction.

    Raises:
        InvalidArguments, NotStorable: a call was refused; a note says which. Nothing was written.
        DatabaseUnavailable: nothing was written.
    """
    chunks = _encoded(client, spec, iterables)
    kept, is_all = _keep(chunks)
    if not kept and name is None:
        return Batch(client, placement, b"", name=None, number=None)
    if is_all:
        ids, number, is_whole = yield _write_kept(client, placement, name, kept, make_writer)
    else:
        writer = make_writer(client.database, placement, name)
        ids, number, is_whole = yield from _stream(client, writer, itertools.chain([kept], chunks))
    # In a named batch there may be executions that an earlier map put elsewhere.
    place = placement if name is None else Known(placement.job)
    return Batch(client, place, ids, name=name, number=number if is_whole else None)


def _encoded(client: Client, spec: JobSpec, iterables: tuple[Iterable[Any], ...]) -> Iterator[list[bytes]]:
    """Chunk after chunk. A generator may yield one object again and again and change it in between: only what is
    there as a whole is encoded many at once."""
    limit = client.payload_limit
    calls = zip(*iterables, strict=False)
    is_whole = all(isinstance(iterable, WHOLE) for iterable in iterables)
    done = 0
    while True:
        calls_now: Iterable[tuple[Any, ...]] = itertools.islice(calls, _CHUNK)
        chunk: list[bytes] | None = None
        if is_whole:
            calls_now = list(calls_now)
            chunk = encode_calls(spec, calls_now, limit)
        if chunk is None:
            chunk = _one_by_one(spec, calls_now, limit, done)
        if not chunk:
            return
        done += len(chunk)
        yield chunk


def _one_by_one(spec: JobSpec, calls: Iterable[tuple[Any, ...]], limit: int, before: int) -> list[bytes]:
    """Encode calls as they come; `before` of this map are done already."""
    encoded: list[bytes] = []
    try:
        for call in calls:
            encoded.append(encode_args(spec, call, {}, limit))  # noqa: PERF401 - the index of a refused one is told
    except CurrantError as error:
        error.add_note(f"in call {before + len(encoded)} of this map, counted from 0; nothing was submitted")
        raise
    return encoded


def _keep(chunks: Iterator[list[bytes]]) -> tuple[list[bytes], bool]:
    """(the first calls, whether these are all)."""
    kept: list[bytes] = []
    size = 0
    for chunk in chunks:
        kept += chunk
        size += sum(map(len, chunk))
        if len(kept) >= _KEPT_ROWS or size >= _KEPT_BYTES:
            return kept, False
    return kept, True


def _stream(client: Client, writer: BatchWriter, chunks: Iterator[list[bytes]]) -> Steps[tuple[bytes, int, bool]]:
    """Write chunk after chunk in one transaction, while the next is encoded."""
    yield writer.__aenter__()
    try:
        ids = bytearray()
        for chunk in chunks:
            new = new_ids(len(chunk))
            echoes.note(new)
            ids += b"".join((yield writer.write(new, chunk)))
        wake = yield writer.commit()
    except BaseException as error:  # noqa: BLE001 - an interrupt too: what was written is undone
        explained = yield _leave(writer, error)
        if not isinstance(explained, DatabaseUnavailable) or not (yield _was_committed(client, writer)):
            raise explained from None
        wake = None
    else:
        yield writer.__aexit__(None, None, None)
    yield _tell(client, wake)
    return bytes(ids), writer.batch, writer.size == len(ids) // 16


async def _leave(writer: BatchWriter, error: BaseException) -> BaseException:
    """Undo what was written; the error to raise, in words."""
    try:
        await writer.__aexit__(type(error), error, error.__traceback__)
    except CurrantError as explained:
        return explained
    return error


async def _write_kept(
    client: Client, placement: Placement, name: str | None, args: Sequence[bytes], make_writer: MakeWriter
) -> tuple[bytes, int, bool]:
    """Write a map that is held in memory; again, while the connection is lost."""
    from asyncpg import UniqueViolationError

    ids = new_ids(len(args)) if args else []
    echoes.note(ids)
    writer = make_writer(client.database, placement, name)
    patience = client.patience if writer.patience is None else writer.patience
    is_endless = patience == math.inf
    try:
        return await _write_once(client, writer, ids, args)
    except DatabaseUnavailable as error:
        if not (is_endless or is_passing(error)):
            raise
        last: Exception = error
    async for _ in patiently_again(patience):
        try:
            found = await _find_written(client, name, ids)
            return found or await _write_once(client, make_writer(client.database, placement, name), ids, args)
        except (DatabaseUnavailable, UniqueViolationError) as error:
            if isinstance(error, DatabaseUnavailable) and not (is_endless or is_passing(error)):
                raise
            last = error  # taken: the attempt before was committing just now, and the next look finds it
    raise last


async def _write_once(
    client: Client, new_writer: BatchWriter, ids: Sequence[bytes], args: Sequence[bytes]
) -> tuple[bytes, int, bool]:
    taken: list[bytes] = []
    async with new_writer as writer:
        for start in range(0, len(ids), _CHUNK):
            end = start + _CHUNK
            taken += await writer.write(ids[start:end], args[start:end])
        wake = await writer.commit()
    if wake:
        client.submitted([wake])
    return b"".join(taken), writer.batch, writer.size == len(ids)


async def _find_written(client: Client, name: str | None, ids: Sequence[bytes]) -> tuple[bytes, int, bool] | None:
    """What an attempt whose answer was lost has written, if it has. A named batch finds its own by itself."""
    number = None if name is not None or not ids else await client.database.fetchval("batch_of_part", ids[0])
    if number is None:
        return None
    client.submitted(["+"])
    return b"".join(ids), number, True


async def _was_committed(client: Client, writer: BatchWriter) -> bool:
    """Whether a commit whose answer was lost has happened all the same."""
    if not writer.is_in_doubt:
        return False
    async for _ in patiently_again(client.patience):
        with contextlib.suppress(DatabaseUnavailable):
            return bool(await client.database.fetchval("batch_size", writer.batch) == writer.size)
    return False


async def _tell(client: Client, wake: str | None) -> None:
    if wake:
        client.submitted([wake])
