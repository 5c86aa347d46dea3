"""The list of executions: the filter line, orders, pages of 200, following, and that any string is shown."""

from __future__ import annotations

from typing import Any

import pytest
from currant_tui.app import CurrantApp
from currant_tui.browsing import Browser, orders
from currant_tui.views.executions import Executions
from textual.events import MouseScrollDown

from currant_lab.database.connect import Database
from currant_lab.errors import DatabaseUnavailable, UnknownExecution
from currant_lab.watch import listing as listing_module
from currant_lab.watch.filters import parse
from currant_lab.watch.listing import Listing
from tests.conftest import Leased
from tests.tui.looking import HOSTILE, app_on, execute, fail, focused, shown, submit, typed


def _view(app: CurrantApp) -> Executions:
    view = app.view
    assert isinstance(view, Executions)
    return view


async def test_a_filter_is_typed_corrected_and_applied(leased: Leased) -> None:
    await submit(leased, 30, "mail")
    await fail(leased, 7, HOSTILE, "nb.Boom", HOSTILE)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "1 to 37 of 37" in text)
        await pilot.press("slash")
        await typed(pilot, "statu:failed")
        screen = await shown(app, pilot, lambda text: "did you mean status?" in text)
        assert "▲" in screen
        await pilot.press("enter")  # what is wrong is not applied
        assert _view(app).line.applied == ""
        await pilot.press("ctrl+u")
        await typed(pilot, "status:failed")
        await pilot.press("enter")
        screen = await shown(app, pilot, lambda text: "1 to 7 of 7" in text)
        assert "pending" not in screen
        assert "boom [/foo] ␛" in screen
        assert len(_view(app).table.content.rows) == 7
        await pilot.press("slash")
        await focused(pilot)
        await pilot.press("up", "up")
        assert _view(app).line.input.value == ""
        await typed(pilot, " queue:nothing")
        await pilot.press("enter")
        screen = await shown(app, pilot, lambda text: "No execution is meant" in text)
        assert "age>5m" in screen
        await pilot.press("escape")
        await shown(app, pilot, lambda text: "1 to 37 of 37" in text)


async def test_words_complete(leased: Leased) -> None:
    await submit(leased, 3, "mail box")
    app = app_on(leased, view="executions")
    async with app.run_test(size=(100, 30)) as pilot:
        await shown(app, pilot, lambda text: "1 to 3 of 3" in text)
        await pilot.press("slash")
        await typed(pilot, "sta")
        await shown(app, pilot, lambda text: "/ status:" in text)
        await pilot.press("right")
        await typed(pilot, "pend")
        await shown(app, pilot, lambda text: "/ status:pending" in text)
        await pilot.press("right")
        await typed(pilot, ' queue:"ma')
        await shown(app, pilot, lambda text: 'queue:"mail box"' in text)
        await pilot.press("right", "enter")
        await shown(app, pilot, lambda text: "1 to 3 of 3" in text)
        assert _view(app).line.applied == 'status:pending queue:"mail box"'


async def test_pages_hold_200_rows_and_the_cursor_stays(leased: Leased) -> None:
    await submit(leased, 450)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "1 to 200 of 450" in text)
        table = _view(app).table
        await pilot.press("G", "j")
        await shown(app, pilot, lambda text: "201 to 400 of 450" in text)
        assert table.place == 0
        await pilot.press("greater_than_sign")
        await shown(app, pilot, lambda text: "401 to 450 of 450" in text)
        await pilot.press("g", "k")
        await shown(app, pilot, lambda text: "201 to 400 of 450" in text)
        assert table.place == 199
        await pilot.press("less_than_sign")
        await shown(app, pilot, lambda text: "1 to 200 of 450" in text)
        await pilot.press("g", *["j"] * 9)
        held = table.cursor
        line = table.place - table.scroll_offset.y
        await submit(leased, 5, "new")
        await pilot.press("ctrl+r")
        await shown(app, pilot, lambda _: table.place == 14)
        assert table.cursor == held
        assert table.place - table.scroll_offset.y == line
        assert len(table.content.rows) == 200


async def test_following_stays_with_the_newest_until_the_cursor_moves(leased: Leased) -> None:
    await submit(leased, 10)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "1 to 10 of 10" in text)
        await pilot.press("j", "f")
        await shown(app, pilot, lambda text: "following" in text)
        await submit(leased, 1, "the newest")
        await shown(app, pilot, lambda text: "the newes" in text)  # by itself
        assert _view(app).table.place == 0
        await pilot.press("j")
        await shown(app, pilot, lambda text: "following" not in text)


async def test_orders_turn_by_key_and_by_title(leased: Leased) -> None:
    await submit(leased, 3)
    await submit(leased, 2, delay=3_600)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "newest first" in text)
        await pilot.press("o")
        await shown(app, pilot, lambda text: "oldest first" in text)
        await pilot.press("o", "o")
        screen = await shown(app, pilot, lambda text: "due soonest first" in text)
        assert "due in" in screen
        title = screen.splitlines()[next(n for n, line in enumerate(screen.splitlines()) if "  job " in line)]
        at = (title.index("age"), screen.splitlines().index(title))
        await pilot.click(offset=at)
        await shown(app, pilot, lambda text: "newest first" in text)
        await pilot.click(offset=at)
        await shown(app, pilot, lambda text: "oldest first" in text)
    assert orders(parse("status:failed")) == ("newest", "oldest")
    assert "priority" in orders(parse("queue:mail"))
    assert "priority" not in orders(parse("queue:m*"))


