"""The live panel: what this kernel's pool does, redrawn while cells run, with buttons."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from currant_lab import session
from currant_lab.client import current
from currant_lab.database import control, inspect
from currant_lab.loop import background
from currant_lab.notebook import panel_pages as pages
from currant_lab.notebook.living import Living, Shown, can_live
from currant_lab.notebook.panel_buttons import Buttons
from currant_lab.notebook.panel_state import BatchLine, Reading, State
from currant_lab.notebook.views import View, counted

if TYPE_CHECKING:
    from currant_lab.pool.pool import Pool

__all__ = ["Panel", "panel"]


def panel() -> Panel | View:
    """The live panel of this kernel's pool, to be the last expression of a cell; a sentence where none runs."""
    running = session.running_pool()
    if running is None:
        return View("No pool runs in this kernel: `%currant start` starts one, then `%currant panel` shows it.")
    return Panel(running)


class Panel:
    """A pool's state, shown live in a cell until `close()`, until the pool stops, or until it is shown again.

    Live means ipywidgets, else (in a kernel without them) one display that is written over, at most four times a
    second. Under `CI`, with `CURRANT_ANIMATION=0`, where nobody is there to look, and outside of a kernel it is shown
    once, as it stands. Batches and failures are those of this notebook's jobs.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._client = current.get()
        self._reading = Reading(self._client, pool)
        self._living: Living | None = None
        self._state: State = background.run(self._reading.read(whole=True))

    @property
    def is_live(self) -> bool:
        """Whether it is being redrawn."""
        return self._living is not None and self._living.is_live

    def close(self) -> None:
        """Draw the last state, without buttons, and stop. Harmless when called again."""
        if self._living is not None:
            self._living.close()

    def refresh(self) -> None:
        """Read everything now."""
        self._state = background.run(self._reading.read(whole=True))

    def __repr__(self) -> str:
        return pages.text(self._state)

    def _repr_html_(self) -> str:
        return self._shown().html

    def _ipython_display_(self) -> None:
        self.close()
        self.refresh()
        if can_live() and self._pool.is_running:
            self._living = Living(self._moment, self._shown(), Buttons(self))
            self._living.show()
            return
        from IPython import display

        display.display({"text/plain": repr(self), "text/html": self._repr_html_()}, raw=True)  # type: ignore[no-untyped-call]

    async def _moment(self, whole: bool) -> Shown:
        self._state = await self._reading.read(whole=whole)
        return self._shown()

    def _shown(self) -> Shown:
        state = self._state
        return Shown(pages.parts(state), pages.text(state), state.is_stopped, state.is_idle)

    # For its buttons, on the background loop; each action returns what to say.

    @property
    def lines(self) -> tuple[BatchLine, ...]:
        """The batches it shows."""
        return self._state.batches

    async def again(self) -> None:
        """Read and draw everything now."""
        if self._living is not None:
            self._living.draw(await self._moment(whole=True))

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

    async def cancel(self, batch: BatchLine) -> str:
        """Cancel what is left of a batch."""
        done = await self._client.cancel_many(await inspect.batch_ids(self._client.database, batch.id))
        return f"{counted(len(done.ended) + len(done.asked))} of {batch.name} cancelled."

    async def retry(self, batch: BatchLine) -> str:
        """Run again what has failed of a batch."""
        ids = await inspect.batch_ids(self._client.database, batch.id)
        again = await self._client.retry_many(ids, ["failed"])
        return f"{counted(len(again))} of {batch.name} will run again."
