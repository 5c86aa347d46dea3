"""Manners: keys of one's own, vim keys and mouse, the palette, themes that can be read, and no colour where none is
wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
from currant_tui.app import CurrantApp
from currant_tui.keymap import Preferences, read_preferences
from currant_tui.theme import THEMES
from currant_tui.view import Lab
from currant_tui.widgets.table import Table
from textual.color import Color
from textual.command import CommandPalette

from currant_lab.errors import CurrantError
from currant_lab.settings import load
from currant_lab.watch.replay import Replay
from tests.tui.looking import screen_of, shown

LIVELY = Path(__file__).parent / "fixtures" / "lively.cur"


def _app(preferences: Preferences | None = None) -> CurrantApp:
    replay = Replay(LIVELY)
    replay.seek(50.0)
    replay.paused = True
    return CurrantApp(Lab(replay, load(), read_only=True), preferences=preferences)


async def test_vim_keys_the_mouse_and_the_palette() -> None:
    app = _app()
    async with app.run_test(size=(100, 30)) as pilot:
        await shown(app, pilot, lambda text: "reports" in text)
        table = app.query_one("#queues", Table)
        places = []
        for key in ("home", "j", "j", "k", "G", "k", "g"):
            await pilot.press(key)
            places.append(table.place)
        last = len(table.content.rows) - 1
        assert places == [0, 1, 2, 1, last, last - 1, 0]
        await pilot.click(table, offset=(5, 4))
        assert table.place == 3
        await pilot.press("colon")
        await pilot.pause()
        assert isinstance(app.screen, CommandPalette)
        await pilot.press(*"pools")
        await shown(app, pilot, lambda text: "look at pools (6)" in text)
        await pilot.press("down", "enter")
        await shown(app, pilot, lambda text: "newsletter" in text and "lab-1" in text)


async def test_keys_and_theme_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "tui.toml"
    path.write_text('theme = "currant-light"\n[keys]\n"app.theme" = "f9"\n"view.pools" = "x"\n')
    app = _app(read_preferences(path))
    async with app.run_test(size=(100, 50)) as pilot:
        await shown(app, pilot, lambda text: "reports" in text)
        assert app.theme == "currant-light"
        await pilot.press("T")
        assert app.theme == "currant-light"
        await pilot.press("f9")
        assert app.theme == "currant-dark"
        await pilot.press("x")
        await shown(app, pilot, lambda text: "lab-1" in text)
        await pilot.press("question_mark")
        screen = await shown(app, pilot, lambda text: "app.theme" in text)
        assert "f9" in screen


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("theme = 3", "a theme's name is expected"),
        ("colour = 'red'", "'colour' is nothing that can be set"),
        ("[keys]\n'app.quit' = 3", r"\[keys\] takes lines"),
        ("[keys", "can't be read"),
    ],
)
def test_a_file_with_mistakes_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "tui.toml"
    path.write_text(text)
    with pytest.raises(CurrantError, match=told) as failure:
        read_preferences(path)
    assert str(path) in str(failure.value)
    assert read_preferences(tmp_path / "none.toml") == Preferences()


async def test_without_colour_every_sign_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = _app()
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(app, pilot, lambda text: "reports" in text)
        for sign in (
            "✗ no pool listens",
            "▲ queue `newsletter` is paused",
            "! billing",
            "‖ newsletter",
            "‖ REPLAY",
            "READ-ONLY",
        ):
            assert sign in screen
        strips = [strip.apply_filter(one, Color(0, 0, 0)) for strip in app.screen._compositor.render_strips()
                  for one in app._filters]  # fmt: skip
        colours = {
            colour.triplet
            for strip in strips
            for segment in strip
            if segment.style is not None
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None and colour.triplet is not None
        }
        assert colours
        assert all(one.red == one.green == one.blue for one in colours)


def _contrast(one: Color, other: Color) -> float:
    """As WCAG 2 defines it: 4.5 is asked of text, 3 of large text and signs."""

    def luminance(colour: Color) -> float:
        parts = (part / 255 for part in colour.rgb)
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=[theme.name for theme in THEMES])
def test_every_ink_can_be_read(theme: object) -> None:
    grounds = {name: Color.parse(getattr(theme, name)) for name in ("background", "panel")}
    for ink, value in theme.variables.items():  # type: ignore[attr-defined]
        if ink.startswith("ink-") and "heat" not in ink:
            contrast = {name: _contrast(ground, Color.parse(value)) for name, ground in grounds.items()}
            assert contrast["background"] >= 4.5, (ink, contrast)
            assert contrast["panel"] >= 3.5, (ink, contrast)


async def test_a_narrow_window_keeps_the_trouble_in_sight() -> None:
    app = _app()
    async with app.run_test(size=(44, 11)) as pilot:
        screen = await shown(app, pilot, lambda text: "80 x 24" in text)
        assert "this window has 44 x" in screen
        assert "no pool listens" in screen
        await pilot.resize_terminal(80, 24)
        await shown(app, pilot, lambda text: "billing" in text and "this window has" not in text)
        assert "▲" in screen_of(app) or "✗" in screen_of(app)
