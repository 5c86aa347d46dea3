"""Runs of workflows from the keyboard, on a real database with a real pool: the list, the tree, a signal, a fork."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from currant_tui.app import CurrantApp
from currant_tui.asking import Question
from currant_tui.drawing.runs import branches, step_row
from currant_tui.views.detail import DetailScreen
from currant_tui.views.run import RunScreen
from currant_tui.views.step import StepScreen
from msgspec.structs import replace
from textual.widgets import Input

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.watch.runs import RunTree, StepInfo
from tests.conftest import Leased
from tests.pool.conftest import pool, start
from tests.tui.looking import HOSTILE, app_on, begun, execute, shown, told, typed, until

__all__ = ["pool", "start"]


@job
async def extract(x: int) -> int:
    return x


@job
async def breaks() -> None:
    raise ValueError(HOSTILE)


@workflow
async def inner(x: int) -> int:
    return await extract.run(x)


@workflow
async def nightly(x: int) -> list[Any]:
    first = await extract.run(x)
    parts = await extract.map_run(range(3))
    below = await inner.run(x)
    with contextlib.suppress(currant.ExecutionFailed):
        await breaks.run()
    said = await currant.event("approved")
    return [first, parts, below, said]


async def _asked(app: CurrantApp, pilot: Any, title: str) -> None:
    async def is_asked() -> bool:
        return isinstance(app.screen, Question) and title in app.screen.ask.title

    await until(pilot, is_asked)


async def _answer(pilot: Any, text: str) -> None:
    pilot.app.screen.query_one(Input).value = ""
    await typed(pilot, text)
    await pilot.press("enter")


@pytest.mark.usefixtures("pool")
async def test_a_run_is_opened_signalled_and_forked(leased: Leased) -> None:
    run = await nightly.asubmit(7)
    app = app_on(leased, view="workflows")
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(app, pilot, lambda text: "4/5" in text and "event approved" in text)
        assert "1/1" in screen, "the run inside is one of its own"
        await pilot.press("G")
        await shown(app, pilot, lambda text: "▌◌ waiting" in text or "▌● running" in text)
        await pilot.press("enter")
        screen = await shown(app, pilot, lambda text: "└ 5 event approved" in text)
        lines = [line.rstrip() for line in screen.splitlines()]
        at = next(n for n, line in enumerate(lines) if "├ 1 extract" in line)
        assert [line[1:].strip().split("  ")[0] for line in lines[at : at + 6]] == [
            "├ 1 extract", "├ 2 extract × 3", "├ 3 inner", "│ └ 1 extract", "├ 4 breaks", "└ 5 event approved",
        ]  # fmt: skip
        assert "✗ failed" in lines[at + 4]
        assert "ValueError: boom [/foo]" in lines[at + 4]
        assert "━" in lines[at]
        assert lines[at + 5].endswith("┄"), "it waits to this day"

        await pilot.press("j", "j", "j", "j")
        await shown(app, pilot, lambda text: "error      ValueError: boom [/foo] ␛[31m" in text)
        await pilot.press("enter")
        await shown(app, pilot, lambda text: isinstance(app.screen, StepScreen) and "Traceback" in text)
        await pilot.press("enter")
        await shown(app, pilot, lambda text: isinstance(app.screen, DetailScreen) and "breaks" in text)
        await pilot.press("escape", "G", "s")
        await _asked(app, pilot, "Signal nightly: which event?")
        assert app.screen.query_one(Input).value == "approved", "what it waits for stands there"
        await pilot.press("enter")
        await _asked(app, pilot, "Signal `approved`: with which value?")
        await _answer(pilot, "yes")
        await shown(app, pilot, lambda text: "JSON is expected" in text)
        await _answer(pilot, '{"by": "ann"}')
        await told(app, pilot, "Signal `approved` is sent to nightly")
        assert await run == [7, [0, 1, 2], 7, {"by": "ann"}]
        await shown(app, pilot, lambda text: "✓ succeeded  nightly" in text)

        await pilot.press("f")
        await _asked(app, pilot, "Fork nightly from step 5, approved?")
        await pilot.press("y")
        await told(app, pilot, "nightly from step 5 goes on as ")
        outcome = app.acting.deeds[-1].outcome
        copy = UUID(outcome.removeprefix("goes on as "))
        await pilot.press("s")  # this one has ended
        await _asked(app, pilot, "which event?")
        await pilot.press("enter")
        await _asked(app, pilot, "with which value?")
        await pilot.press("enter")
        await told(app, pilot, "has ended: nobody takes the signal")

        await pilot.press("g", "j", "enter")  # a map: its executions
        await shown(app, pilot, lambda text: "3 of 3 have ended" in text)
        await pilot.press("enter")
        await shown(app, pilot, lambda text: "1 to 3 of 3" in text)
        await pilot.press("9", "ctrl+r")
        await shown(app, pilot, lambda text: str(copy)[:13] in text)
        await pilot.press("g", "f")
        await told(app, pilot, "Open the run: it is forked from a step.")
        await pilot.press("s")
        await _asked(app, pilot, "Signal nightly")
        assert app.screen.query_one(Input).value == "approved"
        await pilot.press("escape")
        assert [(deed.what, deed.state) for deed in app.acting.deeds] == [
            ('Signal `approved` {"by": "ann"}', "done"),
            ("Fork nightly from step 5", "done"),
            ("Signal `approved` true", "failed"),
        ]
        again = currant.get(str(copy))
        await again.asignal("approved", 3)
        assert await again == [7, [0, 1, 2], 7, 3]

        await pilot.press("R")
        await told(app, pilot, "Open the run: it is rerun from a step.")
        await pilot.press("enter")
        await shown(app, pilot, lambda text: "✓ succeeded  nightly" in text)
        await pilot.press("G", "k", "R")

        async def begins() -> list[Any]:
            which = "SELECT number, began_at FROM SCHEMA.steps WHERE execution = $1 ORDER BY number"
            return [tuple(row) for row in await execute(leased, which, copy.bytes)]

        async def is_anew(before: list[Any]) -> bool:
            now = await begins()
            return len(now) == 5 and now[:3] == before[:3] and now[3] != before[3]

        before = await begins()
        await _asked(app, pilot, "Rerun nightly from step 4, breaks?")
        await pilot.press("y")
        await told(app, pilot, "nightly from step 4 goes on")
        await until(pilot, lambda: is_anew(before))
        await shown(app, pilot, lambda text: "✓ succeeded  nightly" in text)
        assert await again == [7, [0, 1, 2], 7, 3], "its signal stays"


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (200, 50)])
async def test_any_name_at_any_size_and_only_looking(leased: Leased, size: tuple[int, int]) -> None:
    await begun(leased, HOSTILE, 30)
    app = app_on(leased, view="workflows", read_only=True)
    async with app.run_test(size=size) as pilot:
        await shown(app, pilot, lambda text: "0/30" in text and "boom [/foo]" in text)
        await pilot.press("s")
        await told(app, pilot, "started with --read-only")
        await pilot.press("enter")
        screen = await shown(app, pilot, lambda text: "event boom [/foo]" in text and "30 steps" in text)
        assert "\x1b" not in screen
        assert "f Fork" in screen
        assert "? Help" in screen
        assert "p Priority" not in screen
        app.said.clear()
        await pilot.press("f")
        await told(app, pilot, "started with --read-only")
        await pilot.press("i")
        await shown(app, pilot, lambda _: isinstance(app.screen, DetailScreen))
        await pilot.press("escape", "escape")
        await shown(app, pilot, lambda text: "0/30" in text)
        assert not isinstance(app.screen, RunScreen)


async def test_no_runs_teaches(leased: Leased) -> None:
    app = app_on(leased, view="workflows")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(app, pilot, lambda text: "@currant.workflow" in text)
        assert "9 Flows" in screen, "its name stands in the bar of views, however narrow"
        await pilot.press("s")
        await told(app, pilot, "There is no run under the cursor.")


def test_a_sleep_ends_when_it_is_due_and_a_submit_at_once() -> None:
    at = datetime.fromtimestamp(0, UTC)
    step = StepInfo(
        1, "sleep", "2 s", "succeeded", at, None, None, datetime.fromtimestamp(2, UTC), None, None, None, None, None,
        None, None, None, None, (),
    )  # fmt: skip
    tree = RunTree(None, [step, replace(step, kind="submit", due_at=None)], {})  # type: ignore[arg-type]
    took = [step_row(branch, 0, 10, 10).cells[2] for branch in branches(tree)]
    assert took == [("2.0s", ""), ("0µs", "")]
