"""A run's screen: the tree by pages, the timeline, the graph, and one step."""

from __future__ import annotations

import itertools

import pytest
from currant_tui.drawing.graph import draw, neighbour
from currant_tui.drawing.lines import length, plain_line
from currant_tui.drawing.timeline import axis, span_bar, spans_bar
from currant_tui.views.detail import DetailScreen
from currant_tui.views.run import RunScreen
from currant_tui.views.step import StepScreen
from currant_tui.widgets.graph import GraphPicture
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Offset

from currant_lab.pictures.graph_folding import fold
from currant_lab.pictures.graph_nodes import Node
from currant_lab.pictures.spans import Span
from currant_lab.watch.runs import RunReading
from tests.conftest import Leased
from tests.pool.conftest import pool, start
from tests.tui.looking import HOSTILE, Watched, app_on, begun, execute, shown, told
from tests.tui.test_workflows import nightly

__all__ = ["pool", "start"]


async def _opened(app: Watched, pilot: object, run: bytes) -> RunScreen:
    await shown(app, pilot, lambda text: "LIVE" in text)
    screen = RunScreen(run)
    await app.push_screen(screen)
    return screen


async def test_of_a_long_run_all_steps_are_watched(leased: Leased) -> None:
    run = await begun(leased, "long", 1_200)
    app = app_on(leased)
    async with app.run_test(size=(80, 24)) as pilot:
        await _opened(app, pilot, run.bytes)
        await shown(app, pilot, lambda text: "1,200 steps, lines 1 to 500 of 1,200" in text)
        await pilot.press("G")
        await shown(app, pilot, lambda text: "├ 500 event long" in text)
        await pilot.press("j")  # beyond the last line
        await shown(app, pilot, lambda text: "lines 501 to 1,000" in text and "▌├ 501 event long" in text)
        await pilot.press(">")
        await shown(app, pilot, lambda text: "lines 1,001 to 1,200" in text)
        await pilot.press("G", ">", "k", "<")
        await shown(app, pilot, lambda text: "▌├ 1000 event long" in text)
        app.screen.dismiss()
        await app.push_screen(RunScreen(bytes(16)))
        await shown(app, pilot, lambda text: "there is no execution 00000000" in text)


@pytest.mark.usefixtures("pool")
async def test_three_pages_show_one_run_and_the_cursor_stays_with_its_step(leased: Leased) -> None:
    run = await nightly.asubmit(7)
    app = app_on(leased)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await _opened(app, pilot, run._id)
        await shown(app, pilot, lambda text: "└ 5 event approved" in text)
        await pilot.press("G", "2")
        timeline = await shown(app, pilot, lambda text: "▌◌ event approved" in text)
        assert "╷0" in timeline, "an axis stands above it"
        assert "✗ breaks" in timeline
        await pilot.press("tab")
        graph = await shown(app, pilot, lambda text: "┃ ◌ event approved" in text)
        assert "╰╌" not in graph, "the cursor's frame is heavy"
        await pilot.press("up")
        await shown(app, pilot, lambda text: "┃ ✗ breaks" in text and "error      ValueError" in text)
        await pilot.press("up", "up")
        await shown(app, pilot, lambda text: "┃ ✓ extract × 3" in text)
        await pilot.press("up", "up")
        box = screen._graph.drawing.boxes[1]  # type: ignore[union-attr]
        await shown(app, pilot, lambda text: f"┃ ✓ {box.node.name} " in text and "▼" in text)
        await pilot.press("enter")
        await shown(app, pilot, lambda text: isinstance(app.screen, StepScreen) and "Result" in text and "7" in text)
        await pilot.press("escape", "3", "down", "down", "enter", "enter")
        await shown(app, pilot, lambda _: isinstance(app.screen, RunScreen) and app.screen is not screen)
        await shown(app, pilot, lambda text: "succeeded  inner" in text)
        await pilot.press("escape")
        below = screen._graph
        at = below.drawing.boxes[4]  # type: ignore[union-attr]
        await pilot.press("j")
        offset = Offset(at.x + 2 + below._margin, at.y + 1 - below.scroll_offset.y)
        await pilot.click(GraphPicture, offset=offset)
        await shown(app, pilot, lambda _: isinstance(app.screen, StepScreen))
        await pilot.press("enter")
        await shown(app, pilot, lambda _: isinstance(app.screen, DetailScreen))
        await pilot.press("escape", "i")
        await shown(app, pilot, lambda text: isinstance(app.screen, DetailScreen) and "nightly" in text)
        await pilot.press("escape", "1")
        await shown(app, pilot, lambda text: "▌├ 4 breaks" in text)


