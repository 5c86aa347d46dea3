"""Pools in processes of their own, with the jobs of the chaos tests, for what can't be done to one's own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from currant_lab.database.statements import in_schema
from currant_lab.loop import background
from tests.chaos.jobs import TRACE
from tests.conftest import Leased

ROOT = Path(__file__).parents[2]


class Books:
    """SQL on a leased schema, `currant` standing for its name."""

    def __init__(self, leased: Leased) -> None:
        self._schema = leased.schema
        self._conn: Any = background.run(leased.connect())

    def sql(self, text: str, *args: object) -> list[Any]:
        return list(background.run(self._conn.fetch(in_schema(text, self._schema), *args)))

    def submit(self, job: str, args: str, count: int = 1) -> list[bytes]:
        text = "SELECT currant.submit($1, $2::jsonb) AS id FROM generate_series(1, $3)"
        return [row["id"] for row in self.sql(text, f"tests.chaos.jobs:{job}", args, count)]

    def row(self, id: bytes) -> Any:
        (row,) = self.sql("SELECT * FROM currant.all_executions WHERE id = $1", id)
        return row

    def close(self) -> None:
        background.run(self._conn.close())


class Worker:
    """A `currant worker` that has started."""

    def __init__(
        self, leased: Leased, directory: Path, name: str, url: str | None = None, workers: int = 4,
        module: str = "tests.chaos.jobs",
    ) -> None:  # fmt: skip
        env = leased.env | {TRACE: str(directory / "trace"), "PYTHONPATH": str(ROOT)}
        words = ("worker", "-m", module, "--name", name, "--workers", str(workers), "--json")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "currant_lab", *words],
            env=env | ({"CURRANT_DATABASE_URL": url} if url else {}), cwd=directory, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "started" in line, line

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
