"""How the dashboard looks: three sizes, two themes, drawn from a recording of a real run, with no clock but its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from currant_tui.app import CurrantApp
from currant_tui.keymap import Preferences
from currant_tui.view import Lab

from currant_lab.settings import load
from currant_lab.watch.replay import Replay
from tests.tui.conftest import Pictures
from tests.tui.listed import listed
from tests.tui.looking import shown

LIVELY = Path(__file__).parent / "fixtures" / "lively.cur"
LOOKS = 40
SMALL, MIDDLE, LARGE = (80, 24), (120, 36), (200, 50)
DARK, LIGHT = "currant-dark", "currant-light"

SHOTS = {
    "overview": [(SMALL, DARK), (MIDDLE, LIGHT), (LARGE, DARK), (SMALL, LIGHT)],
    "claims": [(SMALL, DARK), (MIDDLE, LIGHT), (LARGE, DARK)],
    "latency": [(SMALL, LIGHT), (MIDDLE, DARK), (LARGE, LIGHT)],
    "pools": [(SMALL, DARK), (MIDDLE, LIGHT)],
}


@pytest.mark.parametrize("view", SHOTS)
async def test_a_page_looks_as_it_was_found_good(view: str, pictures: Pictures) -> None:
    app = _app(view)
    async with app.run_test(size=MIDDLE) as pilot:
        await shown(app, pilot, lambda text: "REPLAY" in text and "lab@db.example" in text)
        wrong = await _taken(app, pilot, pictures, view, SHOTS[view])
    assert not list(filter(None, wrong)), "\n".join(filter(None, wrong))


LISTS = {
    "executions": [(SMALL, DARK), (MIDDLE, LIGHT), (LARGE, LIGHT)],
    "failures": [(SMALL, LIGHT), (MIDDLE, DARK), (LARGE, LIGHT)],
    "batches": [(SMALL, DARK), (MIDDLE, LIGHT), (LARGE, DARK)],
    "database": [(SMALL, LIGHT), (MIDDLE, DARK)],
    "workflows": [(SMALL, DARK), (MIDDLE, LIGHT)],
}
RUNS = {
    "tree": ("1", [(SMALL, DARK), (MIDDLE, LIGHT), (LARGE, DARK)]),
    "timeline": ("2", [(SMALL, LIGHT), (MIDDLE, DARK), (LARGE, LIGHT)]),
    "graph": ("3", [(SMALL, DARK), (MIDDLE, LIGHT), (LARGE, DARK), (LARGE, LIGHT)]),
}


def _app(view: str, monkeypatch: pytest.MonkeyPatch | None = None) -> CurrantApp:
    replay = Replay(LIVELY)
    replay.seek(75.0)
    replay.paused = True
    if monkeypatch is not None:
        replay.database = listed(monkeypatch, replay.board.now)
    app = CurrantApp(Lab(replay, load(), read_only=True), view=view, preferences=Preferences(theme=DARK))
    app.animation_level = "none"
    return app


async def _taken(
    app: CurrantApp, pilot: Any, pictures: Pictures, name: str, shots: list[tuple[tuple[int, int], str]]
) -> list[str | None]:
    """What is wrong with the pictures of what is seen now."""
    wrong = []
    for size, theme in shots:
        app.theme = theme
        await pilot.resize_terminal(*size)
        full = f"{name}-{size[0]}x{size[1]}-{theme.removeprefix('currant-')}"
        for _ in range(LOOKS):  # what a new size moves is painted a little later
            await pilot.pause()
            app.apply()
            svg = app.export_screenshot(title="currant-tui", simplify=True)
            if pictures.is_known(full, svg):
                break
            await asyncio.sleep(0.05)
        wrong.append(pictures.check(full, svg))
    return wrong


@pytest.mark.parametrize("view", LISTS)
async def test_a_list_looks_as_it_was_found_good(
    view: str, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = _app(view, monkeypatch)
    seen = {"executions": "1 to 12", "failures": "TimeoutError", "batches": "given up", "database": "pid 4711"}
    async with app.run_test(size=MIDDLE) as pilot:
        await shown(app, pilot, lambda text: seen.get(view, "import_all") in text)
        wrong = await _taken(app, pilot, pictures, view, LISTS[view])
    assert not list(filter(None, wrong)), "\n".join(filter(None, wrong))


@pytest.mark.parametrize("page", RUNS)
async def test_a_run_looks_as_it_was_found_good(page: str, pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _app("workflows", monkeypatch)
    key, shots = RUNS[page]
    async with app.run_test(size=MIDDLE) as pilot:
        await shown(app, pilot, lambda text: "import_all" in text)
        await pilot.press("enter")
        await shown(app, pilot, lambda text: "9 event approved" in text)
        await pilot.press("j", "j", "j", key)
        await shown(app, pilot, lambda text: "▌" in text or "┏" in text)
        wrong = await _taken(app, pilot, pictures, f"run-{page}", shots)
    assert not list(filter(None, wrong)), "\n".join(filter(None, wrong))


async def test_a_picture_that_changed_is_shown_beside_the_old_one(tmp_path: Path) -> None:
    svg = '<svg class="terminal-123-x"><text class="terminal-123-r1">one</text></svg>'
    pictures = Pictures(tmp_path, tmp_path, write=True)
    assert pictures.check("a", svg) is None
    pictures.write = False
    assert pictures.check("a", svg.replace("123", "456")) is None, "ids of another process are no difference"
    assert pictures.check("b", svg) is not None
    told = pictures.check("a", svg.replace("one", "two"))
    assert told == f"a looks different: {tmp_path / 'a.html'}"
    page = (tmp_path / "a.html").read_text()
    assert "one" in page
    assert "two" in page
