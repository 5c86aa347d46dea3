"""Whatever the database holds in any field, the lists, the details and the log show it as plain text."""

from __future__ import annotations

from datetime import UTC, datetime

from currant_tui.acting import Deed
from currant_tui.deeds import deed_lines
from currant_tui.drawing.columns import Column, Row, fitting, row_line
from currant_tui.drawing.detail import PANES, lines_of, text_of
from currant_tui.drawing.executions import COLUMNS, execution_row
from currant_tui.drawing.lines import Line, length, plain_line
from currant_tui.drawing.paging import wrong_note
from currant_tui.drawing.runs import RUNS, STEPS, branches, run_row, step_facts, step_row
from currant_tui.drawing.wrapping import wrapped
from currant_tui.views import batches, database, failures
from currant_tui.widgets.filter_line import Note, visible
from hypothesis import given, settings
from hypothesis import strategies as st

from currant_lab.outcomes import ErrorInfo
from currant_lab.status import Status
from currant_lab.watch.criteria import FilterError
from currant_lab.watch.detail import Attempt, Detail, Shown
from currant_lab.watch.facts import DatabaseView, TableView, Transaction
from currant_lab.watch.rows import BatchView, ExecutionInfo, FailureGroup
from currant_lab.watch.runs import RunInfo, RunTree, StepInfo

NASTY = st.text(st.characters(), max_size=80) | st.sampled_from(
    [
        "boom [/foo]",
        "\x1b]0;x\x07\x1b[2J",
        "‮abc",
        "שלום عربي",
        "👩\u200d👧",
        "\r\n\t\0",
        "[link=x]",
        "\ud800",
        "e\u0301" * 9,
    ]
)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def _is_safe(line: Line) -> bool:
    return all(text.isprintable() for text, _ in line)


def _fits(columns: tuple[Column, ...], row: Row, width: int) -> bool:
    line = row_line(fitting(columns, width), row)
    return _is_safe(line) and length(line) <= max(width, sum(c.width + 1 for c in columns if c.rank == 0))


def _info(text: str, status: Status) -> ExecutionInfo:
    error = ErrorInfo(text, text, text) if status is Status.FAILED else None
    return ExecutionInfo(
        id=b"\1" * 16, job=text, queue=text, priority=0, status=status, attempt=2, retries=3, rescues=1, claimed_by=1,
        batch=1, created_at=AT, due_at=AT, started_at=AT, finished_at=None, cancelling=True, progress=0.3,
        progress_note=text, source=text, error=error, attempts=None, logs=None,
    )  # fmt: skip


@settings(max_examples=50)
@given(NASTY, st.sampled_from(list(Status)), st.integers(20, 220))
def test_an_execution_in_a_list_and_on_its_screen(text: str, status: Status, width: int) -> None:
    info = _info(text, status)
    assert _fits(COLUMNS, execution_row(info, 2e9), width)
    shown = Shown(text, 10_000, False)
    past = Attempt(1, 1, text, text, ErrorInfo(text, text, text))
    detail = Detail(info, shown, shown, shown, (past,), text, text, text, 2e9)
    for pane in PANES:
        assert all(_is_safe(line) for line in wrapped(lines_of(detail, pane), width)), pane
        assert all(line.isprintable() for line in text_of(detail, pane).split("\n")), pane


@settings(max_examples=50)
@given(NASTY, st.sampled_from(["run", "map", "event", "sleep"]), st.sampled_from(list(Status)), st.integers(20, 220))
def test_a_run_and_its_steps(text: str, kind: str, status: Status, width: int) -> None:
    info, error = _info(text, status), ErrorInfo(text, text, text)
    assert _fits(RUNS, run_row(RunInfo(info, 3, 1, (text, f"event {text}"), AT), 2e9), width)
    sizes = (5, 2, 1) if kind == "map" else (None, None, None)
    step = StepInfo(
        1, kind, text, status, AT, AT, None, AT, b"\1" * 16, 3 if kind == "map" else None, 2, 0.4, text,
        error if status is Status.FAILED else None, *sizes, (1,), 1,
    )  # fmt: skip
    below = RunTree(info, [step], {})
    for branch in branches(RunTree(info, [step], {1: [below, below]})):
        assert _fits(STEPS, step_row(branch, 0.0, 2e9, 16), width)
        assert all(map(_is_safe, wrapped(tuple(step_facts(branch, 2e9)), width)))


@given(NASTY, st.integers(20, 220))
def test_groups_batches_tables_and_the_log(text: str, width: int) -> None:
    group = FailureGroup(text, text, 3, False, 0.0, 0.0, b"\1" * 16, text, text)
    assert _fits(failures.COLUMNS, failures.group_row(group, 9.0), width)
    counts = {"waiting": 1, "running": 0, "failed": 2, "cancelled": 0, "succeeded": 3}
    assert _fits(
        batches.COLUMNS, batches.batch_row(BatchView(1, text, text, 6, counts, True, 0.5, 1.0, 0.0), 9.0), width
    )
    table = TableView(text, 1, 1, 1, 1.0, True)
    assert _fits(database.COLUMNS, database.table_row(table), width)
    view = DatabaseView(1, 0.1, 1, 2, Transaction(1, text, text, text, 1, 90.0), (table,))
    assert all(map(_is_safe, database.Facts().paint(view, width, 7)))
    assert all(map(_is_safe, deed_lines((Deed(0.0, text, text, "failed"),), text)))
    assert all(map(_is_safe, deed_lines((), text)))


@given(NASTY, st.integers(20, 220), st.integers(0, 1_000))
def test_what_is_wrong_with_a_filter_stands_below_it(text: str, width: int, at: int) -> None:
    (line,) = Note().paint(wrong_note(FilterError(text, at, at + 1)), width, 1)
    assert _is_safe(line)
    assert "▲" in plain_line(line)
    assert all(visible(letter).isprintable() and len(visible(letter)) == 1 for letter in text)
