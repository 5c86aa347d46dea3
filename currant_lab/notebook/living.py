"""What is shown in a cell and goes on changing: drawn from the background loop, so also while a cell blocks.

A front end gets one bundle with a widget, HTML and text. While it lives the widget is what changes; at its end the
bundle is sent once more without it, so what a notebook keeps is a plain table.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from currant_lab import session
from currant_lab.errors import CurrantError
from currant_lab.loop import background
from currant_lab.notebook.following import is_animated

__all__ = ["Controls", "Living", "Shown", "can_live", "end_all"]

REDRAW_S = 0.25
"""A front end that is sent more than four updates a second only falls behind."""

STILL_S = 2.0
"""How old the copy may be that is shown where a widget can't be."""

_MOST = 16
"""Displays that live at once: a loop that shows a batch a hundred times costs no more than that."""

_SETTLE_S = 2.0

_log = logging.getLogger("currant")


class Shown(NamedTuple):
    """A moment of something.

    Attributes:
        parts: HTML, one below the other; as many at every moment.
        text: the same for a terminal.
        is_over: nothing will change any more.
        is_quiet: nothing happens at the moment.
    """

    parts: tuple[str, ...]
    text: str
    is_over: bool = False
    is_quiet: bool = False

    @property
    def html(self) -> str:
        """All parts."""
        return "<div>" + "".join(f"<div>{part}</div>" for part in self.parts if part) + "</div>"


class Controls(Protocol):
    """Widgets of its own that something living has between its parts."""

    def place(self, library: Any, parts: list[Any]) -> list[Any]:
        """Make them; returns what is shown from top to bottom: the parts and they."""

    def draw(self) -> None:
        """Fit them to the moment."""


def can_live() -> bool:
    """Whether there is a front end for what changes: a kernel with a person, and nothing that turns it off."""
    return session.process_kind() == "kernel" and is_animated() and not background.is_current


def settle_all() -> None:
    """Bring what is over to its end now: once the last cell has ended, a program that runs notebooks hears no more."""
    for living in list(_all):
        try:
            Context().run(background.run, living.settle(), _SETTLE_S)
        except (CurrantError, TimeoutError):
            _log.debug("a display is not brought to its end at once", exc_info=True)


def end_all() -> None:
    """Let everything that lives stop as it is."""
    while _all:
        _all.popleft().close()


