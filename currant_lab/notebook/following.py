"""`follow`: a progress bar for a batch that runs in the background."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from currant_lab.errors import InvalidArguments
from currant_lab.notebook.views import printable
from currant_lab.status import FINAL

if TYPE_CHECKING:
    from currant_lab.client.batch import Batch

__all__ = ["Drawing", "Progress", "follow", "is_animated"]

_REDRAW_S = 0.25
"""A front end that is sent more than four updates a second only falls behind."""

# Front ends strip what they don't know from HTML they don't trust (a reopened notebook): no flex box, no variables.
_TRACK = "height: 8px; overflow: hidden; background: rgba(128, 128, 128, 0.25)"
_DONE = "float: left; height: 8px; background: #43a047"
_FAILED = "float: left; height: 8px; background: #e53935"


class Progress:
    """How far a batch is: a bar and a line of words.

    Args:
        label: what it is about.
        total: the executions there are.

    Attributes:
        before: how many had ended before anybody looked; they don't count for the rate.
    """

    def __init__(self, label: str, total: int) -> None:
        self.label = label
        self.total = total
        self.done = 0
        self.failed = 0
        self.cancelled = 0
        self.before = 0
        self._started = time.monotonic()
        self._ended: float | None = None

    def count(self, status: str) -> None:
        """One more execution has ended, so."""
        self.done += 1
        self.failed += status == "failed"
        self.cancelled += status == "cancelled"

    def end(self) -> None:
        """Stop the clock."""
        self._ended = time.monotonic()

    def _words(self) -> str:
        words = [f"{self.done:,} of {self.total:,} done"]
        words += [f"{count:,} {name}" for name, count in self._others().items() if count]
        spent = (self._ended or time.monotonic()) - self._started
        here = self.done - self.before
        if here > 0 and spent > 0:
            words.append(f"{here / spent:,.0f}/s")
            left = (self.total - self.done) * spent / here
            words.append(f"{spent:.1f} s" if self._ended else f"about {left:.0f} s left")
        return " · ".join(words)

    def _others(self) -> Mapping[str, int]:
        return {"failed": self.failed, "cancelled": self.cancelled}

    def __repr__(self) -> str:
        share = self.done / self.total if self.total else 1.0
        bar = "█" * int(20 * share)
        return f"{printable(self.label)} {bar:░<20} {self._words()}"

    def _repr_html_(self) -> str:
        from html import escape

        total = self.total or 1
        good, bad = self.done - self.failed - self.cancelled, self.failed + self.cancelled
        return (
            f'<div style="max-width: 46em"><div style="{_TRACK}">'
            f'<div style="width: {100 * good / total:.2f}%; {_DONE}"></div>'
            f'<div style="width: {100 * bad / total:.2f}%; {_FAILED}"></div></div>'
            f'<div style="font-size: 0.92em"><b>{escape(printable(self.label))}</b> {escape(self._words())}</div></div>'
        )


def follow(batch: Batch, until: float = 1.0) -> None:
    """Show how a batch proceeds until it has ended. Stopping it, or an interrupt, does not touch the batch.

    Redraws in place, at most four times a second; under `CI`, or with `CURRANT_ANIMATION=0`, only once at the end.

    Args:
        batch: any, of this kernel's pool or of others.
        until: the share of the executions, 0 to 1, after whose end it returns.

    Raises:
        InvalidArguments: `until` is no share.
    """
    if isinstance(until, bool) or not isinstance(until, int | float) or not 0 <= until <= 1:
        raise InvalidArguments(f"until is a share between 0 and 1, not {until!r}")
    state = Progress(batch.name or batch.job, len(batch))
    enough = until * len(batch)
    counts = batch.counts()
    state.before = sum(counts.get(status, 0) for status in FINAL)
    drawing = Drawing(state)
    try:
        for execution in batch.as_completed() if enough else ():
            state.count(execution.status)
            if state.done >= enough:
                break
            drawing.refresh()
    finally:
        state.end()
        drawing.refresh(last=True)


class Drawing:
    """A display that is drawn over again, where there is a front end that can."""

    def __init__(self, state: Progress) -> None:
        self.state = state
        self._is_animated = is_animated()
        self._drawn = time.monotonic()
        self._handle: Any = None
        if self._is_animated:
            self._draw()

    def refresh(self, *, last: bool = False) -> None:
        """Draw again, if it is time to; `last` always."""
        now = time.monotonic()
        if last or (self._is_animated and now - self._drawn >= _REDRAW_S):
            self._drawn = now
            self._draw()

    def _draw(self) -> None:
        from IPython import display

        if self._handle is None:
            self._handle = display.display(self.state, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(self.state)


def is_animated() -> bool:
    """Whether displays may be redrawn: not under `CI`, and not where a program runs the notebook, which can't be asked
    anything (nbclient, papermill); `CURRANT_ANIMATION` as 0 or 1 beats both."""
    wanted = os.environ.get("CURRANT_ANIMATION")
    if wanted:
        return wanted != "0"
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython is not None else None
    return not os.environ.get("CI") and getattr(kernel, "_allow_stdin", True) is not False
