"""When a workflow's function only waits: it holds no worker then, and after a while it is put away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from currant_lab.context import PutAway, Running

__all__ = ["Rest"]

LONG_S = 5.0
"""A function that waits for executions stays in memory for so long: calling it again costs some 50 us a step."""

SHORT_S = 0.2
"""One that waits for signals and moments alone, which may be days away."""

_CALM_S = 0.05
"""After something has ended the function goes on; when it has begun no other wait by then, it only waits again."""


class Rest:
    """Which steps the function of one run waits for, and in which tasks. Belongs to the loop that it runs on.

    Attributes:
        is_leaving: it is on its way out.
        has_ended: it has returned, or raised. Parts of it may still wait, and nobody for them.
        open_steps: those it waited for when it left.
    """

    def __init__(self, running: Running) -> None:
        self.is_leaving = self.has_ended = False
        self.open_steps: list[int] = []
        self._running = running
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._open: dict[int, asyncio.Task[object] | None] = {}
        self._impatient = 0
        self._working = 0
        self._is_resting = False
        self._timer: asyncio.TimerHandle | None = None
        running.leave = self.leave

    def leave(self) -> None:
        """Put the function away, if it only waits. From any thread."""
        self._loop.call_soon_threadsafe(self._leave)

    @contextlib.contextmanager
    def waiting(self, number: int, *, is_patient: bool = False) -> Iterator[None]:
        """The function, or a part of it, waits for a step in the block. `is_patient`: it may take days."""
        self._open[number] = asyncio.current_task()
        self._impatient += not is_patient
        self._rest()
        try:
            yield
        finally:
            if not self.is_leaving:
                del self._open[number]
                self._impatient -= not is_patient
                self._go_on()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """The function, or a part of it, does something else in the block than wait: it is not put away meanwhile."""
        self._working += 1
        self._go_on()
        try:
            yield
        finally:
            self._working -= 1
            if not self.is_leaving:
                self._go_on()

    def give_back(self) -> PutAway:
        """Put the function away though it does not only wait, to be called again at once; raise what this returns."""
        self._unwind([])
        return PutAway()

    def end(self) -> None:
        """The function has ended. Tasks that it has left behind may wait on: that puts nothing away any more."""
        self.has_ended = True
        self._running.leave = None
        self._stop_timer()
        if self._is_resting:
            self._tell(False)

    def _rest(self) -> None:
        if self.is_leaving or self.has_ended or not self._open or self._working:
            return
        self._stop_timer()
        self._timer = self._loop.call_later(LONG_S if self._impatient else SHORT_S, self._leave)
        if not self._is_resting:
            self._tell(True)

    def _go_on(self) -> None:
        self._stop_timer()
        if self._is_resting:
            self._tell(False)
        if self._open and not self._working and not self.has_ended:
            self._timer = self._loop.call_later(_CALM_S, self._rest)

    def _tell(self, is_resting: bool) -> None:
        self._is_resting = is_resting
        if self._running.rests is not None:
            self._running.rests(is_resting)

    def _leave(self) -> None:
        if not self.is_leaving and not self.has_ended and self._open and self._is_resting:
            self._unwind(sorted(self._open))

    def _unwind(self, open_steps: list[int]) -> None:
        """End every task that waits, and the function's own. What their `finally` blocks begin is refused."""
        self.is_leaving = True
        self.open_steps = open_steps
        self._stop_timer()
        for task in {self._main, *self._open.values()} - {asyncio.current_task()}:
            if task is not None:
                task.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
