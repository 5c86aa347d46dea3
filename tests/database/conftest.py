"""Fixtures for the tests of the database's own side."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.conftest import Servers
from tests.servers import Cluster

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