async def test_five_hundred_steps_are_a_few_boxes_that_open(leased: Leased) -> None:
    run = await begun(leased, "fetch", 500, "call")
    await execute(
        leased, "UPDATE SCHEMA.steps SET name = 'job' || number % 53 WHERE execution = $1 AND number > 200", run.bytes
    )
    app = app_on(leased)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await _opened(app, pilot, run.bytes)
        await pilot.press("3")
        graph = await shown(app, pilot, lambda text: "╮╮" in text)
        assert 1 < len(screen._graph.drawing.boxes) <= 36, graph  # type: ignore[union-attr]
        await pilot.press("G", "enter")
        await shown(app, pilot, lambda text: " of 500 steps" in text)
        assert len(screen._graph.drawing.boxes) > 1  # type: ignore[union-attr]
        await pilot.press("escape")
        await shown(app, pilot, lambda text: " of 500 steps" not in text and "500 steps" in text)
        await pilot.press("g", "enter")
        await shown(app, pilot, lambda text: " of 500 steps" in text and "fetch × 200" in text)
        await pilot.press("g", "enter")  # two hundred of one name: they are told one by one
        await shown(app, pilot, lambda text: "▌├ 1 fetch" in text)
        await pilot.press("2", "enter")
        await shown(app, pilot, lambda text: "▌├ 1 fetch" in text)
        await pilot.press("j", "enter")
        screen_text = await shown(app, pilot, lambda text: '"done"' in text)
        assert "after      step 1" in screen_text
        await pilot.press("enter")
        await told(app, pilot, "has no execution of its own")


@pytest.mark.parametrize("size", [(60, 15), (200, 50)])
async def test_any_name_on_every_page(leased: Leased, size: tuple[int, int]) -> None:
    run = await begun(leased, HOSTILE, 3)
    await execute(leased, "UPDATE SCHEMA.steps SET name = name || number WHERE execution = $1", run.bytes)
    app = app_on(leased)
    async with app.run_test(size=size) as pilot:
        await _opened(app, pilot, run.bytes)
        for key in ("1", "2", "3"):
            await pilot.press(key)
            assert "\x1b" not in await shown(app, pilot, lambda text: "boom [/foo]" in text)
        await pilot.press("enter")
        assert "\x1b" not in await shown(app, pilot, lambda text: "kind       event" in text)


async def test_no_step_says_so_on_every_page(leased: Leased) -> None:
    run = await begun(leased, "idle", 0)
    app = app_on(leased)
    async with app.run_test(size=(80, 24)) as pilot:
        await _opened(app, pilot, run.bytes)
        for key in ("1", "2", "3"):
            await pilot.press(key)
            await shown(app, pilot, lambda text: "It has begun no step." in text and "It waits for a pool." in text)
        await pilot.press("enter", "up", "G", "pagedown")


async def test_what_has_ended_is_not_read_again(leased: Leased) -> None:
    run = await begun(leased, "fetch", 50, "call")
    app = app_on(leased)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "LIVE" in text)
        reading = RunReading(app.lab.source.database, run.bytes)
        first = await reading.look()
        second = await reading.look()
        assert reading.statements == 2
        assert [step.number for step in second.steps] == list(range(1, 51))
        assert first.steps[0] is second.steps[0]
        await execute(leased, "DELETE FROM SCHEMA.steps WHERE execution = $1 AND number > 10", run.bytes)
        assert len((await reading.look()).steps) == 10, "it goes on from an earlier step"


NODES = st.integers(0, 2**32).map(lambda seed: _random(seed))


def _random(seed: int) -> list[Node]:
    """Any graph: parents have smaller numbers."""
    draws = itertools.count(seed * 7919 + 1)
    number = lambda below: (next(draws) * 2654435761 >> 7) % below if below > 0 else 0  # noqa: E731
    nodes = []
    for key in range(1, 2 + number(40)):
        parents = {key - 1 - number(min(key - 1, 7)) for _ in range(number(3))} - {0} if key > 1 else set()
        status = ("succeeded", "failed", "waiting", "running")[number(4)]
        nodes.append(Node(key, "run", f"日本{number(9)} step", status, frozenset(parents), 1.0, 1.0, 2.0))
    return nodes


