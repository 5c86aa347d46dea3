"""The live panel: what this kernel's pool does, redrawn while cells run, with buttons.

It reads and draws on the background loop, so a cell that blocks does not hold it up. Clicks arrive on whatever
thread the kernel gives them, after the running cell in most kernels: they only hand work to that loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from currant_lab import session
from currant_lab.client import current
from currant_lab.database import control, inspect
from currant_lab.errors import CurrantError
from currant_lab.loop import background
from currant_lab.notebook import panel_pages as pages
from currant_lab.notebook.following import is_animated
from currant_lab.notebook.panel_state import Reading, State
from currant_lab.notebook.views import View, counted, printable

if TYPE_CHECKING:
    from currant_lab.pool.pool import Pool

__all__ = ["Panel", "panel"]

_REDRAW_S = 0.25
"""A front end that is sent more than four updates a second only falls behind."""

_log = logging.getLogger("currant")


def panel() -> Panel | View:
    """The live panel of this kernel's pool, to be the last expression of a cell; a sentence where none runs."""
    running = session.running_pool()
    if running is None:
        return View("No pool runs in this kernel: `%currant start` starts one, then `%currant panel` shows it.")
    return Panel(running)


class Panel:
    """A pool's state, shown live in a cell until `close()`, until the pool stops, or until it is shown again.

    Live means ipywidgets, else (in a kernel without them) one display that is written over, at most four times a
    second. Under `CI`, with `CURRANT_ANIMATION=0`, and outside of a kernel it is shown once, as it stands.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._client = current.get()
        self._reading = Reading(self._client, pool)
        self._state: State = background.run(self._reading.read(whole=True))
        self._display_id = f"currant-{uuid4().hex}"
        self._widgets: _Widgets | None = None
        self._task: Any = None
        self._shell: Any = None
        self._sent = ""

    @property
    def is_live(self) -> bool:
        """Whether it is being redrawn."""
        return self._task is not None and not self._task.done()

    def close(self) -> None:
        """Draw the last state, without buttons, and stop. Harmless when called again."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            background.run(self._freeze())

    def refresh(self) -> None:
        """Read everything now."""
        self._state = background.run(self._reading.read(whole=True))

    def __repr__(self) -> str:
        return pages.text(self._state)

    def _repr_html_(self) -> str:
        return pages.page(self._state)

    def _ipython_display_(self) -> None:
        from IPython import get_ipython

        self.close()
        self.refresh()
        self._shell = get_ipython()
        is_live = is_animated() and session.process_kind() == "kernel" and self._pool.is_running
        self._widgets = _Widgets.make(self) if is_live else None
        self._publish(update=False)
        if is_live:
            self._task = background.submit(self._live())

    # On the background loop.

    async def _live(self) -> None:
        was_idle = True
        while self._pool.is_running:
            await asyncio.sleep(_REDRAW_S)
            self._state = await self._reading.read()
            if self._widgets is not None:
                self._widgets.draw(self._state)
                if self._state.is_idle and not was_idle:
                    self._publish(update=True)  # what is saved from now on shows how it ended
            else:
                self._publish(update=True)
            was_idle = self._state.is_idle
        await self._freeze()

    async def _freeze(self) -> None:
        with contextlib.suppress(CurrantError):  # the client may be gone with its pool
            self._state = await self._reading.read(whole=True)
        widgets, self._widgets = self._widgets, None
        self._sent = ""
        self._publish(update=True)
        if widgets is not None:
            widgets.close()

    def _publish(self, *, update: bool) -> None:
        """Send the bundle. What is static in it is what the notebook keeps."""
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if update and bundle["text/html"] == self._sent:
            return
        self._sent = bundle["text/html"]
        if self._widgets is not None:
            bundle |= self._widgets.view()
        if self._shell is None or session.process_kind() != "kernel":
            from IPython import display

            display.display(bundle, raw=True)  # type: ignore[no-untyped-call]
            return
        self._shell.display_pub.publish(bundle, transient={"display_id": self._display_id}, update=update)

    # What the buttons do; each returns what to say.

    async def pause(self) -> str:
        """Pause the pool's queues."""
        for queue in self._pool.queues:
            await control.pause(self._client.database, queue)
        return f"Paused: {', '.join(self._pool.queues)}."

    async def resume(self) -> str:
        """Let the pool's queues go on."""
        for queue in self._pool.queues:
            await control.resume(self._client.database, queue)
        self._pool.wake()
        return f"Goes on: {', '.join(self._pool.queues)}."

    async def stop(self) -> str:
        """Stop the pool, draining."""
        threading.Thread(target=session.stop, name="currant panel stops", daemon=True).start()
        return "Stopping: what runs ends first."

    async def cancel(self) -> str:
        """Cancel what is left of the newest unfinished batch."""
        for line in self._state.batches:
            if line.done < line.size:
                done = await self._client.cancel_many(await inspect.batch_ids(self._client.database, line.id))
                return f"{counted(len(done.ended) + len(done.asked))} of {line.name} cancelled."
        return "No batch has anything left to cancel."

    async def retry(self) -> str:
        """Run the failures it shows again."""
        again = await self._client.retry_many(self._state.failed_ids, ["failed"]) if self._state.failed_ids else ()
        return f"{counted(len(again))} will run again."


