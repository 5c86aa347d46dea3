"""Output of handlers that is shown where they were submitted, as long as this process remembers where that was."""

from __future__ import annotations

import bisect
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Literal, Protocol

from currant_lab.errors import InvalidArguments

__all__ = ["CaptureChoice", "Echo", "Sink", "check_capture", "echoes", "submitting"]

CaptureChoice = Literal["log", "cell"]

BURST_CHARS = 64_000
CHARS_PER_S = 16_000
"""What one execution may show at once, and from then on: more makes a front end slow. The log has its share anyway."""

_PLACES = 1_000
"""Submits and maps whose place is remembered."""


class Sink(Protocol):
    """A place where output is shown. Written to from any thread."""

    def write(self, stream: str, text: str) -> None:
        """Show `text`; `stream` is `stdout` or `stderr`."""

    def display(self, publish: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call `publish` so that what it displays is shown there."""


class Echo:
    """The output of one execution on its way to a sink, at a bounded rate."""

    __slots__ = ("_left", "_left_out", "_when", "sink")

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._left = float(BURST_CHARS)
        self._left_out = 0
        self._when = time.monotonic()

    def write(self, stream: str, text: str) -> None:
        """Show `text`, or as much of it as may be shown now."""
        now = time.monotonic()
        self._left = min(BURST_CHARS, self._left + (now - self._when) * CHARS_PER_S)
        self._when = now
        shown = text[: int(self._left)]
        self._left -= len(shown)
        missed = self._left_out
        self._left_out = len(text) - len(shown) + (0 if shown else missed)
        if shown:
            self.sink.write(stream, f"\n… {missed:,} characters are not shown here …\n{shown}" if missed else shown)

    def end(self) -> None:
        """Say what was left out last."""
        if self._left_out:
            self.sink.write("stdout", f"\n… {self._left_out:,} more characters are not shown here …\n")
            self._left_out = 0


_choice: ContextVar[CaptureChoice | None] = ContextVar("currant_capture", default=None)


@contextlib.contextmanager
def submitting(choice: CaptureChoice | None) -> Iterator[None]:
    """Within the block submits have this choice; None leaves the one there is."""
    if choice is None:
        yield
        return
    token = _choice.set(check_capture(choice))
    try:
        yield
    finally:
        _choice.reset(token)


def check_capture(choice: object) -> CaptureChoice:
    """Return `choice` if it is one.

    Raises:
        InvalidArguments: it isn't.
    """
    if choice not in ("log", "cell"):
        raise InvalidArguments(f'capture is "log" or "cell", not {choice!r}')
    return choice


class Echoes:
    """Which executions were submitted where.

    Attributes:
        default: what counts where a submit says nothing.
        here: makes the sink of the place that submits now.
    """

    def __init__(self) -> None:
        self.default: CaptureChoice = "log"
        self.here: Callable[[], Sink] | None = None
        self._lock = threading.Lock()
        self._places: list[tuple[bytes, bytes, Sink]] = []  # (first id, last id, where), ascending

    def note(self, ids: Sequence[bytes]) -> None:
        """These executions, whose ids are contiguous, are being submitted now."""
        if (_choice.get() or self.default) != "cell" or self.here is None or not ids:
            return
        sink = self.here()
        with self._lock:
            bisect.insort(self._places, (ids[0], ids[-1], sink), key=lambda place: place[0])
            del self._places[:-_PLACES]

    def of(self, id: bytes) -> Echo | None:
        """Where the output of this execution is to be shown besides its log."""
        places = self._places
        if not places:
            return None
        with self._lock:
            at = bisect.bisect_right(places, id, key=lambda place: place[0]) - 1
            found = places[at] if at >= 0 else None
        return Echo(found[2]) if found is not None and found[0] <= id <= found[1] else None


echoes = Echoes()
"""Those of this process."""
