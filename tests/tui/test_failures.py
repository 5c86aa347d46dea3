"""What failed, grouped; the group run again, and those of its kind that wait for another attempt cancelled."""

from __future__ import annotations

import json

from currant_tui.asking import Question
from currant_tui.views.executions import Executions
from currant_tui.views.failures import Failures

from tests.conftest import Leased
from tests.tui.looking import HOSTILE, app_on, execute, fail, shown, submit, told, until


async def test_groups_with_a_traceback_lead_to_their_executions(leased: Leased) -> None:
    await fail(leased, 3, "nb:fetch", "ValueError", "first kind")
    await fail(leased, 5, HOSTILE, HOSTILE, HOSTILE)
    app = app_on(leased, view="failures")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(app, pilot, lambda text: "Traceback of boom [/foo] ␛[31m" in text)
        assert screen.index("    5 ") < screen.index("    3 ")
        await pilot.press("j")
        await shown(app, pilot, lambda text: "Traceback of first kind" in text)
        await pilot.press("y")
        assert app.clipboard == "Traceback of first kind"
        await pilot.press("k", "enter")
        screen = await shown(app, pilot, lambda text: "1 to 5 of 5" in text)
        assert isinstance(app.view, Executions)
        assert len(app.view.table.content.rows) == 5
        assert "␛" in screen.splitlines()[3]  # the filter line shows, and never writes, what a terminal would obey


async def test_a_group_is_run_again_or_cancelled(leased: Leased) -> None:
    await fail(leased, 3, "nb:fetch", "ValueError")
    await fail(leased, 2, "nb:fetch", "KeyError")
    await submit(leased, 4, delay=3_600)
    earlier = json.dumps([{"attempt": 1, "error": {"type": "ValueError", "message": "again"}}])
    await execute(
        leased,
        "UPDATE SCHEMA.executions SET attempts = $1, attempt = 1"
        " WHERE id IN (SELECT id FROM SCHEMA.executions ORDER BY id LIMIT 2)", earlier,
    )  # fmt: skip
    app = app_on(leased, view="failures")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "ValueError" in text and "KeyError" in text)

        view = app.view
        assert isinstance(view, Failures)

        async def asked() -> bool:
            return isinstance(app.screen, Question)

        await pilot.press("c")
        await until(pilot, asked)
        await shown(app, pilot, lambda text: "Cancel 2 executions?" in text)
        await pilot.press("y")
        await told(app, pilot, "2 cancelled")
        await pilot.press("r")
        await until(pilot, asked)
        await shown(app, pilot, lambda text: "Run again 3 executions?" in text)
        await pilot.press("y")
        await told(app, pilot, "3 to run again")
        await shown(app, pilot, lambda _: len(view.table.content.rows) == 1)
        assert "p" not in {key for key, active in app.active_bindings.items() if "act(" in active.binding.action}
    rows = await execute(leased, "SELECT status, count(*) FROM SCHEMA.all_executions GROUP BY 1 ORDER BY 1")
    assert rows == [("cancelled", 2), ("failed", 2), ("pending", 3), ("scheduled", 2)]


async def test_nothing_has_failed(leased: Leased) -> None:
    app = app_on(leased, view="failures")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "Nothing has failed" in text)
        await pilot.press("r")
        await told(app, pilot, "nothing under the cursor")
