"""A bar for a loop in a cell or a script: `currant.track` outside of a handler."""

from __future__ import annotations

import html
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TypeVar

from currant_lab import session
from currant_lab.errors import InvalidArguments
from currant_lab.notebook.following import is_animated
from currant_lab.notebook.views import bar_html, bar_text, printable

__all__ = ["tracked"]

T = TypeVar("T")

_REDRAW_S = 0.25
"""A front end that is sent more than four updates a second only falls behind."""


def tracked(items: Iterable[T], total: int | None = None, note: str | None = None) -> Iterator[T]:
    """Loop over `items` with a bar: a display of its own in a notebook, one line in a terminal, none elsewhere."""
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    elif isinstance(total, bool) or not isinstance(total, int) or total < 0:
        raise InvalidArguments(f"total is how many items there are, not {total!r}")
    bar = _Bar(note or "", total)
    drawing = _drawing(bar)
    if drawing is None:
        yield from items
        return
    drawing.draw()
    drawn = time.monotonic()
    try:
        for item in items:
            yield item
            bar.done += 1
            now = time.monotonic()
            if now - drawn >= _REDRAW_S:
                drawn = now
                drawing.draw()
    finally:
        bar.end()
        drawing.end()


class _Bar:
    """How far a loop is, as text and as HTML."""

    def __init__(self, label: str, total: int | None) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self._began = time.monotonic()
        self._ended: float | None = None

    def end(self) -> None:
        """Stop the clock."""
        self._ended = time.monotonic()

    @property
    def _share(self) -> float:
        return min(self.done / self.total, 1.0) if self.total else float(self.total == 0)

    def _words(self) -> str:
        words = [f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"]
        spent = (self._ended or time.monotonic()) - self._began
        rate = self.done / spent if spent > 0 else 0.0
        if self.done:
            words.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        if self._ended is not None:
            words.append(f"{spent:,.1f} s")
        elif self.done and self.total is not None:
            words.append(f"about {max(self.total - self.done, 0) / rate:,.0f} s left")
        return " · ".join(words)

    def __repr__(self) -> str:
        parts = [printable(self.label), "" if self.total is None else bar_text(self._share), self._words()]
        return " ".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        label = f"<b>{html.escape(printable(self.label))}</b> " if self.label else ""
        bar = "" if self.total is None else bar_html([(self._share, "good")])
        return f'<div>{bar}<div style="font-size: 0.92em">{label}{html.escape(self._words())}</div></div>'


class _Cell:
    """A bar as one display, drawn over again."""

    def __init__(self, bar: _Bar) -> None:
        self._bar = bar
        self._handle: Any = None

    def draw(self) -> None:
        """Draw it as it is."""
        from IPython import display

        if self._handle is None:
            self._handle = display.display(self._bar, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(self._bar)

    end = draw


class _Line:
    """A bar in the line of a terminal that the cursor stands in."""

    def __init__(self, bar: _Bar) -> None:
        self._bar = bar
        self._width = 0

    def draw(self) -> None:
        """Draw it as it is."""
        text = repr(self._bar)[: shutil.get_terminal_size().columns - 1]  # one that wraps can't be written over
        sys.stderr.write(f"\r{text:<{self._width}}")
        sys.stderr.flush()
        self._width = len(text)

    def end(self) -> None:
        """Draw it a last time, and leave the line."""
        self.draw()
        sys.stderr.write("\n")
        sys.stderr.flush()


def _drawing(bar: _Bar) -> _Cell | _Line | None:
    if not is_animated():
        return None
    if session.process_kind() == "kernel":
        return _Cell(bar)
    return _Line(bar) if sys.stderr is not None and sys.stderr.isatty() else None
