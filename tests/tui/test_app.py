"""The dashboard on a real database: what it shows, what its keys do, and that nobody's text ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from currant_tui.app import CurrantApp
from currant_tui.command import main
from currant_tui.drawing.charts import braille, spark
from currant_tui.help import HelpScreen
from currant_tui.safe import plain
from currant_tui.view import Lab
from currant_tui.widgets.table import Table
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.settings import load
from currant_lab.watch.live import Live
from tests.conftest import Leased

HOSTILE = "boom [/foo] \x1b[31m ‮ \U0001f347"


async def _submit(leased: Leased, queue: str, number: int) -> None:
    conn = await leased.connect()
    await conn.execute(f"SELECT {leased.schema}.submit('a:job', '[]', $1) FROM generate_series(1, $2)", queue, number)
    await conn.close()


def _app(leased: Leased) -> CurrantApp:
    live = Live(load(database=leased.url, schema=leased.schema))
    return CurrantApp(Lab(live, live.settings, read_only=True))


def _screen(app: CurrantApp) -> str:
    """What a terminal would show."""
    width, height = app.size
    lines: list[str] = []
    for line in app.screen._compositor.render_strips()[:height]:
        lines.append(line.text[:width])
    return "\n".join(lines)


async def _shown(app: CurrantApp, pilot: Any, true: Callable[[str], bool]) -> str:
    while not true(screen := _screen(app)):
        await asyncio.sleep(0.05)
        await pilot.pause()
    return screen


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_a_queue_that_nobody_serves_is_seen_and_named(leased: Leased, size: tuple[int, int]) -> None:
    await _submit(leased, HOSTILE, 1_204)
    app = _app(leased)
    async with app.run_test(size=size) as pilot:
        screen = await _shown(app, pilot, lambda text: "1,204" in text)
        assert "boom [/foo] ␛[31m" in screen
        assert "no pool listens" in screen
        assert "READ-ONLY" in screen
        assert "LIVE" in screen


async def test_keys_turn_views_help_and_the_curve(leased: Leased) -> None:
    await _submit(leased, "mail", 3)
    app = _app(leased)
    async with app.run_test(size=(120, 36)) as pilot:
        await _shown(app, pilot, lambda text: "done per second, all queues" in text)
        await pilot.press("m")
        await _shown(app, pilot, lambda text: "submitted per second, all queues" in text)
        await pilot.press("t", "enter")
        await _shown(app, pilot, lambda text: "submitted per second, mail" in text and "15 minutes" in text)
        await pilot.press("2")
        await _shown(app, pilot, lambda text: "No pool is there" in text)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await pilot.press("space")
        await _shown(app, pilot, lambda text: "PAUSED" in text)
        await pilot.press("1")
        await pilot.pause()
        assert app.query_one("#queues", Table).place == 0


async def test_a_terminal_too_small_is_told_kindly(leased: Leased) -> None:
    app = _app(leased)
    async with app.run_test(size=(40, 10)) as pilot:
        screen = await _shown(app, pilot, lambda text: "80 x 24" in text)
        assert "40 x" in screen


async def test_a_database_that_goes_away_is_told_and_comes_back(leased: Leased) -> None:
    await _submit(leased, "mail", 3)
    app = _app(leased)
    async with app.run_test(size=(120, 36)) as pilot:
        await _shown(app, pilot, lambda text: "LIVE" in text)
        app.lab.board.lost("the server has gone", app.lab.board.now)
        app.apply()
        await pilot.pause()
        screen = _screen(app)
        assert "AWAY" in screen
        assert "mail" in screen
        await _shown(app, pilot, lambda text: "LIVE" in text)


async def test_one_picture_for_a_log_and_for_a_program(leased: Leased, capsys: pytest.CaptureFixture[str]) -> None:
    await _submit(leased, HOSTILE, 2)
    words = ["--once", "--database", leased.url, "--schema", leased.schema]
    assert await asyncio.to_thread(main, words) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "no pool listens" in text
    assert await asyncio.to_thread(main, [*words, "--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert [(queue["name"], queue["waiting"]) for queue in read["queues"]] == [(HOSTILE, 2)]
    assert read["totals"]["waiting"] == 2


def test_no_database_and_wrong_words_have_their_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--once", "--database", "postgresql://nobody@127.0.0.1:1/nothing"]) == 1
    assert "currant-tui: " in capsys.readouterr().err
    assert main(["--json"]) == 2


@given(st.text())
def test_any_text_is_one_readable_line(text: str) -> None:
    assert plain(text).isprintable() or not text


@given(st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=300), st.integers(1, 60), st.integers(1, 12))
def test_curves_fill_their_place_and_no_more(values: list[float | None], width: int, height: int) -> None:
    assert len(spark(values, width)) == width
    lines = braille(values, width, height, max((value for value in values if value is not None), default=0.0))
    assert [len(line) for line in lines] == [width] * height
