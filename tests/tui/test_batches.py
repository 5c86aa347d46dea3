"""Batches with their progress; and what a pool runs now."""

from __future__ import annotations

from currant_tui.asking import Question
from currant_tui.drawing.lines import length
from currant_tui.views.batches import batch_row
from currant_tui.views.detail import DetailScreen
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.watch.rows import BatchView
from tests.conftest import Leased
from tests.tui.looking import HOSTILE, app_on, execute, shown, submit, told, until


async def _batch(leased: Leased, name: str | None, waiting: int, failed: int, succeeded: int) -> None:
    """A batch, as if it had begun fifty hours ago."""
    size = waiting + failed + succeeded
    sql = "INSERT INTO SCHEMA.batches (name, job, size, created_at) VALUES ($1, $2, $3, now() - interval '50 hours')"
    ((number,),) = await execute(leased, f"{sql} RETURNING id", name, HOSTILE, size)
    ids = [bytes.fromhex(f"0190{number:08x}7000800000000000{n:04x}") for n in range(size + 1)]
    await execute(leased, "INSERT INTO SCHEMA.batch_parts VALUES ($1, $2, $3, $4)", number, ids[0], ids[-1], size)
    await execute(leased, "SELECT SCHEMA.submit($1, '[]') FROM generate_series(1, $2)", HOSTILE, waiting)
    await execute(
        leased,
        "UPDATE SCHEMA.executions AS e SET batch = $1, id = ($2::uuid[])[o.n]"
        " FROM (SELECT id, row_number() OVER () AS n FROM SCHEMA.executions WHERE batch IS NULL) AS o"
        " WHERE o.id = e.id",
        number, ids,
    )  # fmt: skip
    ended = [(id, "failed" if place < failed else "succeeded") for place, id in enumerate(ids[waiting:size])]
    for id, status in ended:
        error = '{"type": "E", "message": ""}' if status == "failed" else None
        await execute(
            leased,
            "INSERT INTO SCHEMA.history (id, job, queue, priority, status, attempt, token, rescues, batch, created_at,"
            " finished_at, args, error) VALUES ($1, 'j', 'q', 0, $2, 1, 1, 0, $3, now(), now(), '[]', $4)",
            id, status, number, error,
        )  # fmt: skip


async def test_batches_lead_to_their_executions_and_are_cancelled(leased: Leased) -> None:
    await _batch(leased, "2", 0, 1, 3)  # a name like another's number
    await _batch(leased, None, 6, 2, 2)
    await _batch(leased, HOSTILE, 0, 0, 0)
    app = app_on(leased, view="batches")
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(app, pilot, lambda text: "number 2" in text)
        line = next(line for line in screen.splitlines() if "number 2" in line)
        assert "40 %" in line
        assert "  3d " in line  # left: six at the pace of four in fifty hours
        assert "boom [/foo] ␛[31m" in screen
        await pilot.press("j", "enter")
        await shown(app, pilot, lambda text: "1 to 10 of 10" in text)
        await pilot.press("7", "c")

        async def asked() -> bool:
            return isinstance(app.screen, Question)

        await until(pilot, asked)
        await shown(app, pilot, lambda text: "Cancel 6 executions?" in text and "batch number 2" in text)
        await pilot.press("y")
        await told(app, pilot, "6 cancelled")
        await shown(app, pilot, lambda text: text.count("100 %") == 3)
        await pilot.press("r")
        await until(pilot, asked)
        await shown(app, pilot, lambda text: "Run again 8 executions?" in text)
        await pilot.press("escape")
        await pilot.press("G", "enter")
        await shown(app, pilot, lambda text: "1 to 4 of 4" in text)


async def test_no_batches_teaches(leased: Leased) -> None:
    app = app_on(leased, view="batches")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "job.map(items)" in text)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6), st.text())
def test_a_bar_fills_its_place_and_hides_nothing(
    succeeded: int, waiting: int, failed: int, ran: int, text: str
) -> None:
    counts = {"succeeded": succeeded, "failed": failed, "cancelled": 0, "running": ran, "waiting": waiting}
    size = sum(counts.values())
    row = batch_row(BatchView(1, text, text, size, counts, True, 0.5, None, 0.0), 1.0)
    pieces = list(row.cells[3])
    assert length(pieces) == 20  # type: ignore[arg-type]
    assert all(piece[0] for piece, number in zip(pieces, (succeeded, failed, 0, ran, 0), strict=True) if number)


async def test_what_a_pool_runs_now(leased: Leased) -> None:
    await submit(leased, 3)
    await execute(
        leased,
        "INSERT INTO SCHEMA.pools (name, kind, host, boot_id, pid, pid_started, version, queues, workers)"
        " SELECT 'pool ' || n, 'worker', 'h', 'b', 1, 1, '1', ARRAY['default'], 4 FROM generate_series(1, 2) AS n",
    )
    await execute(
        leased,
        "UPDATE SCHEMA.executions SET status = 'running', claimed_by = 1, claimed_at = now(), token = 1, attempt = 1,"
        " progress = 0.4, progress_note = $1", HOSTILE,
    )  # fmt: skip
    app = app_on(leased, view="pools")
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(app, pilot, lambda text: "40% boom [/foo]" in text)
        assert "runs now in pool 1" in screen
        await pilot.press("j")
        await shown(app, pilot, lambda text: "runs now in pool 2" in text and "Nothing runs in it" in text)
        await pilot.press("k", "enter")
        await shown(app, pilot, lambda text: "pool:1 status:running" in text and "longest running first" in text)
        await pilot.press("6")
        await shown(app, pilot, lambda text: "40% boom" in text)
        await pilot.press("tab", "enter")
        await shown(app, pilot, lambda _: isinstance(app.screen, DetailScreen))
