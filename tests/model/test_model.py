"""The model against real SQL for a bounded time; `python -m tests.model EXAMPLES STEPS` goes on for longer."""

from __future__ import annotations

import pytest

from currant_lab.loop import background
from tests.conftest import Leased
from tests.model.running import run


@pytest.mark.timeout(120)
def test_the_books_follow_the_specification(leased: Leased) -> None:
    conn = background.run(leased.connect())
    try:
        steps = run(conn, leased.schema, examples=20, steps=40)
    finally:
        background.run(conn.close())
    assert steps > 300