class Living:
    """Something in a cell that goes on changing, until it is over or closed.

    Args:
        read: a moment; called on the background loop up to four times a second, so it must know itself when to ask
            the database. With True: all of it, now.
        first: the moment to begin with.
        controls: more than HTML.
    """

    def __init__(
        self, read: Callable[[bool], Awaitable[Shown]], first: Shown, controls: Controls | None = None
    ) -> None:
        self.now = first
        self._read = read
        self._controls = controls
        self._id = f"currant-{uuid4().hex}"
        self._widgets: _Widgets | None = None
        self._task: Any = None
        self._publisher: Any = None
        self._drawing: asyncio.Task[Any] | None = None
        self._is_frozen = False
        self._kept = ""
        self._still = ""

    @property
    def is_live(self) -> bool:
        """Whether it is being redrawn."""
        return self._task is not None and not self._task.done()

    def show(self) -> None:
        """Show it in the cell that runs."""
        from IPython import get_ipython

        self._publisher = get_ipython().display_pub
        self._widgets = _Widgets.make(self.now, self._controls)
        if self._widgets is not None:
            self._publish_still(update=False)
        self._publish(update=False)
        while len(_all) >= _MOST:
            _all.popleft().close()
        _all.append(self)
        # Not in the context of this cell: a program that runs notebooks hears what is sent for the cell it runs.
        self._task = Context().run(background.submit, self._live())

    def close(self) -> None:
        """Draw the last moment, plain, and stop. Harmless when called again."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            Context().run(background.submit, self._freeze())

    async def settle(self) -> None:
        """Draw this moment, and the last one if it is that; on the background loop."""
        self.draw(await self._read(True))
        if self.now.is_over:
            await self._freeze()

    def draw(self, moment: Shown) -> None:
        """Show this moment; on the background loop."""
        was, self.now = self.now, moment
        if self._widgets is not None:
            self._widgets.draw(moment)
            if moment.is_quiet and not was.is_quiet:
                self._publish(update=True)  # what is saved from now on shows how it ended
        else:
            self._publish(update=True)

    async def _live(self) -> None:
        self._drawing = asyncio.current_task()
        loop = asyncio.get_running_loop()
        copied = loop.time()
        try:
            while not self.now.is_over:
                await asyncio.sleep(REDRAW_S)
                self.draw(await self._read(False))
                if self._widgets is not None and loop.time() - copied >= STILL_S:
                    copied = loop.time()
                    self._publish_still(update=True)
        except Exception:  # noqa: BLE001 - the loop goes on
            _log.warning("a display in a cell stops being drawn", exc_info=True)
        await self._freeze()

    async def _freeze(self) -> None:
        if self._is_frozen:
            return
        self._is_frozen = True
        if self._drawing is not None and self._drawing is not asyncio.current_task():
            self._drawing.cancel()
        try:
            self.now = await self._read(True)
        except Exception as error:  # noqa: BLE001 - the last picture stays
            _log.debug("a display stays as it was: %s", error)
        widgets, self._widgets = self._widgets, None
        self._kept = ""
        if widgets is not None:
            self._publish_still(update=True, is_needed=False)
        self._publish(update=True)
        if widgets is not None:
            widgets.close()
        if self in _all:
            _all.remove(self)

    def _publish(self, *, update: bool) -> None:
        """Send the bundle. What is static in it is what the notebook keeps."""
        bundle: dict[str, Any] = {"text/plain": self.now.text, "text/html": self.now.html}
        if update and bundle["text/html"] == self._kept:
            return
        self._kept = bundle["text/html"]
        if self._widgets is not None:
            bundle |= self._widgets.view()
        self._publisher.publish(bundle, transient={"display_id": self._id}, update=update)

    def _publish_still(self, *, update: bool, is_needed: bool = True) -> None:
        """Send a hidden copy of the moment, which shows itself where the widget below it can't.

        JupyterLab draws a widget wherever a bundle has one, and where its kernel is gone by the time a notebook is
        opened again all it has to say is "model not found".
        """
        html = _STILL.format(id=self._id, html=self.now.html) if is_needed else ""
        if update and html == self._still:
            return
        self._still = html
        bundle = {"text/html": html, "text/plain": ""}
        self._publisher.publish(bundle, transient={"display_id": f"{self._id}-still"}, update=update)


_STILL = """<style>
.jp-OutputArea-child:has(#{id}):has(+ .jp-OutputArea-child .jp-OutputArea-output.jupyter-widgets) #{id}
{{ display: block !important }}
.jp-OutputArea-child:has(#{id}) + .jp-OutputArea-child .jp-OutputArea-output.jupyter-widgets {{ display: none }}
</style><div hidden id="{id}">{html}</div>"""
"""An output is of that class itself only when its widget's model is gone; otherwise the widget in it is."""

_all: deque[Living] = deque()


class _Widgets:
    """ipywidgets' core widgets: an HTML per part, so that a part that stays as it is keeps what is unfolded in it."""

    def __init__(self, library: Any, moment: Shown, controls: Controls | None) -> None:
        self._parts = [library.HTML(_dense(part)) for part in moment.parts]
        self._controls = controls
        rows = self._parts if controls is None else controls.place(library, self._parts)
        self._box = library.VBox(rows)

    @classmethod
    def make(cls, moment: Shown, controls: Controls | None) -> _Widgets | None:
        """The widgets, or None where ipywidgets is not installed."""
        try:
            import ipywidgets
        except ImportError:
            return None
        return cls(ipywidgets, moment, controls)

    def view(self) -> dict[str, Any]:
        """The part of a bundle that shows them."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        return {"application/vnd.jupyter.widget-view+json": view}

    def draw(self, moment: Shown) -> None:
        """Send what has changed."""
        for widget, part in zip(self._parts, moment.parts, strict=True):
            if widget.value != (value := _dense(part)):
                widget.value = value
        if self._controls is not None:
            self._controls.draw()

    def close(self) -> None:
        """Take them from the page."""
        rows = [self._box]
        while rows:
            widget = rows.pop()
            rows += getattr(widget, "children", ())
            widget.close()


def _dense(part: str) -> str:
    """Widgets' lines are as high as buttons, a table's need not be."""
    return f'<div style="line-height: 1.4">{part}</div>' if part else ""
