"""The dashboard on a real database: what it shows, what its keys do, and that nobody's text ends it."""

from __future__ import annotations

import asyncio
import json

import pytest
from currant_tui.command import main
from currant_tui.help import HelpScreen
from currant_tui.safe import plain
from currant_tui.widgets.table import Table
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.errors import DatabaseUnavailable
from currant_lab.watch.asking import Asking
from tests.conftest import Leased
from tests.tui.looking import HOSTILE, SIZES, app_on, shown, submit


@pytest.mark.parametrize("size", SIZES)
async def test_a_queue_that_nobody_serves_is_seen_and_named(leased: Leased, size: tuple[int, int]) -> None:
    await submit(leased, 1_204, queue=HOSTILE)
    app = app_on(leased, read_only=True)
    async with app.run_test(size=size) as pilot:
        screen = await shown(app, pilot, lambda text: "1,204" in text)
        assert "boom [/foo] ␛[31m" in screen
        assert "no pool listens" in screen
        assert "READ-ONLY" in screen
        assert "LIVE" in screen


async def test_keys_turn_views_help_and_the_curve(leased: Leased) -> None:
    await submit(leased, 3, queue="mail")
    app = app_on(leased, read_only=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "Depth, all queues" in text and "Latency, all queues" in text)
        await pilot.press("down", "t")
        await shown(app, pilot, lambda text: "Depth, mail" in text and "15 min" in text)
        await pilot.press("6")
        await shown(app, pilot, lambda text: "No pool is there" in text)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await pilot.press("z")
        await shown(app, pilot, lambda text: "PAUSED" in text)
        await pilot.press("1")
        await pilot.pause()
        assert app.query_one("#queues", Table).place == 1


async def test_a_terminal_too_small_is_told_kindly(leased: Leased) -> None:
    app = app_on(leased, read_only=True)
    async with app.run_test(size=(40, 10)) as pilot:
        screen = await shown(app, pilot, lambda text: "80 x 24" in text)
        assert "40 x" in screen


async def test_a_database_that_goes_away_is_told_and_comes_back(
    leased: Leased, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("the server has gone")

    await submit(leased, 3, queue="mail")
    app = app_on(leased, read_only=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "LIVE" in text)
        with monkeypatch.context() as away:
            for name in ("next", "whole"):
                away.setattr(Asking, name, nobody)
            screen = await shown(app, pilot, lambda text: "AWAY" in text)
            assert "mail" in screen
        await shown(app, pilot, lambda text: "LIVE" in text)


async def test_one_picture_for_a_log_and_for_a_program(leased: Leased, capsys: pytest.CaptureFixture[str]) -> None:
    await submit(leased, 2, queue=HOSTILE)
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
