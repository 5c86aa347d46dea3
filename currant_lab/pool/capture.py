"""What a handler prints, logs or warns goes to its execution's log, never into an unrelated cell."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TextIO

from currant_lab.pool.describe import storable_text
from currant_lab.pool.echo import Echo
from currant_lab.pool.redirects import Redirects, redirected

__all__ = ["Capture", "Log", "current_log", "original_of"]

_LOOK_S = 0.1

HEAD_CHARS = 8_000
TAIL_CHARS = 56_000
"""An execution's log keeps its first 8,000 and its last 56,000 characters."""


class Log:
    """A bounded text: 100 MB of prints cost 64,000 characters."""

    __slots__ = ("_head", "_head_size", "_tail", "_tail_size", "echo", "written")

    def __init__(self, echo: Echo | None = None) -> None:
        self.echo = echo
        self.written = 0  # the rest is there from the first text on: most handlers say nothing

    def write(self, text: str, stream: str = "stdout") -> None:
        """Append `text`; the middle of the whole is forgotten when it grows too long."""
        if self.echo is not None:
            self.echo.write(stream, text)
        self.keep(text)

    def keep(self, text: str) -> None:
        """`write`, without an echo."""
        if not self.written:
            self._head: list[str] = []
            self._head_size = 0
            self._tail: deque[str] = deque()
            self._tail_size = 0
        self.written += len(text)
        room = HEAD_CHARS - self._head_size
        if room > 0:
            self._head.append(text[:room])
            self._head_size += len(self._head[-1])
            text = text[room:]
        if not text:
            return
        text = text[-TAIL_CHARS:]
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size - len(self._tail[0]) >= TAIL_CHARS:
            self._tail_size -= len(self._tail.popleft())

    def text(self) -> str | None:
        """The log, with a line in place of what was left out, and with escapes for what PostgreSQL can't keep; None
        when nothing was written."""
        if not self.written:
            return None
        head, tail = "".join(self._head), "".join(self._tail)[-TAIL_CHARS:]
        left_out = self.written - len(head) - len(tail)
        middle = f"\n… {left_out:,} characters left out …\n" if left_out else ""
        return storable_text(f"{head}{middle}{tail}")


current_log: ContextVar[Log | None] = ContextVar("currant_log", default=None)


def original_of(stream: Any) -> Any:
    """What a stand-in stands for; any other stream itself."""
    while isinstance(stream, _Stream):
        stream = stream.original
    return stream


class _Stream(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr: writes to the log of the running execution, if there is one."""

    def __init__(self, name: str, original: TextIO) -> None:
        self.standard = name
        self.original = original

    def write(self, text: str) -> int:
        log = current_log.get()
        if log is None:
            return self.original.write(text)
        own = (redirected.get() or {}).get(self.standard)
        if own is not None:
            return int(own.write(text))
        log.write(text, self.standard)
        return len(text)

    def flush(self) -> None:
        if current_log.get() is None:
            self.original.flush()

    def isatty(self) -> bool:
        return current_log.get() is None and self.original.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.original.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.original, "encoding", "utf-8")

    @property
    def buffer(self) -> Any:
        return self.original.buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _LogHandler(logging.Handler):
    """Copies log records made while an execution runs into its log."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        log = current_log.get()
        if log is not None:
            log.write(self.format(record) + "\n", "stderr")


class Capture:
    """Keeps the stand-ins in place while a pool runs, whoever replaces the streams meanwhile."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._handler = _LogHandler()
        self._redirects = Redirects(lambda: current_log.get() is not None, self.keep)
        self._timer: asyncio.TimerHandle | None = None

    def install(self) -> None:
        """Replace sys.stdout and sys.stderr, and listen to the root logger."""
        self.keep()
        self._redirects.install()
        logging.getLogger().addHandler(self._handler)

    def keep(self) -> None:
        """Stand in for a stream that somebody has put in place since."""
        for name in ("stdout", "stderr"):
            present = getattr(sys, name)
            if present is not None and not isinstance(present, _Stream):
                self._streams[name] = _Stream(name, present)
                setattr(sys, name, self._streams[name])

    def watch(self, is_busy: Callable[[], object]) -> None:
        """A handler starts: `keep` now, and ten times a second while any runs. On the pool's loop."""
        self.keep()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look, is_busy)

    def _look(self, is_busy: Callable[[], object]) -> None:
        self._timer = None
        if is_busy():
            self.watch(is_busy)

    def remove(self) -> None:
        """Put back what was there. A stand-in that somebody else holds passes everything on."""
        if self._timer is not None:
            self._timer.cancel()
        self._redirects.remove()
        for name in ("stdout", "stderr"):
            setattr(sys, name, original_of(getattr(sys, name)))
        self._streams.clear()
        logging.getLogger().removeHandler(self._handler)
