"""A real pool in the tests' own process, on a leased schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import session
from currant_lab.client import current
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import Signals


@pytest.fixture
def start(leased: Leased) -> Iterator[Callable[..., Pool]]:
    """Starts the pool of this process on the leased schema; it is stopped after the test."""

    def begin(**settings: Any) -> Pool:
        place = {"database": leased.url, "schema": leased.schema}
        return currant.start(**(place | {"name": "lab", "workers": 4} | settings))

    yield begin
    currant.stop(drain=False)
    client = current.peek()
    if client is not None:
        client.close()
    current.put(None)
    session._settings = None


@pytest.fixture
def pool(start: Callable[..., Pool]) -> Pool:
    """A pool of four workers."""
    return start()


@pytest.fixture
def signals() -> Signals:
    return Signals()
