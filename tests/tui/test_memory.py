"""What was shown and is no more is let go of: a dashboard stays open for days."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from pathlib import Path

from currant_tui.app import CurrantApp
from currant_tui.view import Lab
from currant_tui.views import VIEWS
from textual.widget import Widget

from currant_lab.settings import load
from currant_lab.watch.replay import Replay
from tests.tui.looking import shown, until

LIVELY = Path(__file__).parent / "fixtures" / "lively.cur"
KEYS = (*(one.key for one in VIEWS), VIEWS[0].key, "question_mark", "escape", "a", "escape")


async def test_pages_and_screens_that_are_left_leave_no_widgets() -> None:
    replay = Replay(LIVELY)
    replay.seek(75.0)
    replay.paused = True
    app = CurrantApp(Lab(replay, load(), read_only=True))
    app.animation_level = "none"
    others = weakref.WeakSet(_gone())  # of apps that other tests have run
    held: Counter[str] = Counter()

    async def is_let_go() -> bool:
        held.clear()
        held.update(type(one).__name__ for one in _gone() if one not in others)
        return not held

    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "lab@db.example" in text)
        for key in KEYS:
            await pilot.press(key)
            await pilot.pause()
        try:
            await until(pilot, is_let_go, within_s=40)
        except TimeoutError:
            raise AssertionError(f"still held: {held}") from None


def _gone() -> list[Widget]:
    """The widgets that are on no screen, though something holds them."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Widget) and not one.is_attached]
