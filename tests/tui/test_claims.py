"""The claims page: a bar for every claim, in words when it is pointed at; and what its figures say."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from currant_tui.drawing.histogram import Bars, bars, columns
from currant_tui.drawing.lines import length, plain_line
from currant_tui.drawing.ribbon import Batch, Ribbon, ribbon
from currant_tui.views.claims import facts
from currant_tui.widgets.ribbon import RibbonPicture
from hypothesis import given, settings
from hypothesis import strategies as st

from currant_lab.events import ClaimBatch, ClaimTally, Event, Tally
from currant_lab.watch.board import Board
from tests.conftest import Leased
from tests.tui.looking import HOSTILE, app_on, shown

WORKED = """
import sys, currant_lab as currant
from currant_lab import job

@job(name="claimed:one", queue="one")
async def one(n: int) -> int:
    return n

with currant.start(workers=4, queues=("one", "two"), name="claimer"):
    one.map(range(90)).results()
    print("done", flush=True)
    sys.stdin.read()
"""
T0 = 1_800_000_000.0


async def test_a_pools_claims_are_a_ribbon_that_keys_and_mouse_go_along(leased: Leased) -> None:
    app = app_on(leased, view="claims")
    async with app.run_test(size=(120, 36)) as pilot:
        await shown(app, pilot, lambda text: "No pool has claimed anything" in text)
        pool = subprocess.Popen(
            [sys.executable, "-c", WORKED], env=leased.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert pool.stdout is not None
            assert await asyncio.to_thread(pool.stdout.readline) == "done\n"
            picture = app.query_one(RibbonPicture)
            await shown(app, pilot, lambda _: app.lab.board.totals().run.count == 90)
            assert 0 < sum(one.size for one in picture.data.batches) <= 90  # an event tells of its latest 16
            screen = await shown(app, pilot, lambda text: "for claimer" in text)
            for words in ("claim p50", "by notify", "by poll", "per execution", "prefetch", "Executions per claim"):
                assert words in screen
            for _ in range(len(picture.data.batches) + 9):  # events may still bring some
                await pilot.press("left")
                await pilot.pause()
            first = picture.data.batches[0]
            await shown(app, pilot, lambda text: f"{first.size or 'none'} from {first.queue}" in text)
            assert picture.data.marked
            newest = len(picture.data.batches) - 1
            await pilot.click(RibbonPicture, offset=(picture.size.width - 1, 3))
            await shown(app, pilot, lambda _: picture.data.chosen >= newest and picture.data.marked)
            await pilot.press("escape")
            await shown(app, pilot, lambda _: not picture.data.marked)
            await pilot.press("s")
            await shown(app, pilot, lambda text: "Executions per claim · one" in text)
            await pilot.press("s")
            await shown(app, pilot, lambda text: "Executions per claim · two" in text)
            assert not [one for one in picture.data.batches if one.size]
        finally:
            await asyncio.to_thread(pool.communicate)
    assert pool.returncode == 0


def test_the_figures_say_what_the_events_said() -> None:
    board = Board()
    claims = ClaimTally(
        claims=40, claimed=400, empty=10, sizes=[(0, 10), (16, 30)], claim_us=[(111, 40)],
        wakes={"notify": 10, "poll": 30},
    )  # fmt: skip
    for n in range(2):
        batches = [ClaimBatch(HOSTILE, 10, 900, "poll", 1_000)]
        queues = {HOSTILE: Tally(outcomes={"succeeded": 400})}
        board.fold(Event(v=1, pool=1, prefetch=9, buffered=3, statements=60 * n, claims=claims, queues=queues,
                         batches=batches), T0 + n)  # fmt: skip
    said = {name: (figure, tells) for name, figure, _, tells in facts(board.claims())}
    assert said["claims"][0] == "80"
    assert said["empty"][0] == "25 %"
    assert said["by notify"][0] == "25 %"
    assert said["by poll"] == ("75 %", "notifications don't arrive?")
    assert said["statements"][0] == "0.0750"
    assert (said["prefetch"][0], said["buffered"][0]) == ("9", "3")


reasons = st.sampled_from(["notify", "poll", "other", ""])
queues = st.sampled_from(["a", "b", HOSTILE])
batches = st.builds(Batch, size=st.integers(0, 2_000), us=st.integers(0, 10**9), reason=reasons, queue=queues)


@settings(deadline=None, max_examples=60)
@given(st.lists(batches, max_size=300).map(tuple), st.integers(20, 200), st.integers(6, 14), st.integers(-1, 300))
def test_a_ribbon_fills_its_place_and_no_more(made: tuple[Batch, ...], width: int, height: int, chosen: int) -> None:
    names = tuple(sorted({one.queue for one in made}))
    place = min(chosen, len(made) - 1)
    lines = ribbon(Ribbon(made, place, place >= 0, "in words", names), width, height)
    assert len(lines) <= height
    if made:
        assert "in words" in plain_line(lines[-1])
        assert all(length(line) <= width for line in lines)
        bars_below = plain_line(lines[-3 - (len(names) > 1)])[7:].strip()
        assert len(bars_below) <= len(made)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=9), st.integers(0, 10**9), st.just("two")), max_size=12).map(tuple))
def test_bars_fill_their_place(rows: tuple[tuple[str, int, str], ...]) -> None:
    for draw in (bars, columns):
        lines = draw(Bars("sizes", rows), 50, 8)  # type: ignore[arg-type]
        assert len(lines) <= 8
        drawn = "".join(plain_line(line) for line in lines[1:])
        assert any(char in "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉" for char in drawn) == (sum(count for _, count, _ in rows[:7]) > 0) or (
            draw is columns or len(rows) > 7
        )
