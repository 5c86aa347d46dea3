"""One execution with all that is known of it, made readable and of a bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from currant_lab.database.inspect import ExecutionInfo
from currant_lab.outcomes import ErrorInfo
from currant_lab.status import Status

if TYPE_CHECKING:
    import asyncpg

__all__ = ["SHOWN", "Attempt", "Detail", "Shown", "detail_of", "shown_of"]

SHOWN = 64 * 1024
"""Bytes of the arguments, of the result and of the logs that a detail holds."""

_BINARY = 1
_HEADER = 5
_EXECUTION = tuple(name for name in ExecutionInfo.__struct_fields__ if name not in ("error", "status"))
_decode_error = msgspec.json.Decoder(ErrorInfo).decode


class Shown(msgspec.Struct, frozen=True):
    """Something as text, and its true size in bytes (of logs: in characters). `whole` is false when it was cut."""

    text: str
    size: int
    whole: bool


class Attempt(msgspec.Struct, frozen=True):
    """An attempt before the present one; times as ISO 8601."""

    attempt: int = 0
    pool: int | None = None
    started_at: str | None = None
    finished_at: str | None = None
    error: ErrorInfo | None = None


class Detail(msgspec.Struct, frozen=True):
    """An execution. `source` is the text of the function as it ran; `pool` says in words who holds or held it."""

    info: ExecutionInfo
    args: Shown
    result: Shown | None
    logs: Shown | None
    attempts: tuple[Attempt, ...]
    source: str | None
    batch: str | None
    pool: str | None
    now: float

    @property
    def traceback(self) -> str:
        """The traceback of how it failed, or what there is instead; empty when it did not fail."""
        error = self.info.error
        return "" if error is None else error.traceback or f"{error.type}: {error.message}"


_decode_attempts = msgspec.json.Decoder(list[Attempt]).decode


def detail_of(record: asyncpg.Record) -> Detail:
    """The detail that a row of `list_detail` says."""
    values: dict[str, Any] = {name: record[name] for name in _EXECUTION}
    error = None if record["error"] is None else _decode_error(record["error"])
    info = ExecutionInfo(**values, status=Status(record["status"]), error=error)
    logs = record["logs"]
    return Detail(
        info=info,
        args=shown_of(record["args"], record["args_size"]),
        result=None if record["result"] is None else shown_of(record["result"], record["result_size"]),
        logs=None if not logs else Shown(logs, record["logs_size"], len(logs) == record["logs_size"]),
        attempts=tuple(_decode_attempts(record["attempts"])) if record["attempts"] else (),
        source=record["code"],
        batch=record["batch_name"] or (None if info.batch is None else f"number {info.batch}"),
        pool=_pool(record),
        now=record["now"],
    )


def _pool(record: asyncpg.Record) -> str | None:
    if record["claimed_by"] is None:
        return None
    number = f"pool {record['claimed_by']}"
    return (
        f"{number}: {record['pool_name']} ({record['kind']} {record['pid']} on {record['host']})"
        if record["pid"]
        else number
    )


def shown_of(payload: bytes, size: int) -> Shown:
    """What is stored, or its beginning, as text; `size` is that of the whole."""
    whole = len(payload) == size
    if payload[:1] == bytes((_BINARY,)):
        end = _HEADER + int.from_bytes(payload[1:_HEADER], "big")
        payload = payload[_HEADER:end]
        return Shown(_indented(payload) if len(payload) == end - _HEADER else _cut(payload), size, False)
    return Shown(_indented(payload) if whole else _cut(payload), size, whole)


def _indented(payload: bytes) -> str:
    try:
        return msgspec.json.format(payload, indent=2).decode("utf-8", "replace")
    except msgspec.DecodeError:
        return _cut(payload)


def _cut(payload: bytes) -> str:
    """Text whose last character may be cut in two."""
    return payload.decode("utf-8", "ignore")
