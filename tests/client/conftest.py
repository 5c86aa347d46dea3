"""A client on a leased schema, and a hand that plays the pool's part with the engine's own SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from currant_lab.client import current
from currant_lab.client.client import Client
from currant_lab.database.connect import Database, connect
from currant_lab.database.statements import in_schema
from currant_lab.loop import background
from currant_lab.outcomes import ErrorInfo, Outcome
from currant_lab.pool.engine import statements
from currant_lab.values import encode_result
from tests.client.proxy import wire
from tests.conftest import Leased

__all__ = ["FAILURE", "Hand", "client", "hand", "native", "wire"]


def native(name: str, schema: str) -> str:
    """A statement of the engine's."""
    return statements(schema)[name]


class Hand:
    """Claims and settles one execution after the other, as a pool would."""

    def __init__(self, leased: Leased, client: Client) -> None:
        self.schema = leased.schema
        self.client = client
        self.conn: Any = background.run(connect(leased.target, application_name="hand"))

    def sql(self, text: str, *args: object) -> list[Any]:
        """Any statement, `currant` standing for the schema."""
        return background.run(self.conn.fetch(in_schema(text, self.schema), *args))

    def claim(self, count: int = 1, queue: str = "default", jobs: Sequence[str] | None = None) -> list[Any]:
        known = jobs or [row["job"] for row in self.sql("SELECT DISTINCT job FROM currant.executions")]
        claim = native("claim", self.schema)
        rows = background.run(self.conn.fetch(claim, [queue], [-40_000], [bytes(16)], [count], known, 7, True))
        return sorted(rows, key=lambda row: row["id"])

    def settle(self, rows: Sequence[Any], status: str = "succeeded", value: Any = None, **more: Any) -> list[bytes]:
        """End what was claimed; `value` may be a function of the row. Tells the client only with `tell=True`."""
        tell = more.pop("tell", False)
        error = more.pop("error", None)
        outcomes = [
            Outcome(
                id=row["id"],
                token=row["token"],
                attempt=row["attempt"],
                status=status,
                result=encode_result(value(row) if callable(value) else value) if status == "succeeded" else None,
                error=error,
                run_us=1000,
                delay=more.get("delay", 0.0),
                logs=more.get("logs"),
            )
            for row in rows
        ]
        counted = background.run(self.conn.fetch(native("settle", self.schema), *_arrays(outcomes)))
        if tell:
            background.call_soon(self.client.settled, outcomes)
        return [row["id"] for row in counted]

    def finish(self, count: int = 1, **more: Any) -> list[bytes]:
        """Claim and settle."""
        return self.settle(self.claim(count), **more)

    def notify(self, payload: str = "{}") -> None:
        """An event, as pools publish them."""
        self.sql("SELECT pg_notify('currant_events', $1)", payload)


def _arrays(outcomes: Sequence[Outcome]) -> tuple[list[Any], ...]:
    return (
        [o.id for o in outcomes],
        [o.token for o in outcomes],
        [o.status for o in outcomes],
        [o.result for o in outcomes],
        [o.error.to_json() if o.error else None for o in outcomes],
        [o.run_us for o in outcomes],
        [0 for _ in outcomes],
        [o.delay for o in outcomes],
        [o.logs for o in outcomes],
        [o.source for o in outcomes],
    )


FAILURE = ErrorInfo("ValueError", "no luck", "Traceback ...\nValueError: no luck")


@pytest.fixture
def client(leased: Leased) -> Iterator[Client]:
    """The client of this process, for the length of a test."""
    database = background.run(Database.open(leased.target, leased.schema, migrate=False))
    made = Client(database)
    current.put(made)
    yield made
    current.put(None)
    made.close()


@pytest.fixture
def hand(leased: Leased, client: Client) -> Iterator[Hand]:
    made = Hand(leased, client)
    yield made
    background.run(made.conn.close())


@pytest.fixture
def any_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in this thread, as a kernel has one."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()
