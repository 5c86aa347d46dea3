"""Plays a recording: a board that changes as the recorded one did. It needs no database."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

from currant_lab.errors import CurrantError
from currant_lab.watch.board import Board
from currant_lab.watch.tape import STATE, Change, Frame, frames_of, read

__all__ = ["Replay"]

EVERY_S = 0.1


class Replay:
    """A recording as a source of state.

    Attributes:
        board: the state at `position_s`; changed in place.
        database: always None: a recording holds no executions.
        speed: seconds of the recording per second.
        paused: it stands.
        damaged: bytes of the file that could not be read.
    """

    database: Any = None

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            path: a recording; one that is still written is played as far as it goes now.
            clock: seconds that only go on.

        Raises:
            CurrantError: there is none, it is of another version, or nothing of it is whole.
        """
        self.board = Board()
        self.speed = 1.0
        self.paused = False
        self._path, self._clock = path, clock
        self._frames, self.damaged = frames_of(path)
        if not self._frames:
            raise CurrantError(f"{path} holds nothing that could be replayed: it was cut off before its first state")
        self._first, self._end = self._frames[0].at, self._frames[-1].at
        self._states = [place for place, frame in enumerate(self._frames) if frame.kind == STATE]
        self._file: BinaryIO | None = path.open("rb")  # stays open: a recorder may put a shorter one in its place
        self._at = self._first
        self._told = (0.0, 0.0)
        self._next = 0
        self._changes: deque[Change] = deque()
        self.seek(0.0)
        if not self.board.header.snapshot_at:
            self._file.close()
            raise CurrantError(f"{path} was made by another version of Currant, whose states this one can't read")

    @property
    def duration_s(self) -> float:
        """How long the recording is."""
        return self._end - self._first

    @property
    def position_s(self) -> float:
        """How far into the recording the board is."""
        return self._at - self._first

    async def open(self) -> None:
        """Nothing is left to be opened."""

    async def changes(self) -> AsyncIterator[None]:
        """Plays: yields ten times a second when it plays, also while it stands. Ends when closed."""
        last = self._clock()
        while self._file is not None:
            now = self._clock()
            if not self.paused:
                self.seek(self.position_s + (now - last) * self.speed)
                self.paused = self._at >= self._end
            last = now
            yield
            await asyncio.sleep(EVERY_S)

    def seek(self, position_s: float) -> None:
        """Bring the board to a place in the recording, in seconds from its begin; outside is the nearest end."""
        target = min(max(position_s + self._first, self._first), self._end)
        state = self._states[max(bisect_right(self._states, self._last_before(target)) - 1, 0)]
        if target < self._at or state >= self._next:
            self._next, self._at = state, self._frames[state].at
            self._changes.clear()
        self._go_on(target)

    async def suspend(self) -> None:
        """Nothing listens."""

    async def resume(self) -> None:
        """Nothing listens."""

    async def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _last_before(self, target: float) -> int:
        """The place of the last frame that was written by then."""
        return bisect_right(self._frames, target, key=lambda frame: frame.at) - 1

    def _go_on(self, target: float) -> None:
        while self._changes or self._next < len(self._frames):
            if not self._changes:
                frame = self._frames[self._next]
                if frame.kind == STATE and frame.at > target:
                    break
                self._next += 1
                self._load(frame)
                continue
            if self._changes[0].at > target:
                break
            self._tell(self._changes.popleft())
        self._at = target
        at, now = self._told
        self.board.advance(now + target - at)

    def _load(self, frame: Frame) -> None:
        if self._file is None:
            return
        try:
            held = read(self._file, frame)
        except ValueError:
            self.damaged += frame.size
            self._changes.clear()
            later = bisect_right(self._states, self._next - 1)
            self._next = self._states[later] if later < len(self._states) else len(self._frames)
            return
        if isinstance(held, list):
            self._changes.extend(held)
        else:
            self.board.state = held
            self._told = (frame.at, held.now)

    def _tell(self, change: Change) -> None:
        board, self._told = self.board, (change.at, change.now)
        if change.event is not None:
            board.fold(change.event, change.now)
        elif change.snapshot is not None:
            board.reconcile(change.snapshot)
        elif change.lost is not None:
            board.lost(change.lost, change.now)
        else:
            board.dropped(change.dropped, change.now)
