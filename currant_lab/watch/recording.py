"""Keeps what happens on a board in a file, to be replayed: `currant_lab.watch.replay`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from currant_lab.errors import CurrantError
from currant_lab.events import Event
from currant_lab.watch import tape
from currant_lab.watch.board import Board
from currant_lab.watch.snapshot import Snapshot
from currant_lab.watch.tape import CHANGES, STATE, Change, Kind, Tape

__all__ = ["LIMIT", "RecordedBoard", "Recorder"]

LIMIT = 64 * 2**20
"""Bytes; three busy pools write 4.5 kB a second, which makes four hours."""
FLUSH_S = 1.0
STATE_S = 60.0
"""A jump begins at the last whole state before it: with one a minute it is over in a tenth of a second."""
SHARE = 500
"""A whole state a minute, or, where making it takes long, after five hundred times as long as it took."""

_log = logging.getLogger(__name__)


class Recorder:
    """Records one board: what it is told, and every minute all that it knows.

    Attributes:
        board: the board that is recorded; give it to a `Live`.
        trouble: why nothing more is recorded; None while all is well.
    """

    def __init__(self, path: Path, *, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            path: where to; must not exist.
            limit: bytes that the file may have at most; the oldest part is dropped.
            clock: seconds that only go on.

        Raises:
            CurrantError: the file is there already, or can't be made.
        """
        self.board = RecordedBoard(self)
        self.trouble: str | None = None
        self._tape = Tape(path, limit)
        self._clock, self._begun = clock, clock()
        self._changes: list[Change] = []
        self._state_at: float | None = None
        self._pause_s = STATE_S
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    @property
    def path(self) -> Path:
        """The file."""
        return self._tape.path

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._tape.size

    def start(self) -> None:
        """Begin to write, every second."""
        self._task = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Write what is left, and close the file; where nothing was there to be recorded, there is none."""
        self._ending.set()
        task, self._task = self._task, None
        if task is not None:
            await task  # not cancelled: a thread may be writing
        await self.flush(last=True)
        self.leave()

    def leave(self) -> None:
        """Close the file as it is. Harmless when done again."""
        self._tape.close()
        if self._state_at is None:
            self.path.unlink(missing_ok=True)

    async def flush(self, *, last: bool = False) -> None:
        """Write what has changed since the last time; a whole state when it is time for one."""
        if self.trouble is not None or not self.board.header.snapshot_at:
            return
        frames = self._frames(last=last)
        try:
            await asyncio.to_thread(self._put, frames)
        except (OSError, CurrantError) as error:
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self.trouble = f"the recording has ended: {why}"
            self._changes.clear()
            _log.warning("%s", self.trouble)

    def keep(self, change: Change) -> None:
        """Note a change, to be written soon."""
        if self.trouble is None and self._state_at is not None:
            self._changes.append(change)

    def begin_anew(self) -> None:
        """Write a whole state next, for what no change tells."""
        self._pause_s = 0.0

    def moment(self) -> float:
        """Seconds since the recording began."""
        return self._clock() - self._begun

    async def _write(self) -> None:
        while self.trouble is None and not self._ending.is_set():
            await self.flush()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._ending.wait()

    def _frames(self, *, last: bool) -> list[tuple[Kind, float, bytes]]:
        at = self.moment()
        frames: list[tuple[Kind, float, bytes]] = []
        if self._changes or last:
            frames.append((CHANGES, at, tape.packed_changes(self._changes)))
            self._changes = []
        if self._state_at is None or (at - self._state_at >= self._pause_s and not last):
            begun = time.perf_counter()
            frames.append((STATE, at, tape.packed_state(self.board.state)))
            self._state_at = at
            self._pause_s = max(STATE_S, SHARE * (time.perf_counter() - begun))
        return frames

    def _put(self, frames: list[tuple[Kind, float, bytes]]) -> None:
        for kind, at, payload in frames:
            self._tape.write(kind, at, payload)


class RecordedBoard(Board):
    """A board that notes what it is told."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def describe(self, *, database: str, server_version: str, schema: str) -> None:
        super().describe(database=database, server_version=server_version, schema=schema)
        self._recorder.begin_anew()

    def fold(self, event: Event, now: float) -> None:
        self._recorder.keep(Change(self._recorder.moment(), now, event=event))
        super().fold(event, now)

    def reconcile(self, snapshot: Snapshot) -> None:
        self._recorder.keep(Change(self._recorder.moment(), snapshot.at, snapshot=snapshot))
        super().reconcile(snapshot)

    def dropped(self, count: int, now: float) -> None:
        self._recorder.keep(Change(self._recorder.moment(), now, dropped=count))
        super().dropped(count, now)

    def lost(self, reason: str, now: float) -> None:
        self._recorder.keep(Change(self._recorder.moment(), now, lost=reason))
        super().lost(reason, now)
