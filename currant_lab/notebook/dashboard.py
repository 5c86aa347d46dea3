"""`%currant tui`: a picture of the dashboard in the cell, and the command that opens it in a terminal.

The dashboard is a distribution of its own, and a terminal's application would not share the kernel's loop: so it draws
in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from importlib.util import find_spec

from currant_lab import session
from currant_lab.database.url import parse
from currant_lab.errors import CurrantError
from currant_lab.notebook.views import View
from currant_lab.settings import Settings

__all__ = ["dashboard"]

SIZE = "110x30"
_PATIENCE_S = 30.0


def dashboard(view: str = "overview", seconds: float = 1.5) -> View:
    """Show a picture of the dashboard, and say how to open it.

    Args:
        view: the page, by its name or number.
        seconds: how long it follows the database before, so that there are rates.

    Raises:
        CurrantError: `currant-tui` isn't installed, or can't reach the database.
    """
    if find_spec("currant_tui") is None:
        raise CurrantError("the dashboard is a package of its own: pip install currant-tui")
    from IPython import display

    settings = session.settings()
    svg = _picture(settings, view, seconds)
    name = "currant" + hashlib.sha256(svg.encode()).hexdigest()[:8]  # pictures of one page must not share their styles
    display.display(display.SVG(svg.replace("currant-", f"{name}-")))  # type: ignore[no-untyped-call]
    return View(f"{_command(settings)} opens it in a terminal", notes=_notes(settings))


def _picture(settings: Settings, view: str, seconds: float) -> str:
    words = ["--once", "--svg", "--size", SIZE, "--view", view, "--seconds", f"{seconds:g}"]
    env = os.environ | {"CURRANT_SCHEMA": settings.schema}
    if settings.database is not None:
        env["CURRANT_DATABASE_URL"] = settings.database
    try:
        done = subprocess.run(
            [sys.executable, "-m", "currant_tui", *words],
            stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=_PATIENCE_S + seconds, encoding="utf-8",
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CurrantError(f"the dashboard has drawn nothing within {_PATIENCE_S + seconds:g} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"the dashboard has ended with {done.returncode}"]
        raise CurrantError(said[-1].removeprefix("currant-tui: "))
    return done.stdout


def _command(settings: Settings) -> str:
    words = ["currant-tui"]
    if settings.database is not None and settings.database != os.environ.get("CURRANT_DATABASE_URL"):
        words += ["--database", str(parse(settings.database))]
    if settings.schema != os.environ.get("CURRANT_SCHEMA", "currant"):
        words += ["--schema", settings.schema]
    return shlex.join(words)


def _notes(settings: Settings) -> tuple[str, ...]:
    if settings.database is not None and parse(settings.database).password is not None:
        return ("The password is not in this line: the terminal needs it in CURRANT_DATABASE_URL or in ~/.pgpass.",)
    return ()