async def test_the_mouse_tags_moves_and_opens(leased: Leased) -> None:
    await submit(leased, 300)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(120, 36)) as pilot:
        # The line about trouble, when it comes, moves the table.
        await shown(app, pilot, lambda text: "1 to 200 of 300" in text and "no pool listens" in text)
        table = _view(app).table
        await pilot.click(table, offset=(0, 3))  # the margin of the third row
        await pilot.click(table, offset=(0, 5))
        await shown(app, pilot, lambda text: "2 tagged" in text)
        assert table.place == 4
        await pilot.click(table, offset=(0, 5))
        await shown(app, pilot, lambda text: "1 tagged" in text)
        await pilot.click(table, offset=(30, 8))
        assert table.place == 7
        table.post_message(MouseScrollDown(table, 20, 20, 0, 0, 0, False, False, False))
        await shown(app, pilot, lambda _: table.scroll_offset.y > 0)
        assert table.place == 7
        await pilot.press("k", "j", "g")
        await pilot.click(table, offset=(30, 1))  # the row under the cursor
        await shown(app, pilot, lambda text: "submitted" in text)


async def test_what_the_database_failed_once_is_asked_again(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    await submit(leased, 30)
    await fail(leased, 7, "nb:fetch", "nb.Boom")
    failing = {"page": 0, "count": 1}  # how often each is to fail
    for name in failing:
        monkeypatch.setattr(Listing, name, _failing(name, getattr(Listing, name), failing))
    app = app_on(leased, view="executions")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "1 to 37 · newest" in text)
        await pilot.press("ctrl+r")
        await shown(app, pilot, lambda text: "1 to 37 of 37" in text)
        failing["page"] = 1
        _view(app).look("status:failed")
        await shown(app, pilot, lambda text: "nobody answers" in text)
        await pilot.press("ctrl+r")
        await shown(app, pilot, lambda text: "1 to 7 of 7" in text and "nobody answers" not in text)


def _failing(name: str, real: Any, failing: dict[str, int]) -> Any:
    async def asked(*arguments: Any, **more: Any) -> Any:
        failing[name] -= 1
        if failing[name] >= 0:
            raise DatabaseUnavailable("nobody answers")
        return await real(*arguments, **more)

    return asked


async def test_a_database_that_fails_is_told_and_the_list_stays(leased: Leased) -> None:
    await submit(leased, 3)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "1 to 3 of 3" in text)
        _view(app).look("batch:nix")
        screen = await shown(app, pilot, lambda text: "there is no batch" in text)
        assert "nb:fetch" in screen
        assert len(_view(app).table.content.rows) == 3


async def test_a_rare_thing_is_found_deep_down(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_module, "_LOOKS", (20, 50))
    await submit(leased, 1, "rare")
    await submit(leased, 400)
    database = await Database.open(leased.target, leased.schema, migrate=False)
    browser = Browser(Listing(database))
    told: list[int] = []
    await browser.look(parse("queue:rare"), told=lambda: told.append(browser.scanned))
    assert len(browser.rows) == 1
    assert browser.scanned == 401
    assert told == sorted(set(told))
    assert len(told) > 3
    before = (browser.rows, browser.filter, browser.before)
    with pytest.raises(UnknownExecution):
        await browser.look(parse("batch:nix"))
    assert (browser.rows, browser.filter, browser.before) == before
    await database.close()


async def test_what_is_new_joins_what_was_found_deep_down(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_module, "_LOOKS", (20, 30))
    monkeypatch.setattr("currant_tui.browsing._MOST_LOOKS", 4)
    await submit(leased, 300)
    await submit(leased, 1, "rare")
    await submit(leased, 120)
    database = await Database.open(leased.target, leased.schema, migrate=False)
    browser = Browser(Listing(database))
    await browser.look(parse("queue:rare"))
    assert (len(browser.rows), browser.partial) == (1, True)
    await submit(leased, 1, "rare")
    await browser.refresh()
    assert [row.queue for row in browser.rows] == ["rare", "rare"]
    await execute(leased, "DELETE FROM SCHEMA.executions WHERE queue = 'rare'")
    await browser.refresh()
    assert browser.rows == ()
    await database.close()


async def test_any_string_in_every_field_is_shown(leased: Leased) -> None:
    """Names as hostile as the database takes them: through list, filter line and completion."""
    nasty = [
        "[red]", "[/]", "\\[", "\x07\x1b]0;x\x07", "a\tb", "\u202eabc", "👩\u200d👧 ⁉\ufe0f", "x" * 3_000, "[link=x]",
        "e\u0301",
    ]  # fmt: skip
    for name in nasty:
        await fail(leased, 1, name, name, name * 20)
        await submit(leased, 1, name[:190], name[:190])
    app = app_on(leased, view="executions")
    async with app.run_test(size=(200, 50)) as pilot:
        screen: Any = await shown(app, pilot, lambda text: f"of {2 * len(nasty)}" in text)
        for name in nasty:
            _view(app).look(f'job:"{name[:900].replace(chr(92), chr(92) * 2)}"')
            screen = await shown(app, pilot, lambda text: "of 2 " in text or "none" in text)
            assert "\x1b" not in screen
            assert "\x07" not in screen