@given(NODES, st.booleans())
def test_a_graph_has_its_boxes_apart_its_lines_whole_and_every_box_in_reach(nodes: list[Node], low: bool) -> None:
    folded = fold(nodes)
    drawing = draw(folded, 3.0, low=low)
    boxes = list(drawing.boxes.values())
    assert len(boxes) == len(folded)
    for one, other in itertools.combinations(boxes, 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y
    lines = [drawing.line(y, boxes[0].node.key) for y in range(drawing.height)]
    assert {length(line) for line in lines} == {drawing.width}
    parents = {parent for node in folded for parent in node.parents}
    for box in boxes:
        cells = [_cells(plain_line(lines[y]))[box.x : box.x + box.width] for y in (box.y, box.y + box.height - 1)]
        assert ("▼" in cells[0]) == bool(box.node.parents)
        assert ("┬" in cells[1] or "┯" in cells[1]) == (box.node.key in parents)
    seen, rest = {boxes[0].node.key}, [boxes[0].node.key]
    while rest:
        key = rest.pop()
        new = {neighbour(drawing, key, way) for way in ("up", "down", "left", "right")} - seen
        seen |= new
        rest += new
    assert seen == set(drawing.boxes), "arrows lead everywhere"


def _cells(text: str) -> list[str]:
    return [part for letter in text for part in ((letter, "") if letter > "\u2fff" else (letter,))]


def test_a_line_between_boxes_says_what_came_after_what() -> None:
    nodes = [
        Node(1, "run", "a", "succeeded", frozenset(), 1, 1, 2),
        Node(2, "run", "b", "succeeded", frozenset((1,)), 1, 1, 2),
        Node(3, "run", "c", "failed", frozenset((1,)), 1, 1, 2),
        Node(4, "run", "d", "waiting", frozenset((2, 3)), 1, None, None),
    ]
    drawing = draw(nodes, 3.0, low=True)
    assert [plain_line(drawing.line(y, 2)).rstrip() for y in range(drawing.height)] == PICTURE.split("\n")[1:-1]


PICTURE = """
         ╭──────────╮
         │ ✓ a  1 s │
         ╰────┬─────╯
     ╭────────┴─────────╮
┏━━━━▼━━━━━┓  ╭─────────▼─────────╮
┃ ✓ b  1 s ┃  │ ✗ c  failed · 1 s │
┗━━━━┯━━━━━┛  ╰─────────┬─────────╯
     ╰┄┄┄┄┄┄┄┄┬┄┄┄┄┄┄┄┄┄╯
    ╭╌╌╌╌╌╌╌╌╌▼╌╌╌╌╌╌╌╌╌╌╮
    ┆ ◌ d  waiting · 2 s ┆
    ╰╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╯
"""


SECONDS = st.floats(0, 1e6)


@given(SECONDS, SECONDS, SECONDS, SECONDS, SECONDS, st.integers(1, 60))
def test_a_bar_fills_its_place_and_shows_what_there_was(
    first: float, started: float, last: float, begin: float, end: float, width: int
) -> None:
    pieces = list(span_bar(first, started, last, begin, end, width, "good"))
    assert length(pieces) == width  # type: ignore[arg-type]
    line = plain_line(pieces)  # type: ignore[arg-type]
    assert line.strip(), "a step is never unseen"
    if started < last:
        assert "━" in line


def test_what_took_no_time_is_no_waiting() -> None:
    assert plain_line(list(span_bar(7.7, 7.7, 7.7, 0, 10, 10, "good"))) == "       ━  "  # type: ignore[arg-type]


def test_a_bar_says_when() -> None:
    pieces = list(span_bar(2, 4, 8, 0, 10, 10, "good"))
    assert plain_line(pieces) == "  ┄┄━━━━  "  # type: ignore[arg-type]


@given(st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=30), st.integers(1, 60))
def test_bars_of_many_fill_their_place(times: list[tuple[float, float, float]], width: int) -> None:
    spans = [Span("failed", None, *sorted(three)) for three in times]
    end = max(span.finished_at or 0.0 for span in spans)
    line = list(spans_bar(spans, 0, end, end, width, "good"))
    assert length(line) == width  # type: ignore[arg-type]
    assert plain_line(line).strip()  # type: ignore[arg-type]


def test_bars_of_many_say_how_many_ran_at_once() -> None:
    spans = [Span("succeeded", None, 0, 1, 9), Span("failed", None, 0, 5, 9), Span("running", None, 0, 7, None)]
    line = spans_bar(spans, 0, 10, 10, 10, "warn")
    assert plain_line(list(line)) == "┄▃▃▃▃▅▅██▃"  # type: ignore[arg-type]
    assert ("▅▅██", "bad") in line


@pytest.mark.parametrize(
    ("seconds", "marks"),
    [
        (3, "╷0            ╷1s           ╷2s"),
        (100, "╷0      ╷20s     ╷40s    ╷60s"),
        (7_000, "╷0         ╷30m       ╷1h       ╷1h30"),
        (200_000, "╷0"),
        (0.004, "╷0        ╷1.0ms     ╷2.0ms"),
        (1e-9, "╷0"),
        (1e9, "╷0"),
    ],
)
def test_an_axis_has_round_marks(seconds: float, marks: str) -> None:
    assert axis(seconds, 42).startswith(marks)
    assert len(axis(seconds, 42)) == 42
