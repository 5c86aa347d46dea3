"""Pictures of a batch: reads when its attempts ran, and has them drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from currant_lab.pictures.spans import Span

if TYPE_CHECKING:
    from currant_lab.database.connect import Database
    from currant_lab.pictures.base import Picture

__all__ = ["latency_of", "read_spans", "timeline_of"]

_PAGE = 5_000


async def read_spans(database: Database, ids: Sequence[bytes]) -> list[Span]:
    """The attempts at these executions, as far as the database keeps them: a run that its pool's death cut short is
    not among them."""
    found: list[Span] = []
    for start in range(0, len(ids), _PAGE):
        page = ids[start : start + _PAGE]
        found += [Span(*record) for record in await database.fetch("executions_spans", page, min(page), max(page))]
    return found


def timeline_of(title: str, spans: Sequence[Span]) -> Picture:
    """See `Batch.timeline`."""
    from currant_lab.pictures.timeline import timeline

    return timeline(title, spans)


def latency_of(title: str, spans: Sequence[Span]) -> Picture:
    """See `Batch.latency`."""
    from currant_lab.pictures.latency import latency

    return latency(title, spans)
