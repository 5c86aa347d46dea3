"""Output of handlers in the cell that submitted them, on every ipykernel from 6.31 on."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from typing import Any

from currant_lab.pool.capture import current_log, original_of
from currant_lab.pool.echo import echoes

__all__ = ["CellSink", "begin", "end"]


class CellSink:
    """The cell that runs now. ipykernel keeps an output's cell in the context; from 7.4 on it can be set there for
    certain with `set_thread_parent`, before that the copied context has it."""

    def __init__(self, shell: Any) -> None:
        self._streams = {name: original_of(getattr(sys, name)) for name in ("stdout", "stderr")}
        self._context = contextvars.copy_context()
        set_parent = getattr(shell, "set_thread_parent", None)
        if set_parent is not None:
            self._context.run(set_parent, shell.get_parent())
        # Asking for the log again: what this writes must not come back to it.
        self._context.run(current_log.set, None)

    def write(self, stream: str, text: str) -> None:
        """Show `text` in the cell."""
        self._context.copy().run(self._streams[stream].write, text)

    def display(self, publish: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Display in the cell."""
        self._context.copy().run(publish, *args, **kwargs)


def begin(shell: Any) -> None:
    """Let submits know their cell, and take what handlers display into their logs."""
    echoes.here = lambda: CellSink(shell)
    publisher = shell.display_pub
    if "publish" in publisher.__dict__:
        return
    publish = publisher.publish

    def publish_for_handlers(*args: Any, **kwargs: Any) -> None:
        log = current_log.get()
        if log is None:
            publish(*args, **kwargs)
            return
        data = kwargs.get("data") or (args[0] if args else {})
        log.keep(f"{data.get('text/plain', '')}\n")
        if log.echo is not None:
            log.echo.sink.display(publish, *args, **kwargs)

    publisher.__dict__["publish"] = publish_for_handlers


def end(shell: Any) -> None:
    """Undo `begin`."""
    echoes.here = None
    shell.display_pub.__dict__.pop("publish", None)
