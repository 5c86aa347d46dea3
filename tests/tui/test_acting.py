"""Acting from the keyboard on a real database: asked first, done, logged; refused where only looking is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from currant_tui.acting import Meant
from currant_tui.app import CurrantApp
from currant_tui.asking import Question
from currant_tui.deeds import deed_lines
from currant_tui.drawing.lines import plain_line
from currant_tui.views.executions import Executions
from textual.widgets import Input

from currant_lab.control import open_to
from currant_lab.watch.filters import parse
from tests.conftest import Leased, Servers
from tests.tui.looking import HOSTILE, app_on, execute, fail, shown, submit, told, typed, until


async def _statuses(leased: Leased) -> dict[str, int]:
    rows = await execute(leased, "SELECT status, count(*) AS n FROM SCHEMA.all_executions GROUP BY status")
    return {row["status"]: row["n"] for row in rows}


def _deeds(app: CurrantApp) -> list[tuple[str, str, str]]:
    return [(deed.what, deed.outcome, deed.state) for deed in app.acting.deeds]


async def _answered(app: CurrantApp, pilot: Any, keys: list[str]) -> Question:
    await until(pilot, lambda: _true(isinstance(app.screen, Question)))
    question = app.screen
    assert isinstance(question, Question)
    await pilot.press(*keys)
    return question


async def _true(fact: bool) -> bool:
    return fact


async def test_the_row_what_is_tagged_and_all_that_match(leased: Leased) -> None:
    await submit(leased, 5, "mail")
    await submit(leased, 2, "late", delay=3_600)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "1 to 7 of 7" in text)
        view = app.view
        assert isinstance(view, Executions)
        await pilot.press("n")  # the row: what is due later runs now
        question = await _answered(app, pilot, ["y"])
        assert question.ask.title == "Run now 1 execution?"
        await told(app, pilot, "1 let run now")
        assert await _statuses(leased) == {"pending": 6, "scheduled": 1}

        await pilot.press("G", "k", "space", "space")
        await shown(app, pilot, lambda text: "2 tagged, the list holds still" in text)
        await pilot.press("c")
        question = await _answered(app, pilot, ["escape"])  # second thoughts
        assert question.ask.title == "Cancel 2 executions?"
        assert await _statuses(leased) == {"pending": 6, "scheduled": 1}
        await pilot.press("c")
        await _answered(app, pilot, ["y"])
        await told(app, pilot, "2 cancelled: the 2 executions")
        assert await _statuses(leased) == {"pending": 4, "scheduled": 1, "cancelled": 2}
        assert view.table.marked == frozenset()

        view.look("queue:mail")
        await shown(app, pilot, lambda text: "1 to 5 of 5" in text)
        await pilot.press("asterisk")
        await shown(app, pilot, lambda text: "all that match are tagged" in text)
        await pilot.press("p")
        await until(pilot, lambda: _true(isinstance(app.screen, Question)))
        await typed(pilot, "40000")
        await pilot.press("enter")
        await shown(app, pilot, lambda text: "from -32768 to 32767 is expected" in text)
        app.screen.query_one(Input).value = "7"
        await pilot.press("enter")
        await told(app, pilot, "3 given another priority")
        assert await execute(leased, "SELECT count(*) FROM SCHEMA.executions WHERE priority = 7") == [(3,)]
        await pilot.press("asterisk", "r")
        question = await _answered(app, pilot, ["y"])
        assert question.ask.title == "Run again 2 executions?"
        await told(app, pilot, "2 to run again")
        assert await _statuses(leased) == {"pending": 6, "scheduled": 1}

        await pilot.press("g", "r")  # what is pending can't be run again: no question at all
        await told(app, pilot, "is failed or cancelled")
        assert [(outcome, state) for _, outcome, state in _deeds(app)] == [
            ("1 let run now", "done"), ("2 cancelled", "done"), ("3 given another priority", "done"),
            ("2 to run again", "done"),
        ]  # fmt: skip
        await pilot.press("a")
        screen = await shown(app, pilot, lambda text: "newest first" in text and "Cancel 2" in text)
        assert "all that match queue:mail" in screen
        await pilot.press("escape")


async def test_more_than_a_thousand_ask_for_their_number(leased: Leased) -> None:
    await submit(leased, 1_234)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "1 to 200 of 1,234" in text)
        await pilot.press("asterisk", "c")
        await until(pilot, lambda: _true(isinstance(app.screen, Question)))
        await typed(pilot, "123")
        await pilot.press("enter")
        await shown(app, pilot, lambda text: "this is not 1234" in text)
        assert await _statuses(leased) == {"pending": 1_234}
        await pilot.press("4", "enter")
        await told(app, pilot, "1,234 cancelled")
        assert await _statuses(leased) == {"cancelled": 1_234}


async def test_a_queue_is_paused_and_goes_on(leased: Leased) -> None:
    queue = "mail [/foo] שלום"
    await submit(leased, 3, queue)
    app = app_on(leased)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await shown(app, pilot, lambda text: "mail [/foo]" in text)
        await pilot.press("P")
        await told(app, pilot, "no queue under the cursor")  # the first line is all of them
        await pilot.press("j", "P")
        await _answered(app, pilot, ["y"])
        await shown(app, pilot, lambda text: "is paused: 3 wait" in text)
        assert await execute(leased, "SELECT name FROM SCHEMA.queues WHERE paused_at IS NOT NULL") == [(queue,)]
        await pilot.press("P")
        question = await _answered(app, pilot, ["y"])
        assert question.ask.does == "Resume"
        await shown(app, pilot, lambda text: "is paused" not in text)
        await pilot.press("a")
        await shown(app, pilot, lambda text: "mail [/foo]" in text and "✓ done" in text and "goes on" in text)


@pytest.mark.parametrize("why", ["asked", "role"])
async def test_who_may_only_look_is_told_why(
    servers: Servers, leased: Leased, why: str, request: pytest.FixtureRequest
) -> None:
    await submit(leased, 2)
    url = leased.url
    if why == "role":
        role = f"reader_{leased.schema}"

        async def run(sql: str) -> None:
            await (await servers.superuser(leased.server.name)).execute(sql)

        servers.run(run(f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {leased.schema} TO {role};"
                        f"GRANT SELECT ON ALL TABLES IN SCHEMA {leased.schema} TO {role}"))  # fmt: skip
        request.addfinalizer(lambda: servers.run(run(f"DROP OWNED BY {role}; DROP ROLE {role}")))
        url = url.replace("postgres@", f"{role}@", 1)
    reason = {"asked": "started with --read-only", "role": "this user lacks rights"}[why]
    app = app_on(leased, view="executions", read_only=why == "asked", url=url)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await shown(app, pilot, lambda text: "READ-ONLY" in text and "1 to 2 of 2" in text)
        for key in ("c", "r", "n", "p"):
            active = app.screen.active_bindings[key]
            assert (active.enabled, active.binding.action.startswith("act(")) == (False, True)
        await pilot.press("c")
        await told(app, pilot, reason)
        await pilot.press("P", "enter")
        await shown(app, pilot, lambda text: "submitted" in text)
        await pilot.press("c")
        await pilot.press("escape", "a")
        await shown(app, pilot, lambda text: "Nothing was changed from here" in text and reason in text)
        app.acting.begin("cancel", Meant("all", filter=parse("")), pytest.fail)
        assert not app.acting.deeds
    assert await _statuses(leased) == {"pending": 2}


async def test_what_fails_is_logged_as_failed(leased: Leased) -> None:
    await submit(leased, 1)
    await fail(leased, 1, HOSTILE, HOSTILE)
    app = app_on(leased, view="executions")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await shown(app, pilot, lambda text: "1 to 2 of 2" in text)
        app.acting.begin("retry", Meant("them", filter=parse("batch:nix")), pytest.fail)
        await told(app, pilot, "there is no batch")
        assert not app.acting.deeds
        await execute(leased, "ALTER TABLE SCHEMA.executions ADD CONSTRAINT few CHECK (priority < 5)")
        await pilot.press("asterisk", "p")
        await until(pilot, lambda: _true(isinstance(app.screen, Question)))
        await typed(pilot, "7")
        await pilot.press("enter")
        await until(pilot, lambda: _true(bool(app.acting.deeds) and app.acting.deeds[0].state == "failed"))
        assert "few" in app.acting.deeds[0].outcome
        await shown(app, pilot, lambda text: "1 to 2 of 2" in text)
    lines = deed_lines((), "a reason [/x]")
    assert "a reason [/x]" in "".join(map(plain_line, lines))


def test_what_may_be_done_in_which_status() -> None:
    assert {act: set(open_to(act)) for act in ("cancel", "retry", "run_now", "reprioritise")} == {
        "cancel": {"scheduled", "waiting", "pending", "running"},
        "retry": {"failed", "cancelled"},
        "run_now": {"scheduled"},
        "reprioritise": {"scheduled", "waiting", "pending"},
    }
