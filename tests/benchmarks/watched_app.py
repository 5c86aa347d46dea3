"""The dashboard with gauges on it: `python -m tests.benchmarks.watched_app URL SCHEMA VIEW FILE`, in a terminal.

Appends a line of JSON a second to FILE: how late the app's loop was, its CPU and memory, every statement it ran.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TextIO

from currant_tui.app import CurrantApp
from currant_tui.view import Lab

from currant_lab.database.connect import Database
from currant_lab.settings import load
from currant_lab.watch.live import Live

_TICK_S = 0.01
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Gauges:
    """What is read off while the app runs."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._statements: list[tuple[str, float]] = []
        original = Database._run

        async def timed(database: Database, name: str, call: Callable[[Any, str], Awaitable[Any]]) -> Any:
            begun = time.perf_counter()
            try:
                return await original(database, name, call)
            finally:
                self._statements.append((name, time.perf_counter() - begun))

        Database._run = timed  # type: ignore[method-assign, assignment]

    async def read(self, app: CurrantApp) -> None:
        """Until cancelled."""
        late: list[float] = []
        told, cpu, painted = time.perf_counter(), time.process_time(), app.painted
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(_TICK_S)
            now = time.perf_counter()
            late.append(now - begun - _TICK_S)
            if now - told >= 1.0:
                line = {
                    "late_ms": max(late) * 1e3,
                    "late_p99_ms": sorted(late)[int(len(late) * 0.99)] * 1e3,
                    "cpu": (time.process_time() - cpu) / (now - told),
                    "painted": (app.painted - painted) / (now - told),
                    "rss": int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE,
                    "seconds": now - told,
                    "statements": self._statements,
                    "events": app.lab.board.state.events,
                    "waiting": app.lab.board.totals().waiting,
                    "view": app.view.id if app.view is not None else None,
                }
                print(json.dumps(line), file=self._file, flush=True)
                self._statements = []
                late.clear()
                told, cpu, painted = now, time.process_time(), app.painted


class GaugedApp(CurrantApp):
    gauges: Gauges

    def on_ready(self) -> None:
        self.run_worker(self.gauges.read(self), group="gauges")


def main(url: str, schema: str, view: str, path: str) -> int:
    with Path(path).open("a", encoding="utf-8") as file:
        live = Live(load(database=url, schema=schema))
        app = GaugedApp(Lab(live, live.settings, read_only=True), view=view)
        app.gauges = Gauges(file)
        return app.run() or 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
