"""Passes on, once a second, what running handlers say of themselves, and each source the first time it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from currant_lab.database.connect import Database
from currant_lab.database.reports import ProgressReport, record_source, report_progress
from currant_lab.errors import CurrantError
from currant_lab.jobs import JobSpec, Registry
from currant_lab.pool.attempt import Attempt
from currant_lab.pool.describe import storable_text

__all__ = ["Reporter"]

INTERVAL_S = 1.0
MAX_SOURCE = 200_000
"""Characters of a job's source that are kept."""

_log = logging.getLogger("currant")


class Reporter:
    """Lives on the pool's loop. Sleeps while no attempt runs."""

    def __init__(self, database: Database, registry: Registry, attempts: Callable[[], list[Attempt]]) -> None:
        self._database = database
        self._registry = registry
        self._attempts = attempts
        self._recorded: set[str] = set()
        self._logged: dict[bytes, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def started(self, spec: JobSpec) -> None:
        """An attempt at this job has started."""
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._look)
        if spec.version not in self._recorded:
            self._recorded.add(spec.version)
            self._spawn(self._record(spec))

    async def close(self) -> None:
        """Report no more; what is on its way arrives first, within a second."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    def _look(self) -> None:
        self._timer = None
        attempts = self._attempts()
        if not attempts or self._closed:
            self._logged.clear()
            return
        reports = [report for attempt in attempts if (report := self._report_of(attempt)) is not None]
        if reports:
            self._spawn(report_progress(self._database, reports))
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._look)

    def _report_of(self, attempt: Attempt) -> ProgressReport | None:
        running, written = attempt.running, attempt.log.written
        has_logged = written != self._logged.get(running.id, 0)
        if running.reported and not has_logged:
            return None
        running.reported = True
        self._logged[running.id] = written
        note = None if running.progress_note is None else storable_text(running.progress_note)
        logs = attempt.log.text() if has_logged else None
        return ProgressReport(
            running.id, running.token, running.progress, note, None if logs is None else storable_text(logs)
        )

    async def _record(self, spec: JobSpec) -> None:
        source = storable_text(spec.source[:MAX_SOURCE])
        await record_source(self._database, spec.version, self._registry.name_of(spec), source)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, CurrantError):
            _log.debug("a report was not written: %s", error)  # the next second brings the newer one
        elif error is not None:
            _log.warning("a report was not written", exc_info=error)
