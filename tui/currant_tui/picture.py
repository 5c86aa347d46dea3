"""A picture of the dashboard as SVG, with no terminal: for a notebook, a page, a bug report."""

from __future__ import annotations

import asyncio
import re
import time

from currant_tui.app import CurrantApp
from currant_tui.keymap import Preferences
from currant_tui.view import Lab

__all__ = ["SIZE", "picture", "settled"]

SIZE = (120, 36)
"""Columns and lines."""
_NUMBER = re.compile(r"terminal-\d+-")
_FONT = re.compile(r"@font-face\s*{[^}]*}\s*")
_CLIPPED = re.compile(
    r' clip-path="url\(#[\w-]*-line-\d+\)"|<clipPath id="[\w-]*-line-\d+">.*?</clipPath>\s*', re.DOTALL
)
_DIGITS = re.compile(r'="(\d+\.\d)\d+"')


async def picture(
    lab: Lab, *, view: str = "overview", size: tuple[int, int] = SIZE, theme: str = "currant-dark", seconds: float = 0.0
) -> str:
    """The dashboard as it looks after `seconds` of following.

    Raises:
        CurrantError: the database can't be reached, say.
    """
    app = CurrantApp(lab, view=view, preferences=Preferences(theme=theme))
    async with app.run_test(size=size) as pilot:
        begun = time.monotonic()
        while app.failure is None and (app.painted == 0 or time.monotonic() - begun < seconds):
            await asyncio.sleep(0.05)
            await pilot.pause()
        if app.failure is None:
            for _ in range(2):  # what was laid out by the first picture gives the bars their room
                await pilot.pause()
                app.apply()
            await pilot.pause()
            return settled(app.export_screenshot(title="currant-tui", simplify=True))
    raise app.failure


def settled(svg: str, name: str = "currant") -> str:
    """An SVG whose ids say nothing of the process that made it, that asks the network for no font, and is a fifth
    smaller: no line is wider than its place, so none needs to be clipped.

    Args:
        svg: as Textual makes it.
        name: keeps the ids apart from those of another picture on the same page.
    """
    fonts = "Fira Code, DejaVu Sans Mono, monospace"
    smaller = _DIGITS.sub(r'="\1"', _CLIPPED.sub("", _FONT.sub("", svg)))
    # A block fills its line at 21 pixels; at 20 there is a gap between one line's blocks and the next one's.
    smaller = smaller.replace("font-size: 20px", "font-size: 21px")
    return _NUMBER.sub(f"{name}-", smaller).replace("Fira Code, monospace", fonts)
