"""A panel's buttons. Clicks come on whatever thread the kernel gives them, mostly after the cell that runs: a button
only hands its work to the background loop."""

from __future__ import annotations

import html
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from currant_lab.errors import CurrantError
from currant_lab.loop import background
from currant_lab.notebook.panel_state import BATCHES, BatchLine
from currant_lab.notebook.views import printable

__all__ = ["Acting", "Buttons"]

_log = logging.getLogger("currant")


class Acting(Protocol):
    """What the buttons belong to."""

    @property
    def lines(self) -> tuple[BatchLine, ...]: ...
    async def again(self) -> None: ...
    async def pause(self) -> str: ...
    async def resume(self) -> str: ...
    async def stop(self) -> str: ...
    async def cancel(self, batch: BatchLine) -> str: ...
    async def retry(self, batch: BatchLine) -> str: ...


_CANCEL, _RETRY = "Cancel", "Retry failed"


class Buttons:
    """Those of the pool, and beside each batch its own."""

    def __init__(self, panel: Acting) -> None:
        self._panel = panel
        self._library: Any = None
        self._said: Any = None
        self._rows: list[_Row] = []

    def place(self, library: Any, parts: list[Any]) -> list[Any]:
        """Make them; the pool's stand below the first part, a batch's at the end of its line."""
        self._library = library
        self._said = library.HTML("")
        pool = (
            ("Pause", "Nothing more is claimed from this pool's queues, by any pool", self._panel.pause),
            ("Resume", "Let the queues go on", self._panel.resume),
            ("Stop", "Stop the pool: what runs ends first", self._panel.stop),
        )
        buttons = []
        for label, tip, action in pool:
            button = self.make(label, tip)
            button.on_click(lambda _, action=action: self.act(action()))
            buttons.append(button)
        self._rows = [_Row(self, self._panel, index) for index in range(BATCHES)]
        first, *rest = parts
        rows = [row.place(library, part) for row, part in zip(self._rows, rest[:BATCHES], strict=True)]
        self.draw()
        return [first, library.HBox([*buttons, self._said]), *rows, *rest[BATCHES:]]

    def draw(self) -> None:
        """Beside a batch there are only the buttons that make sense."""
        for row in self._rows:
            row.draw()

    def make(self, label: str, tip: str) -> Any:
        """One more button."""
        layout = self._library.Layout(width="auto", flex="0 0 auto")
        return self._library.Button(description=label, tooltip=tip, layout=layout)

    def act(self, work: Coroutine[Any, Any, str]) -> None:
        """Do it, and say what came of it."""
        background.submit(self._act(work))

    async def _act(self, work: Coroutine[Any, Any, str]) -> None:
        try:
            said = await work
            await self._panel.again()
        except CurrantError as error:
            said = str(error)
        except Exception:  # noqa: BLE001 - the loop goes on
            _log.warning("a button of the panel failed", exc_info=True)
            said = "That failed: see the log."
        self._said.value = html.escape(printable(said))


class _Row:
    """The line of a batch."""

    def __init__(self, buttons: Buttons, panel: Acting, index: int) -> None:
        self._buttons = buttons
        self._panel = panel
        self._index = index
        self._box: Any = None
        self._sure: int | None = None  # the batch whose "Cancel" was clicked once
        self._cancel = buttons.make(_CANCEL, "Cancel what is left of this batch: click twice")
        self._retry = buttons.make(_RETRY, "Run the failures of this batch again")
        self._cancel.on_click(self._on_cancel)
        self._retry.on_click(self._on_retry)

    def place(self, library: Any, part: Any) -> Any:
        """The line with its buttons."""
        part.layout.flex = "0 1 auto"
        self._box = library.HBox([part, self._cancel, self._retry], layout=library.Layout(flex_flow="row wrap"))
        return self._box

    def draw(self) -> None:
        """The batch of this line may be another by now, or there may be none."""
        line = self._line
        _show(self._box, is_there=line is not None)
        _show(self._cancel, is_there=line is not None and line.done < line.size)
        _show(self._retry, is_there=line is not None and bool(line.counts.get("failed")))
        if self._sure is not None and (line is None or line.id != self._sure or line.done >= line.size):
            self._sure, self._cancel.description = None, _CANCEL

    @property
    def _line(self) -> BatchLine | None:
        lines = self._panel.lines
        return lines[self._index] if self._index < len(lines) else None

    def _on_cancel(self, _: Any) -> None:
        line = self._line
        if line is None:
            return
        if self._sure != line.id:
            self._sure, self._cancel.description = line.id, f"{_CANCEL}: sure?"
            return
        self._sure, self._cancel.description = None, _CANCEL
        self._buttons.act(self._panel.cancel(line))

    def _on_retry(self, _: Any) -> None:
        if (line := self._line) is not None:
            self._buttons.act(self._panel.retry(line))


def _show(widget: Any, *, is_there: bool) -> None:
    wanted = None if is_there else "none"
    if widget.layout.display != wanted:
        widget.layout.display = wanted
