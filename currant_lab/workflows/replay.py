"""The record of a run while its function is called again: which step may answer when.

A function that is called again must meet the ends of its steps in the order in which it met them before. Each recorded
step says which ends the function had seen when it began it (`seen`); so before it begins the next one, exactly these
are let through. When all recorded steps have been begun again, whatever else has ended is let through, and the run
is live.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import msgspec

from currant_lab.database.record import NewStep, RecordedStep
from currant_lab.errors import CurrantError, NonDeterministic

__all__ = ["MOST_STEPS", "Replay", "Step"]

MOST_STEPS = 20_000
"""Steps that one run may have. Calling a function again that has so many takes some seconds."""


class Step(msgspec.Struct, eq=False):
    """A step that the function has begun. `row` is what the record has of it, `gate` opens when it may answer."""

    number: int
    kind: str
    name: str
    seen: tuple[int, ...]
    row: RecordedStep | None
    gate: asyncio.Future[None] | None = None
    began: float = msgspec.field(default_factory=time.monotonic)

    def entry(self) -> NewStep:
        """Itself, as it is written."""
        return NewStep(self.number, self.kind, self.name, self.seen, self.began)


class Replay:
    """Compares what a function does with its record, and lets the ends through in the recorded order.

    Attributes:
        record: its recorded steps.
        begun: how many steps the function has begun.
    """

    def __init__(self, record: Sequence[RecordedStep]) -> None:
        self.record = record
        self._gates: dict[int, asyncio.Future[None]] = {}
        self._seen: list[int] = []
        self._opening = 0  # how often gates are about to be opened
        self.begun = 0

    @property
    def is_live(self) -> bool:
        """Whether the function has come to the end of the record."""
        return self.begun >= len(self.record)

    @property
    def next_row(self) -> RecordedStep | None:
        """What the record has next, if anything."""
        return None if self.is_live else self.record[self.begun]

    def begin(self, kind: str, name: str, *, ends: bool = True) -> Step:
        """The function begins a step. With `ends` false it has an answer at once.

        Raises:
            NonDeterministic: the record has another one here.
            CurrantError: it has begun too many.
        """
        row, number = self.next_row, self.begun + 1
        if row is not None and (row.kind, row.name) != (kind, name):
            raise NonDeterministic(number, f"{row.kind} {row.name}", f"{kind} {name}")
        if number > MOST_STEPS:
            raise CurrantError(
                f"this workflow has begun {MOST_STEPS:,} steps, and no more are allowed: does a loop never end? "
                "Many calls of one job are one step with map_run(), and parts can be workflows of their own"
            )
        self.begun = number
        seen, self._seen = tuple(self._seen), []
        step = Step(number, kind, name, seen, row)
        if row is not None and ends:
            step.gate = self._gates[number] = asyncio.get_running_loop().create_future()
        self._let_through(step.gate)
        return step

    def saw(self, step: Step) -> None:
        """The function meets the end of a step now."""
        self._gates.pop(step.number, None)
        self._seen.append(step.number)

    def check_end(self) -> None:
        """The function has returned.

        Raises:
            NonDeterministic: the record has more steps than it has begun.
        """
        row = self.next_row
        if row is not None:
            raise NonDeterministic(row.number, f"{row.kind} {row.name}", None)

    def _let_through(self, own: asyncio.Future[None] | None) -> None:
        """Open the gates of what ends before the next step begins. `own` is that of the step that begins now, which its
        function does not wait at yet: where others are among them it would overtake these, so they wait for it."""
        if self.is_live:
            free, self._gates = list(self._gates.values()), {}
        else:
            free = [self._gates.pop(number) for number in self.record[self.begun].seen if number in self._gates]
        if free == [own] and not self._opening:
            _open(free)
        elif free:
            self._opening += 1
            asyncio.get_running_loop().call_soon(self._open_later, free)

    def _open_later(self, gates: Sequence[asyncio.Future[None]]) -> None:
        self._opening -= 1
        _open(gates)


def _open(gates: Sequence[asyncio.Future[None]]) -> None:
    for gate in gates:
        if not gate.done():
            gate.set_result(None)
