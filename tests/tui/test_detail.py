"""One execution on its screen: every part of it, any text in it, and the person's own pager in a real terminal."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from currant_tui.drawing.lines import plain_line
from currant_tui.drawing.wrapping import wrapped
from currant_tui.views.detail import DetailScreen
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.conftest import Leased
from tests.tui.looking import HOSTILE, app_on, execute, fail, screen_of, shown, submit, told, until


async def _hostile(leased: Leased) -> None:
    """A failed execution with the same hostile text in every field that takes any."""
    await fail(leased, 1, HOSTILE, HOSTILE, HOSTILE + "\nsecond line")
    earlier = [{"attempt": 1, "pool": 7, "started_at": "2026-01-01T10:00:00+00:00",
                "finished_at": "2026-01-01T10:00:01+00:00",
                "error": {"type": HOSTILE, "message": HOSTILE, "traceback": f"earlier {HOSTILE}"}}]  # fmt: skip
    await execute(
        leased,
        "UPDATE SCHEMA.history SET args = $1, logs = $2, progress_note = $2, progress = 0.4, attempts = $3::jsonb,"
        " source = 'v1', batch = 1, attempt = 2",
        json.dumps([HOSTILE, "y" * 50_000], ensure_ascii=False).encode(), HOSTILE, json.dumps(earlier),
    )  # fmt: skip
    await execute(leased, "INSERT INTO SCHEMA.batches (name, job, size) VALUES ($1, 'j', 1)", HOSTILE)
    await execute(leased, "INSERT INTO SCHEMA.sources (version, job, source) VALUES ('v1', 'j', $1)", HOSTILE)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_every_part_is_shown_whatever_stands_in_it(leased: Leased, size: tuple[int, int]) -> None:
    await _hostile(leased)
    app = app_on(leased, view="executions")
    async with app.run_test(size=size) as pilot:
        await shown(app, pilot, lambda text: "1 to 1 of 1" in text)
        await pilot.press("enter")
        screen = await shown(app, pilot, lambda text: "submitted" in text)
        assert "✗ failed" in screen
        assert screen.count("boom [/foo] ␛[31m ‹U+202E›") >= 4
        assert "attempt    2" in screen
        await pilot.press("2")
        await shown(app, pilot, lambda text: "yyyyyyyyyyyyyyyy" in text)
        await pilot.press("G")
        await pilot.pause()
        assert "y" * 40 in screen_of(app)
        await pilot.press("3")
        await shown(app, pilot, lambda text: "It ended without a result." in text)
        await pilot.press("tab")
        await shown(app, pilot, lambda text: "Traceback of boom [/foo] ␛[31m" in text and "attempt 1:" in text)
        await pilot.press("y")
        assert "Traceback of boom [/foo] ␛[31m" in app.clipboard
        assert "\x1b" not in app.clipboard
        await pilot.press("l")
        await shown(app, pilot, lambda text: "boom [/foo] ␛[31m" in text and "Traceback of" not in text)
        await pilot.press("6")
        await shown(app, pilot, lambda text: "1  boom [/foo] ␛[31m" in text)
        await pilot.press("9")  # another view's key does nothing here
        assert isinstance(app.screen, DetailScreen)
        await pilot.press("v")
        await told(app, pilot, "no terminal here")
        await pilot.press("escape")
        await shown(app, pilot, lambda text: "1 to 1 of 1" in text)


async def test_what_moves_is_followed(leased: Leased) -> None:
    await submit(leased, 1)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(100, 30)) as pilot:
        await shown(app, pilot, lambda text: "1 to 1 of 1" in text)
        await pilot.press("enter")
        await shown(app, pilot, lambda text: "○ pending" in text and "submitted" in text)
        await execute(leased, "UPDATE SCHEMA.executions SET priority = 7")
        await shown(app, pilot, lambda text: "priority 7" in text)
        await pilot.press("5")
        await shown(app, pilot, lambda text: "It has not started" in text)
        await execute(leased, "DELETE FROM SCHEMA.executions")
        await shown(app, pilot, lambda text: "there is no execution" in text)


async def test_the_pager_gets_the_whole_text_and_nobody_listens_meanwhile(leased: Leased, tmp_path: Path) -> None:
    await execute(
        leased, "SELECT SCHEMA.submit('a:job', to_jsonb(ARRAY[repeat('z', 200000), $1::text]))", "the end [/x]"
    )
    opened, closed, pager = tmp_path / "opened", tmp_path / "closed", tmp_path / "pager"
    os.mkfifo(closed)
    pager.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/copy && mv {tmp_path}/copy {opened}\ncat {closed}\n')
    pager.chmod(pager.stat().st_mode | stat.S_IXUSR)
    terminal, inside = pty.openpty()
    env = leased.env | {"PAGER": str(pager), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    words = [sys.executable, "-m", "currant_tui", "--view", "executions"]
    seen = bytearray()
    asyncio.get_running_loop().add_reader(terminal, lambda: seen.extend(os.read(terminal, 65536)))
    with subprocess.Popen(words, env=env, stdin=inside, stdout=inside, stderr=inside, start_new_session=True) as app:
        try:
            await _seen(seen, "a:job")
            os.write(terminal, b"\r")
            await _seen(seen, "submitted")
            os.write(terminal, b"2v")
            await until(None, lambda: _is(opened.exists()))
            while await _listeners(leased):  # the server notices the end of a connection a moment after the client
                pass
            text = opened.read_text()
            assert text.count("z") == 200_000
            assert "the end [/x]" in text
            with closed.open("w"):
                pass
            await until(None, lambda: _has_listeners(leased))
            seen.clear()
            os.write(terminal, b"q")
            await _seen(seen, "a:job")
            os.write(terminal, b"q")
            await until(None, lambda: _is(app.poll() is not None))
        finally:
            asyncio.get_running_loop().remove_reader(terminal)
            app.kill()
            os.close(inside)
            os.close(terminal)


async def _is(fact: bool) -> bool:
    return fact


async def _seen(seen: bytearray, text: str) -> None:
    await until(None, lambda: _is(text.encode() in seen))


async def _listeners(leased: Leased) -> int:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' || $1 || '%'"
    number: Any = (await execute(leased, sql, leased.schema))[0][0]
    return int(number)


async def _has_listeners(leased: Leased) -> bool:
    return await _listeners(leased) > 0


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc"]))), st.integers(2, 40))
def test_wrapping_loses_nothing_and_fits(texts: list[str], width: int) -> None:
    lines = wrapped([[(text, ""), (text, "bad")] for text in texts], width)
    assert all(cell_len(plain_line(line)) <= width for line in lines)
    assert "".join(map(plain_line, lines)) == "".join(text * 2 for text in texts)