_BUTTONS = (
    ("pause", "Pause", "Nothing more is claimed from this pool's queues, by any pool"),
    ("resume", "Resume", "Let the queues go on"),
    ("cancel", "Cancel batch", "Cancel what is left of the newest unfinished batch: click twice"),
    ("retry", "Retry failed", "Run the failures below again"),
    ("stop", "Stop", "Stop the pool: what runs ends first"),
)
_ASKED_TWICE = {"cancel"}


class _Widgets:
    """ipywidgets' core widgets: an HTML per part, buttons, and a line that says what a click did."""

    def __init__(self, library: Any, shown: Panel) -> None:
        self._panel = shown
        self._parts = [library.HTML(part(shown._state)) for part in pages.PARTS]
        self._said = library.HTML("")
        buttons = []
        for word, label, tip in _BUTTONS:
            button = library.Button(description=label, tooltip=tip, layout=library.Layout(width="auto"))
            button.on_click(self._clicked(word, label))
            buttons.append(button)
        self._buttons = buttons
        first, *rest = self._parts
        self._box = library.VBox([first, library.HBox([*buttons, self._said]), *rest])

    @classmethod
    def make(cls, shown: Panel) -> _Widgets | None:
        """The widgets, or None where ipywidgets is not installed."""
        try:
            import ipywidgets
        except ImportError:
            return None
        return cls(ipywidgets, shown)

    def view(self) -> dict[str, Any]:
        """The part of a bundle that shows them."""
        return {
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self._box.model_id,
            }
        }

    def draw(self, state: State) -> None:
        """Send what has changed."""
        for widget, part in zip(self._parts, pages.PARTS, strict=True):
            value = part(state)
            if widget.value != value:
                widget.value = value

    def close(self) -> None:
        """Take them from the page."""
        self._box.close()
        for widget in (*self._parts, *self._buttons, self._said):
            widget.close()

    def _clicked(self, word: str, label: str) -> Callable[[Any], None]:
        action: Callable[[], Coroutine[Any, Any, str]] = getattr(self._panel, word)
        is_sure = word not in _ASKED_TWICE

        def clicked(button: Any) -> None:
            nonlocal is_sure
            if not is_sure:
                is_sure, button.description = True, f"{label}: sure?"
                return
            is_sure, button.description = word not in _ASKED_TWICE, label
            background.submit(self._act(action))

        return clicked

    async def _act(self, action: Callable[[], Coroutine[Any, Any, str]]) -> None:
        import html

        try:
            said = await action()
            self._panel._state = await self._panel._reading.read(whole=True)
            self.draw(self._panel._state)
        except CurrantError as error:
            said = str(error)
        except Exception:  # noqa: BLE001 - the loop goes on, and the click is answered
            _log.warning("a button of the panel failed", exc_info=True)
            said = "That failed: see the log."
        self._said.value = html.escape(printable(said))
