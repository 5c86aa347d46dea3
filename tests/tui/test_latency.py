"""The latency page: a line, two histograms and a map for each job, and for all of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest
from currant_tui.drawing.chart import Chart, Trace, chart, spark
from currant_tui.drawing.heat import HeatMap, heat
from currant_tui.drawing.histogram import Distribution, distribution
from currant_tui.drawing.lines import length, plain_line
from currant_tui.widgets.pictures import DistributionPicture, HeatPicture
from currant_tui.widgets.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from currant_lab.latency import Histogram
from tests.conftest import Leased
from tests.tui.looking import app_on, shown

WORKED = """
import asyncio, sys, currant_lab as currant
from currant_lab import job

@job(name="slept:[short]")
async def short(n: int) -> int:
    return n

@job(name="slept:long")
async def long(n: int) -> None:
    await asyncio.sleep(0.2)

with currant.start(workers=8, name="sleeper"):
    short.map(range(60)).results()
    long.map(range(8)).results()
    print("done", flush=True)
    sys.stdin.read()
"""


async def test_each_job_has_its_distributions(leased: Leased) -> None:
    app = app_on(leased, view="latency")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "No job has ended since" in text)
        began = time.monotonic()
        pool = subprocess.Popen(
            [sys.executable, "-c", WORKED], env=leased.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert pool.stdout is not None
            assert await asyncio.to_thread(pool.stdout.readline) == "done\n"
            run = app.query_one("#run", DistributionPicture)

            def counted() -> int:
                return sum(count for _, count in run.data.counts) if run.data else 0

            screen = await shown(app, pilot, lambda text: counted() == 68 and "slept:long" in text)
            assert "Run · all jobs" in screen
            assert "slept:[short]" in screen
            table = app.query_one("#jobs", Table)
            for job, ended in (("slept:[short]", 60), ("slept:long", 8)):
                await pilot.press("down")
                await shown(app, pilot, lambda text, job=job: f"Run · {job}" in text)  # type: ignore[misc]
                assert (table.cursor, counted()) == (job, ended)
            marks = dict(run.data.marks)
            assert 200_000 * 0.97 < marks["p50"] <= marks["p99"] < 1e6 * (time.monotonic() - began)
            await pilot.press("m", "t")
            await shown(app, pilot, lambda text: "Run over time · slept:long" in text and "15 min" in text)
            assert sum(map(sum, app.query_one(HeatPicture).data.cells)) == 8
        finally:
            await asyncio.to_thread(pool.communicate)
    assert pool.returncode == 0


values = st.lists(st.integers(0, 10**11), max_size=200)


@settings(deadline=None, max_examples=60)
@given(values, st.integers(50, 120), st.integers(5, 20))
def test_a_distribution_fills_its_place(made: list[int], width: int, height: int) -> None:
    histogram = Histogram()
    for value in made:
        histogram.record(value)
    marks = tuple((name, histogram.quantile(share)) for name, share in (("p50", 0.5), ("p99", 0.99))) if made else ()
    lines = distribution(Distribution("run", tuple(histogram.counts()), marks), width, height)
    assert len(lines) <= height
    assert all(length(line) <= width for line in lines)
    if made:
        assert any(char in "▁▂▃▄▅▆▇█" for line in lines[1:] for char in plain_line(line))


def test_a_mark_stands_where_its_value_is() -> None:
    histogram = Histogram()
    for value in [1_000] * 50 + [64_000] * 50:
        histogram.record(value)
    lines = distribution(Distribution("run", tuple(histogram.counts()), (("p99", 64_000),)), 80, 8)
    text = [plain_line(line) for line in lines]
    columns = [place for place, char in enumerate(text[-3]) if char == "█"]
    assert abs(text[-1].index("▲") - columns[-1]) <= 3 or text[-1].rstrip().endswith("64ms")
    assert columns[0] < 40 < columns[-1]


cells = st.lists(st.lists(st.integers(0, 10**6), min_size=100, max_size=100), min_size=1, max_size=40)


@settings(deadline=None, max_examples=60)
@given(cells, st.integers(40, 220), st.integers(4, 30))
def test_a_map_fills_its_place_and_shows_the_slow_ones(made: list[list[int]], width: int, height: int) -> None:
    rows = tuple(2**place for place in range(len(made)))
    lines = heat(HeatMap("run", rows, tuple(map(tuple, made)), 300), width, height)
    assert len(lines) <= height
    assert all(length(line) <= width for line in lines)
    used = [place for place, row in enumerate(made) if any(row)]
    if used:
        assert any(char in "░▒▓█" for char in plain_line(lines[1]))  # the slowest are in the uppermost line


known = st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=300).map(tuple)


@settings(deadline=None, max_examples=60)
@given(known, known, st.integers(60, 200), st.integers(4, 20))
def test_curves_fill_their_place(
    one: tuple[float | None, ...], other: tuple[float | None, ...], width: int, height: int
) -> None:
    traces = (Trace("out", "two", one, filled=True), Trace("in", "one", other))
    lines = chart(Chart("throughput", traces, 300), width, height)
    assert len(lines) <= height
    assert all(length(line) <= width for line in lines)


@settings(deadline=None, max_examples=60)
@given(known, st.integers(1, 60))
def test_sparklines_fill_their_place(made: tuple[float | None, ...], width: int) -> None:
    assert len(spark(made, width)) == width


@pytest.mark.parametrize(("made", "line"), [((0.0, 1.0, 7.0, None), "▁▂█ "), ((0.0, 0.0), "▁▁"), ((None,), " ")])
def test_what_is_above_zero_stands_out(made: tuple[float | None, ...], line: str) -> None:
    assert spark(made, len(made)) == line
