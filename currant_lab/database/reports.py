"""What a pool writes beside the engine: the progress of running executions, and the source of what it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from currant_lab.database.connect import Database

__all__ = ["ProgressReport", "record_source", "report_progress"]


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """What one running execution says: share done (0 to 1), a note, its log so far. None: no news."""

    id: bytes
    token: int
    progress: float | None
    note: str | None
    logs: str | None


async def report_progress(database: Database, reports: Sequence[ProgressReport]) -> None:
    """Write the reports of one pool in one statement; those that lost their claim are passed over."""
    await database.execute(
        "report_progress",
        [report.id for report in reports],
        [report.token for report in reports],
        [report.progress for report in reports],
        [report.note for report in reports],
        [report.logs for report in reports],
    )


async def record_source(database: Database, version: str, job: str, source: str) -> None:
    """Keep the text of a version of a job's function, once."""
    await database.execute("record_source", version, job, source)
