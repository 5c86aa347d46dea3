"""Fixtures for all tests: real servers, and for each test a migrated schema of its own.

A test that takes `leased` runs on the embedded PostgreSQL 18; marked `both_servers`, on Debian's 15 as well.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from currant_lab.database.connect import connect
from currant_lab.database.migrate import migrate
from currant_lab.database.url import Target, parse
from tests.servers import BINARIES, Cluster

T = TypeVar("T")

_numbers = itertools.count()

# The same inputs in every run, so that what a run finds is of the change it tries and not of chance; and no clock,
# which on a busy machine measures the neighbours. `--hypothesis-profile=search` looks at random.
_NO_CLOCK: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, **_NO_CLOCK)
settings.register_profile("search", derandomize=False, **_NO_CLOCK)


@dataclass(frozen=True)
class Leased:
    """A schema of one test's own, migrated and empty, gone after the test."""

    schema: str
    target: Target
    server: Cluster

    @property
    def url(self) -> str:
        return self.target.url()

    @property
    def env(self) -> dict[str, str]:
        """The environment for a process that is to use this schema."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "CURRANT_"))}
        return kept | {"CURRANT_DATABASE_URL": self.url, "CURRANT_SCHEMA": self.schema}

    async def connect(self) -> Any:
        """A connection of the kind the code under test uses: ids are 16 bytes."""
        return await connect(self.target, application_name="test")


class Servers:
    """The clusters of this test process, started at first use."""

    def __init__(self) -> None:
        self._clusters: dict[str, Cluster] = {}
        self._connections: dict[str, Any] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="test servers", daemon=True)
        self._thread.start()

    def __getitem__(self, name: str) -> Cluster:
        if name not in self._clusters:
            self._clusters[name] = Cluster(name)
        return self._clusters[name]

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def superuser(self, name: str) -> Any:
        """This process's own connection to a server, for what surrounds the tests."""
        if name not in self._connections:
            self._connections[name] = await connect(parse(self[name].url), application_name="test surroundings")
        return self._connections[name]

    def close(self) -> None:
        for connection in self._connections.values():
            self.run(connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for cluster in self._clusters.values():
            cluster.destroy()


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("same")
    config.addinivalue_line("markers", "both_servers: runs on the embedded PostgreSQL 18 and on Debian's 15")
    config.addinivalue_line("markers", "home(name): the embedded server's home is a new directory of this name")
    for name in [name for name in os.environ if name.startswith(("PG", "CURRANT_"))]:
        del os.environ[name]  # the tests say themselves where a database is


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("both_servers") and "server_name" in metafunc.fixturenames:
        metafunc.parametrize("server_name", list(BINARIES))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    started = Servers()
    yield started
    started.close()


@pytest.fixture
def server_name() -> str:
    return "postgres18"


@pytest.fixture
def server(servers: Servers, server_name: str) -> Cluster:
    """A running server that this test shares with others: leave it as it was."""
    return servers[server_name]


@pytest.fixture
def new_schema(servers: Servers, server: Cluster) -> Iterator[Callable[[], str]]:
    """Makes names of schemas that don't exist yet, and drops them after the test."""
    made: list[str] = []

    def make() -> str:
        made.append(f"t{os.getpid()}_{next(_numbers)}")
        return made[-1]

    yield make
    for schema in made:
        servers.run(_drop(servers, server.name, schema))


@pytest.fixture
def leased(servers: Servers, server: Cluster, new_schema: Callable[[], str]) -> Leased:
    """A migrated, empty schema of this test's own."""
    schema = new_schema()

    async def make() -> None:
        await migrate(await servers.superuser(server.name), schema)

    servers.run(make())
    return Leased(schema, parse(server.url), server)


async def _drop(servers: Servers, name: str, schema: str) -> None:
    connection = await servers.superuser(name)
    try:
        await connection.execute(f"SET lock_timeout = '15s'; DROP SCHEMA IF EXISTS {schema} CASCADE")
    except asyncpg.LockNotAvailableError:
        holders = await connection.fetch(
            "SELECT pid, application_name, state, query FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        pytest.fail(f"the test has left a transaction open in its schema: {[dict(holder) for holder in holders]}")
