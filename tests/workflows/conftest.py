"""The pool's fixtures serve here too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.proxy import wire
from tests.conftest import Leased
from tests.pool.conftest import pool, signals, start
from tests.pool.worker import Books

__all__ = ["books", "pool", "signals", "start", "wire"]


@pytest.fixture
def books(leased: Leased) -> Iterator[Books]:
    """What the database says."""
    made = Books(leased)
    yield made
    made.close()
