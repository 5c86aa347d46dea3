"""A batch as a data frame."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from currant_lab.database.inspect import ExecutionInfo
from currant_lab.errors import CurrantError, InvalidArguments

__all__ = ["frame_of"]

_BACKENDS = ("pandas", "polars")


def frame_of(infos: Sequence[ExecutionInfo | None], ids: Sequence[bytes], values: Sequence[Any], backend: str) -> Any:
    """A row per execution: see `Batch.to_frame`. `infos` has None where an execution was pruned.

    Raises:
        CurrantError: the library is not installed.
    """
    if backend not in _BACKENDS:
        raise InvalidArguments(f"backend is one of {', '.join(_BACKENDS)}, not {backend!r}")
    try:
        library = importlib.import_module(backend)
    except ImportError:
        extra = "'currant-lab[frames]'" if backend == "pandas" else backend
        raise CurrantError(f"to_frame needs {backend}: pip install {extra}") from None
    columns = _columns(infos, ids)
    columns |= _spread(values, columns.keys())
    return library.DataFrame(columns, strict=False) if backend == "polars" else library.DataFrame(columns)


def _columns(infos: Sequence[ExecutionInfo | None], ids: Sequence[bytes]) -> dict[str, list[Any]]:
    def column(name: str) -> list[Any]:
        return [None if info is None else getattr(info, name) for info in infos]

    return {
        "id": [str(UUID(bytes=own)) for own in ids],
        "status": ["unknown" if info is None else info.status.value for info in infos],
        "attempt": column("attempt"),
        "created_at": column("created_at"),
        "started_at": column("started_at"),
        "finished_at": column("finished_at"),
        "wait_s": [None if info is None else _seconds(_due(info), info.started_at) for info in infos],
        "run_s": [None if info is None else _seconds(info.started_at, info.finished_at) for info in infos],
        "error": [
            None if info is None or info.error is None else f"{info.error.type}: {info.error.message}" for info in infos
        ],
    }


def _due(info: ExecutionInfo) -> datetime:
    return max(info.created_at, info.due_at) if info.due_at is not None else info.created_at


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _spread(values: Sequence[Any], taken: Any) -> dict[str, list[Any]]:
    """Columns from results: one per key where all that there are are dicts, else `result`."""
    there = [value for value in values if value is not None]
    if not there or not all(isinstance(value, dict) for value in there):
        return {"result": list(values)}
    keys = dict.fromkeys(key for value in there for key in value)
    return {
        f"result_{key}" if key in taken else key: [None if value is None else value.get(key) for value in values]
        for key in keys
    }
