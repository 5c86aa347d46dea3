"""Pages as text and as HTML."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from currant_lab.notebook.following import Progress
from currant_lab.notebook.views import View, moment

NASTY = "<img src=x onerror=alert(1)> & \"quotes' \x1b[31m \ud800 \u202e"


def test_every_part_is_escaped_in_html_and_harmless_in_a_terminal() -> None:
    view = View(
        NASTY,
        facts=[(NASTY, NASTY)],
        columns=[NASTY],
        rows=[[NASTY]],
        texts=[(NASTY, NASTY)],
        folded=[(NASTY, NASTY)],
        notes=[NASTY],
    )
    for shown in (view._repr_html_(), Progress(NASTY, 3)._repr_html_()):
        assert "<img" not in shown
        assert not {"\x1b", "\ud800", "\u202e"} & set(shown)
    assert not {"\x1b", "\ud800", "\u202e"} & set(repr(view) + repr(Progress(NASTY, 3)))


def test_a_table_lines_up_and_lines_of_a_text_stay() -> None:
    view = View("t", columns=("name", "n"), rows=[("a", 1234), ("long name", None)], texts=[("log", "one\n\ttwo\n")])
    assert repr(view).splitlines() == [
        "t",
        "  name       n",
        "  a          1,234",
        "  long name",
        "-- log --",
        "one",
        "\ttwo",
    ]


def test_a_time_has_its_day_unless_it_is_today() -> None:
    now = datetime.now(UTC)
    assert moment(None) == ""
    assert moment(now) == f"{now.astimezone():%H:%M:%S}"
    assert moment(now - timedelta(days=400)).startswith("20")


def test_progress_of_nothing_is_whole() -> None:
    assert repr(Progress("none", 0)) == f"none {'█' * 20} 0 of 0 done"
