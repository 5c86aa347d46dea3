"""Fixtures for the tests of the database's own side."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Servers
from tests.database.agent import Agent
from tests.servers import Cluster, scratch_directory

_numbers = itertools.count()


@pytest.fixture
def role(servers: Servers, server: Cluster) -> Iterator[str]:
    """A user of the server with no rights but to connect."""
    name = f"r{os.getpid()}_{next(_numbers)}"

    async def run(sql: str) -> None:
        await (await servers.superuser(server.name)).execute(sql)

    servers.run(run(f"CREATE ROLE {name} LOGIN"))
    yield name
    servers.run(run(f"REVOKE ALL ON DATABASE postgres FROM {name}; DROP OWNED BY {name} CASCADE; DROP ROLE {name}"))


collect_ignore = [] if os.geteuid() == 0 else ["as_root"]
"""What only root can try: other users, file systems of its own. CI runs as root."""


@pytest.fixture(scope="session")
def made_store() -> Iterator[Path]:
    """A home with a store that was made once: a copy is there in a tenth of the time that initdb takes."""
    top = scratch_directory()
    maker = Agent(top)
    maker.start()
    maker.exit()
    yield top
    shutil.rmtree(top)


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory that any user may pass through, with a store that has run before; nothing may be left running.

    The mark `home(name)` asks for one without a store, and names the directory.
    """
    mark = request.node.get_closest_marker("home")
    top = scratch_directory()
    place = top / (mark.args[0] if mark else "home")
    if mark is None:
        subprocess.run(["cp", "-a", request.getfixturevalue("made_store"), place], check=True)
    yield place
    left = processes_of(top, patience=30)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    processes_of(top, patience=30)
    shutil.rmtree(top, ignore_errors=True)
    assert not left, f"server processes were left behind: {left}"


@pytest.fixture
def agents(home: Path) -> Iterator[Callable[..., Agent]]:
    """Makes processes that use the store at `home`; what is still there after the test is killed."""
    made: list[Agent] = []

    def make(**arguments: Any) -> Agent:
        made.append(Agent(arguments.pop("home", home), **({"grace": 0.2} | arguments)))
        return made[-1]

    yield make
    for agent in made:
        agent.kill()


def processes_of(directory: Path, *, patience: float = 0.0) -> list[int]:
    """The pids of the servers and watchers that work below a directory, once none is left or time is up."""
    deadline = time.monotonic() + patience
    while True:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                inside = (entry / "cwd").resolve().is_relative_to(directory)
            except OSError:
                continue
            if state != "Z" and (inside or (os.fsencode(directory) in words and b"agent.py" not in words)):
                found.append(int(entry.name))
        if not found or time.monotonic() >= deadline:
            return found
        time.sleep(0.02)
