"""The line of keys: what it names, what a click does, and that nothing is made anew when a page is turned."""

from __future__ import annotations

from pathlib import Path

from currant_tui.app import CurrantApp
from currant_tui.drawing.keys import Key, fitting_keys, key_at, key_line
from currant_tui.drawing.lines import length, plain_line
from currant_tui.help import HelpScreen
from currant_tui.view import Lab
from currant_tui.views import VIEWS
from currant_tui.widgets.keys import Keys

from currant_lab.settings import load
from currant_lab.watch.replay import Replay
from tests.tui.looking import screen_of, shown

LIVELY = Path(__file__).parent / "fixtures" / "lively.cur"
HELP, QUIT = Key("question_mark", "?", "Help", "help"), Key("q", "q", "Quit", "quit")
CANCEL = Key("c", "c", "Cancel", "act('cancel')", enabled=False)


def _app() -> CurrantApp:
    replay = Replay(LIVELY)
    replay.seek(75.0)
    replay.paused = True
    app = CurrantApp(Lab(replay, load(), read_only=True))
    app.animation_level = "none"
    return app


def test_what_does_not_fit_goes_whole_but_for_the_key_that_leads_to_all() -> None:
    keys = (CANCEL, HELP, QUIT)
    assert plain_line(key_line(keys, 80)) == "c Cancel ? Help q Quit"
    assert fitting_keys(keys, 22) == [*keys]
    assert fitting_keys(keys, 21) == [CANCEL, HELP]
    assert fitting_keys(keys, 8) == [HELP]
    assert fitting_keys(keys, 2) == [HELP]
    assert [key_at(keys, 80, x) for x in (-1, 0, 7, 8, 9, 14, 15, 21, 22)] == [
        None, CANCEL, CANCEL, None, HELP, HELP, None, QUIT, None,
    ]  # fmt: skip
    assert length(key_line(keys, 80, pointed=HELP)) == length(key_line(keys, 80)), "nothing moves under the mouse"


async def test_a_click_on_a_key_is_as_good_as_the_key() -> None:
    app = _app()
    async with app.run_test(size=(80, 24), tooltips=True) as pilot:
        screen = await shown(app, pilot, lambda text: "lab@db.example" in text and "? Help" in text)
        line = screen.splitlines()[-1]
        await pilot.hover(Keys, offset=(line.index("Hold"), 0))
        assert app.query_one(Keys).tooltip == "hold the picture, or let it go on"
        await pilot.hover(Keys, offset=(79, 0))
        assert app.query_one(Keys).tooltip is None
        await pilot.click(Keys, offset=(line.index("Help"), 0))
        await shown(app, pilot, lambda _: isinstance(app.screen, HelpScreen))


async def test_turning_pages_makes_no_widgets() -> None:
    app = _app()
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "lab@db.example" in text)
        seen = []
        for _ in range(2):
            lines = set()
            for one in VIEWS:
                await pilot.press(one.key)
                await pilot.pause()
                lines.add(screen_of(app).splitlines()[-1].rstrip())
            assert len(lines) > 1, "the line of keys is the page's"
            seen.append(list(app.screen.walk_children(with_self=True)))
        assert seen[0] == seen[1]
