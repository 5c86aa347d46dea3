"""The way to the Rust engine: the only module that imports it, with `listener`."""

from __future__ import annotations

from collections.abc import Sequence

from currant_lab._native import Claimed, Engine, News, Stats, statements
from currant_lab.database.url import Target

__all__ = ["Claimed", "Engine", "News", "Stats", "connect", "statements"]


def connect(
    target: Target,
    *,
    schema: str,
    name: str,
    kind: str,
    version: str,
    queues: Sequence[str],
    jobs: Sequence[str],
    workers: int,
) -> Engine:
    """Connect an engine to `target` and register it as a pool; blocks, so call it off the loop.

    Raises:
        DatabaseUnavailable: with the real reason.
    """
    return Engine.connect(
        **target.engine_args(),
        schema=schema,
        name=name,
        kind=kind,
        version=version,
        queues=queues,
        jobs=jobs,
        workers=workers,
    )
