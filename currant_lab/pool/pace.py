"""How fast a pool worked, over its whole life, in a bounded space: what `Pool.throughput` draws.

Counted by the batch where the pool passes batches on anyway: nothing ticks while nothing happens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from currant_lab.outcomes import Outcome

__all__ = ["Pace", "Slot"]

_SLOTS = 3_600


class Slot(NamedTuple):
    """What a pool did in one step of time.

    Attributes:
        started: handlers that were started.
        succeeded, failed, cancelled: executions that ended so, once that was on disk.
        retried: attempts that failed and were to run again.
        busy_s: the seconds that its workers were busy, summed.
    """

    started: int
    succeeded: int
    failed: int
    cancelled: int
    retried: int
    busy_s: float


_STATUSES = {"succeeded": 1, "failed": 2, "cancelled": 3, "retry": 4}
_BUSY = 5
_EMPTY = (0, 0, 0, 0, 0, 0.0)


class Pace:
    """Counts per second, for an hour; then per two seconds, and so on: it holds 3,600 slots at most.

    Args:
        now: seconds by a clock that never goes back.
    """

    def __init__(self, now: float) -> None:
        self._step_s = 1
        self._begin = now
        self._slots: list[list[float]] = [list(_EMPTY)]
        self._looked = now
        self._busy = 0
        self._ended = False

    def settled(self, now: float, outcomes: Sequence[Outcome]) -> None:
        """These outcomes are on disk."""
        slot = self._slot(now)
        for status, count in Counter([outcome.status for outcome in outcomes]).items():
            slot[_STATUSES[status]] += count

    def working(self, now: float, busy: int, started: int = 0) -> None:
        """So many handlers have just been started, and from now on so many workers are busy."""
        was, self._busy = self._busy, busy
        since, self._looked = self._looked, max(now, self._looked)
        if not (was or started):
            return
        self._slot(now)[0] += started  # now all slots up to this moment are there
        while was and since < now:
            index = int((since - self._begin) // self._step_s)
            end = min(self._begin + (index + 1) * self._step_s, now)
            self._slots[min(index, len(self._slots) - 1)][_BUSY] += was * (end - since)
            since = end if end > since else now

    def end(self, now: float) -> None:
        """The pool has stopped: time stops here."""
        self.working(now, 0)
        self._slot(now)
        self._ended = True

    def read(self, now: float) -> tuple[list[Slot], int]:
        """All of it so far, without gaps, and the seconds of a slot. The last one is of the time that still runs."""
        if not self._ended:
            self.working(now, self._busy)
            self._slot(now)
        return [Slot._make([*map(int, slot[:_BUSY]), slot[_BUSY]]) for slot in self._slots], self._step_s

    def _slot(self, now: float) -> list[float]:
        """The slot of this time; a time before the last slot's counts there."""
        index = int((now - self._begin) // self._step_s)
        while index >= _SLOTS:
            self._halve()
            index = int((now - self._begin) // self._step_s)
        slots = self._slots
        while index >= len(slots):
            slots.append(list(_EMPTY))
        return slots[-1]

    def _halve(self) -> None:
        """Two slots become one."""
        old = self._slots if len(self._slots) % 2 == 0 else [*self._slots, list(_EMPTY)]
        self._slots = [
            [one + other for one, other in zip(*pair, strict=True)] for pair in zip(old[::2], old[1::2], strict=True)
        ]
        self._step_s *= 2
