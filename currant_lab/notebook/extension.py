"""Loading and unloading in an IPython shell. Both are harmless when done again."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from currant_lab import session
from currant_lab.client.job import set_on_redefine
from currant_lab.errors import CurrantError
from currant_lab.jobs import registry
from currant_lab.notebook import echoing, living
from currant_lab.notebook.completing import Completer
from currant_lab.notebook.views import View, printable

__all__ = ["load", "unload"]

_UNLOAD_DRAIN_S = 2.0

_SHOWN = (
    ("currant_lab.pool.pool", "Pool", "pool"),
    ("currant_lab.client.batch", "Batch", "batch"),
    ("currant_lab.client.handles", "Execution", "execution"),
)


def load(shell: Any) -> None:
    """Add `%currant`, the reprs and the short errors to a shell, and take the notebook's own name for its jobs."""
    from currant_lab.notebook.magics import magic

    shell.register_magic_function(magic(shell), "line_cell", "currant")
    for module, name, page in _SHOWN:
        shell.display_formatter.formatters["text/html"].for_type_by_name(module, name, _html(page))
        shell.display_formatter.ipython_display_formatter.for_type_by_name(module, name, _live)
    setattr(CurrantError, _RENDER, _renderer(shell))
    set_on_redefine(_tell)
    echoing.begin(shell)
    _add_helpers(shell)
    if session.running_pool() is None and session.process_kind() == "kernel":
        # What is submitted before the pool starts must have the name that the pool will look for.
        registry.set_namespace(session.settings().name or session.default_name())


def unload(shell: Any) -> None:
    """Take away what `load` has added, and stop the pool; what runs has 2 s to end, and is given back otherwise."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("currant", None)
    for module, name, _ in _SHOWN:
        for known in ((module, name), getattr(sys.modules.get(module), name, None)):
            display = shell.display_formatter
            for formatter in (display.formatters["text/html"], display.ipython_display_formatter):
                formatter.deferred_printers.pop(known, None)
                formatter.type_printers.pop(known, None)
    echoing.end(shell)
    _take_helpers(shell)
    if hasattr(CurrantError, _RENDER):
        delattr(CurrantError, _RENDER)
    set_on_redefine(None)
    if not _is_reload():
        living.end_all()
        session.stop(timeout=_UNLOAD_DRAIN_S)


def _add_helpers(shell: Any) -> None:
    if getattr(shell, _COMPLETER, None) is None:
        completer = Completer(shell)
        completer.install()
        setattr(shell, _COMPLETER, completer)
        shell.input_transformers_cleanup.insert(0, word_help)


def _take_helpers(shell: Any) -> None:
    completer = getattr(shell, _COMPLETER, None)
    if completer is not None:
        completer.remove()
        delattr(shell, _COMPLETER)
        shell.input_transformers_cleanup.remove(word_help)


def word_help(lines: list[str]) -> list[str]:
    """`%currant start?` means `%currant start -h`: IPython would look for an object of that name."""
    return [_HELP.sub(r"\1 -h", line) for line in lines] if len(lines) == 1 else lines


def _is_reload() -> bool:
    """Whether `%reload_ext` asks, which unloads only to load again: the pool must not notice."""
    frame = sys._getframe()
    names = set()
    while frame.f_back is not None:
        frame = frame.f_back
        names.add(frame.f_code.co_name)
    return "reload_extension" in names


def _tell(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")


def _live(shown: Any) -> None:
    from currant_lab.notebook.panel_objects import live

    live(shown)


def _html(page: str) -> Callable[[Any], str | None]:
    def render(shown: Any) -> str | None:
        from currant_lab.notebook import pages

        try:
            view: View = getattr(pages, page)(shown)
            return view._repr_html_()
        except CurrantError:
            return None  # the text says what is known without the database

    return render


_COMPLETER = "_currant_completer"
_HELP = re.compile(r"^(\s*%currant\s+[a-z]+)\s*\?+\s*$")

_RENDER = "_render_traceback_"
"""The method by which IPython lets an exception say how it is shown."""


def _renderer(shell: Any) -> Callable[[BaseException], list[str]]:
    def render(self: BaseException) -> list[str]:
        lines = _cell_lines(shell, self.__traceback__)
        lines.append(f"{type(self).__name__}: {printable(str(self), lines=True)}".removesuffix(": "))
        lines += [printable(note, lines=True) for note in getattr(self, "__notes__", ())]
        return lines

    return render


def _cell_lines(shell: Any, trace: TracebackType | None) -> list[str]:
    """The lines of the cell, and of the user's own modules, that led to Currant; none for a magic, whose line may
    hold a password."""
    lines: list[str] = []
    for frame in traceback.extract_tb(trace):
        if _module_is(frame.filename, "IPython"):
            if lines:  # a magic
                return []
            continue
        if _module_is(frame.filename, "currant_lab"):
            break
        cell = shell.compile.format_code_name(frame.filename)
        where = " ".join(cell) if cell else f"File {frame.filename}"
        lines.append(f"{where}, line {frame.lineno}\n    {frame.line}")
    return lines


def _module_is(filename: str, package: str) -> bool:
    module = sys.modules.get(package)
    paths = getattr(module, "__path__", ())
    return any(filename.startswith(f"{path}/") for path in paths)
