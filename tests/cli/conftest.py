"""The command line as people use it: processes of their own, on a real database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from currant_lab.client.client import Client
from currant_lab.settings import Settings
from tests.conftest import Leased

JOBS = """
    import asyncio
    from currant_lab import current, job

    @job
    async def double(x: int) -> int:
        return 2 * x

    @job(queue="mail")
    def send(to: str) -> None:
        print("to", to)
        raise ValueError(f"no such mailbox: {to}")

    @job
    def held(place: str) -> str:
        '''Says that it runs, and ends when it is told to.'''
        with open(f"{place}/begun", "w") as begun:
            begun.write("x")
        with open(f"{place}/go") as go:
            return go.read()

    @job
    async def endless(place: str) -> str:
        '''Says that it runs, and never ends on its first attempt.'''
        if current().attempt == 1:
            with open(f"{place}/begun", "w") as begun:
                begun.write("x")
            await asyncio.Event().wait()
        return "ended"
"""


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """A directory with a module `my_jobs`, and commands that are run in it on the leased schema."""

    def __init__(self, leased: Leased, directory: Path) -> None:
        self.leased = leased
        self.directory = directory
        self.env = leased.env
        self.write("my_jobs", JOBS)
        for name in ("begun", "go"):
            os.mkfifo(directory / name)

    def write(self, module: str, text: str) -> None:
        (self.directory / f"{module}.py").write_text(textwrap.dedent(text))

    def __call__(self, *words: object, **env: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "currant_lab", *map(str, words)],
            env=self.env | env, cwd=self.directory, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert "Traceback (most recent" not in done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def begin(self, *words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "currant_lab", *map(str, words)],
            env=self.env, cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def wait_begun(self) -> None:
        """Wait until a handler of `held` or `endless` runs."""
        assert (self.directory / "begun").read_text() == "x"

    def let_go(self, word: str) -> None:
        """Let a handler of `held` return this."""
        (self.directory / "go").write_text(word)


@pytest.fixture
def shell(leased: Leased, tmp_path: Path) -> Shell:
    return Shell(leased, tmp_path)


@pytest.fixture
def client(leased: Leased) -> Iterator[Client]:
    opened = Client.open(Settings(database=leased.url, schema=leased.schema))
    yield opened
    opened.close()


@pytest.fixture
def submit(leased: Leased, client: Client) -> Callable[..., str]:
    """Submit as any other client of the database would; the id."""

    async def send(job: str, args: list[Any], queue: str, delay: float) -> str:
        async with client.database.acquire() as conn:
            found: bytes = await conn.fetchval(
                f"SELECT {leased.schema}.submit($1, $2, $3, 0, make_interval(secs => $4))",
                job, json.dumps(args), queue, delay,
            )  # fmt: skip
        return str(UUID(bytes=found))

    return lambda job, *args, queue="default", delay=0.0: client.run(send(job, list(args), queue, delay))


@pytest.fixture
def worker(shell: Shell) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start workers that serve when this returns, and end those that are left."""
    begun: list[subprocess.Popen[str]] = []

    def start(*words: object) -> subprocess.Popen[str]:
        process = shell.begin("worker", "-m", "my_jobs", "--json", *words)
        begun.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        assert json.loads(line)["event"] == "started"
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
