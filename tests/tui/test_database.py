"""The database's own page: sizes, dead rows, partitions, connections, and who holds vacuum back."""

from __future__ import annotations

from currant_tui.drawing.formats import size
from currant_tui.drawing.lines import plain_line
from currant_tui.views.database import Facts, table_row

from currant_lab.watch.facts import DatabaseView, TableView, Transaction
from tests.conftest import Leased
from tests.tui.looking import HOSTILE, app_on, shown, submit


async def test_sizes_partitions_and_who_holds_vacuum_back(leased: Leased) -> None:
    await submit(leased, 1_000)
    holder = await leased.connect()
    await holder.execute(f"SET application_name = 'report [/x]'; BEGIN ISOLATION LEVEL REPEATABLE READ; "
                         f"SELECT count(*) FROM {leased.schema}.executions")  # fmt: skip
    app = app_on(leased, view="database")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(app, pilot, lambda text: "report [/x]" in text)
        assert "idle in transaction" in screen
        assert f"pid {holder.get_server_pid()}" in screen
        assert "history_default" in screen
        assert "partitions of history" in screen
        assert " of 100" in screen
        assert screen.index("executions ") < screen.index("batches ")  # the largest first
    await holder.close()


def test_what_is_bad_is_marked_and_any_string_is_shown() -> None:
    oldest = Transaction(4711, HOSTILE, HOSTILE, HOSTILE, 1_234_567, 720.0)
    table = TableView(HOSTILE, 1_000, 50_000, 3 * 2**30, None, True)
    lines = Facts().paint(DatabaseView(2**40, 0.7, 95, 100, oldest, (table,)), 200, 7)
    text = "\n".join(map(plain_line, lines))
    assert "boom [/foo] ␛[31m" in text
    assert "open for 12m, 1,234,567 transactions old" in text
    assert "pg_terminate_backend(4711)" in text
    assert "70 % of the server's queue is used" in text
    assert {ink for line in lines for _, ink in line} >= {"bad", "warn"}
    row = table_row(table)
    assert ("50.0k", "warn") in row.cells
    assert row.cells[-1][0] == "never"


def test_sizes_read_at_a_glance() -> None:
    assert [size(number) for number in (None, 0, 999, 8_192, 123_456_789, 2**40, 10**18)] == [
        "–", "0 B", "999 B", "8.2 kB", "123 MB", "1.1 TB", "1000000 TB",
    ]  # fmt: skip
