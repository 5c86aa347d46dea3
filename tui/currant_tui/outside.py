"""Texts in a person's own pager or editor, while the dashboard waits."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from currant_lab.errors import CurrantError

if TYPE_CHECKING:
    from currant_tui.app import CurrantApp

__all__ = ["show_outside"]


async def show_outside(app: CurrantApp, text: str, name: str, *, editor: bool = False) -> None:
    """Open a text in `$PAGER` (else `less`), or in `$VISUAL` or `$EDITOR` (else `vi`), and wait until it is closed.

    LISTEN is closed meanwhile: nobody would drain its socket, and that holds vacuum back.

    Raises:
        CurrantError: the program can't be run, or there is no terminal to give it.
    """
    wished = (os.environ.get("VISUAL") or os.environ.get("EDITOR")) if editor else os.environ.get("PAGER")
    words = shlex.split(wished or ("vi" if editor else "less"))
    await app.lab.source.suspend()
    try:
        with app.suspend():
            _run(words, text, name)
    except SuspendNotSupported:
        raise CurrantError("there is no terminal here to open it in; y copies it") from None
    except OSError as error:
        raise CurrantError(f"{words[0]} can't be run: {error.strerror}") from None
    finally:
        await app.lab.source.resume()


def _run(words: list[str], text: str, name: str) -> None:
    """Blocks: the terminal belongs to the program until it ends."""
    with tempfile.TemporaryDirectory(prefix="currant-") as folder:
        path = Path(folder, name)
        path.write_text(text, encoding="utf-8", errors="replace")
        subprocess.run([*words, str(path)], check=False)
