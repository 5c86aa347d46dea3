"""An engine on a leased schema, and waiting for its signal."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import pytest

from currant_lab._native import Claimed, Engine, Listener
from tests.conftest import Leased

T = TypeVar("T")

PATIENCE_S = 20.0


class Signalling(Protocol):
    def fileno(self) -> int: ...
    def clear(self) -> None: ...


def until(source: Signalling, ask: Callable[[], T | None]) -> T:
    """Ask again at each signal until the answer is something."""
    while True:
        source.clear()
        answer = ask()
        if answer:
            return answer
        readable, _, _ = select.select([source.fileno()], [], [], PATIENCE_S)
        assert readable, "no signal came"


def take(engine: Engine, count: int) -> list[Claimed]:
    claimed: list[Claimed] = []

    def ask() -> bool:
        claimed.extend(engine.take(count - len(claimed)))
        return len(claimed) == count

    until(engine, ask)
    return claimed


@pytest.fixture
def connect(leased: Leased) -> Iterator[Callable[..., Engine]]:
    """Connects engines, and closes them after the test."""
    engines: list[Engine] = []

    def make(**changes: Any) -> Engine:
        arguments: dict[str, Any] = {
            **leased.target.engine_args(),
            "schema": leased.schema,
            "name": "test",
            "kind": "script",
            "version": "0",
            "queues": ["default"],
            "jobs": ["m:f"],
            "workers": 10,
        }
        engines.append(Engine.connect(**arguments | changes))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close(5.0)


@pytest.fixture
def listen(leased: Leased) -> Iterator[Callable[..., Listener]]:
    listeners: list[Listener] = []

    def make(*channels: str, **changes: Any) -> Listener:
        listeners.append(Listener.connect(**leased.target.engine_args() | changes, channels=list(channels)))
        return listeners[-1]

    yield make
    for listener in listeners:
        listener.close()
