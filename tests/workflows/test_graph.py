"""Graphs and timelines of runs and of chains: what came after what, and what is left of it when there are hundreds."""

from __future__ import annotations

import asyncio
import random
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.pictures.graph import Graph, graph
from currant_lab.pictures.graph_folding import MOST, fold, layers_of
from currant_lab.pictures.graph_layout import lay_out
from currant_lab.pictures.graph_nodes import Node, label
from currant_lab.pool.pool import Pool
from currant_lab.watch.steps import StepLog
from tests.pool.helpers import PATIENCE, Signals, endless, until
from tests.pool.worker import Books

SVG = "{http://www.w3.org/2000/svg}"


@job(name="g:extract")
async def extract(x: Any = 0) -> Any:
    return x


@job(name="g:clean")
async def clean(x: Any = 0) -> Any:
    return x


@job(name="g:load")
async def load(*parts: Any) -> int:
    return len(parts)


@job(name="g:breaks")
async def breaks(x: Any = 0) -> None:
    raise ValueError("<b>no</b>")


def shape(shown: Graph) -> dict[str, set[str]]:
    """The label of each node, and the labels of those it came after."""
    names = {node.key: label(node) for node in shown.nodes}
    return {names[node.key]: {names[parent] for parent in node.parents} for node in shown.nodes}


def node(key: int, name: str, *parents: int, status: str = "succeeded", **more: Any) -> Node:
    return Node(key, "run", name, status, frozenset(parents), 100.0, 100.5, 101.0, **more)


def random_graph(seed: int, count: int, names: int) -> list[Node]:
    chance = random.Random(seed)
    return [
        node(key, f"job{chance.randrange(names)}", *chance.sample(range(1, key), min(key - 1, chance.randrange(4))))
        for key in range(1, count + 1)
    ]


def ancestors(nodes: list[Node]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for one in sorted(nodes, key=lambda one: one.key):
        found[one.key] = set(one.parents).union(*(found[parent] for parent in one.parents))
    return found


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("count", "names"), [(5, 3), (30, 30), (200, 3), (500, 7), (500, 500)])
def test_folds_keep_every_step_and_never_make_a_cycle(seed: int, count: int, names: int) -> None:
    nodes = random_graph(seed, count, names)
    found = fold(nodes)
    assert len(found) <= max(MOST, 1) < 40
    assert sorted(part.key for one in found for part in one.parts or (one,)) == list(range(1, count + 1))
    home = {part.key: one.key for one in found for part in one.parts or (one,)}
    seen: set[int] = set()
    above: dict[int, set[int]] = {}
    for one in found:
        assert one.parents <= seen, "parents come first, so there is no cycle"
        seen.add(one.key)
        above[one.key] = set(one.parents).union(*(above[parent] for parent in one.parents))
        for parent in one.parents:
            assert not any(parent in above[other] for other in one.parents), "an edge that a longer way says already"
    for one in nodes:
        for parent in one.parents:
            assert home[parent] == home[one.key] or home[parent] in above[home[one.key]], "an order got lost"


@pytest.mark.parametrize("seed", range(12))
def test_nodes_never_overlap_and_edges_go_down(seed: int) -> None:
    chance = random.Random(seed)
    nodes = fold(random_graph(seed, 30, 30))
    widths = {one.key: chance.uniform(90.0, 280.0) for one in nodes}
    edges = [(parent, one.key) for one in nodes for parent in one.parents]
    laid = lay_out(widths, layers_of(nodes), edges, height=44.0, gap=26.0)
    boxes = list(laid.boxes.values())
    for at, one in enumerate(boxes):
        assert one.x >= -0.01
        assert one.x + one.width <= laid.width + 0.01
        assert one.y + one.height <= laid.height + 0.01
        for other in boxes[at + 1 :]:
            apart = one.x + one.width <= other.x + 0.01 or other.x + other.width <= one.x + 0.01
            assert one.y != other.y or apart
    for (parent, child), points in laid.routes.items():
        upper, lower = laid.boxes[parent], laid.boxes[child]
        assert upper.y + upper.height < lower.y
        assert points[0] == (pytest.approx(upper.middle), pytest.approx(upper.y + upper.height))
        assert points[-1] == (pytest.approx(lower.middle), pytest.approx(lower.y))
        assert [y for _, y in points] == sorted(y for _, y in points)
        for (x, y), (_, to_y) in zip(points[1:-1:2], points[2:-1:2], strict=True):
            for key, box in laid.boxes.items():
                inside = box.y < (y + to_y) / 2 < box.y + box.height and box.x < x < box.x + box.width
                assert not inside, f"the edge {parent}-{child} goes through {key}"


def test_five_hundred_steps_are_few_nodes_that_say_how_they_stand() -> None:
    fetched = [node(n, "fetch", 1, status="failed" if n < 4 else "succeeded") for n in range(2, 482)]
    parsed = [node(n + 480, "parse", n, status="running" if n > 470 else "succeeded") for n in range(2, 482)]
    last = node(962, "report", *range(482, 962), status="waiting")
    shown = graph("many", [node(1, "listing"), *fetched, *parsed, last], 110.0)
    assert shape(shown) == {
        "listing": set(), "fetch × 480": {"listing"}, "parse × 480": {"fetch × 480"}, "report": {"parse × 480"},
    }  # fmt: skip
    assert "fetch × 480  478 ok, 2 failed" in repr(shown).replace("   ", "  ")
    assert "469 ok, 11 running" in repr(shown)


def test_a_loop_is_drawn_as_its_rounds_and_what_is_around_it_stays() -> None:
    rounds = [node(n, ("extract", "clean", "load")[n % 3], n - 1) for n in range(2, 482)]
    shown = graph("loop", [node(1, "open"), *rounds, node(482, "close", 481)], 110.0)
    assert list(shape(shown)) == ["open", "load, extract, clean", "close"]
    assert "480 steps: 480 ok" in repr(shown)


def test_any_name_is_shown_and_none_is_markup(tmp_path: Path) -> None:
    names = [
        '<script>alert("x")</script>',
        "a & b",
        "]]>",
        "\x00\x1b[31mred\x07",
        "名前" * 40,
        "",
        "'\"",
        "\ud800",
        "‮x",
    ]
    shown = graph("<i>t</i>", [node(n, name, *[n - 1][: n - 1], note=name) for n, name in enumerate(names, 1)], 110.0)
    root = ET.fromstring(shown.svg)
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "g", "title", "rect", "path", "text")
    }
    assert "<script" not in shown._repr_html_()
    assert "<i>" not in shown._repr_html_()
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert "a & b" in texts
    assert all(text.isprintable() for text in texts)
    assert "\x1b" not in repr(shown)
    shown.save(tmp_path / "graph.svg")
    assert ET.parse(tmp_path / "graph.svg").getroot().tag == f"{SVG}svg"


def test_a_status_is_never_told_by_its_color_alone() -> None:
    statuses = ["succeeded", "running", "failed", "cancelled", "pending", "scheduled", "waiting"]
    shown = graph("all", [node(n, status, status=status) for n, status in enumerate(statuses, 1)], 110.0)
    signs = [e.text for e in ET.fromstring(shown.svg).iter(f"{SVG}text") if e.get("text-anchor") == "middle"]
    assert len(set(signs)) == len(statuses)
    for status in statuses:
        assert repr(shown).count(status) >= 2, "as the name, and as the word"


@workflow(name="g:diamond")
async def diamond() -> int:
    first = await extract.run(1)
    both = await asyncio.gather(clean.run(first), extract.run(2))
    mapped = await clean.map_run(range(3))
    currant.now()
    await currant.event("go")
    return await load.run(*both, *mapped)


def test_a_run_is_drawn_as_its_function_reads(pool: Pool, books: Books) -> None:
    run = diamond.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))
    shown = currant.graph(run)
    assert [(label(one), one.status, sorted(one.parents)) for one in shown.nodes] == [
        ("extract", "succeeded", []),
        ("clean", "succeeded", [1]),
        ("extract", "succeeded", [1]),
        ("clean × 3", "succeeded", [2, 3]),
        ("now", "succeeded", [4]),
        ("event go", "waiting", [5]),
    ]
    assert repr(shown).startswith("diamond, waiting: 6 steps, 5 ok, 1 waiting\n")
    run.signal("go")
    assert run.result(PATIENCE) == 5
    after = currant.graph(str(run.id))
    assert (label(after.nodes[-1]), after.nodes[-1].status) == ("load", "succeeded")
    words = repr(run.timeline())
    assert words.startswith("<Timeline of diamond: 7 steps in ")
    assert repr(graph("x", [], 0.0)) == "x: no steps yet"
    assert "image/png" in run.timeline()._repr_mimebundle_()[0]


def test_functions_that_go_on_side_by_side_stay_apart(pool: Pool) -> None:
    @workflow(name="g:lanes")
    async def lanes() -> None:
        async def lane(x: int) -> None:
            await extract.run(x)
            await clean.run(x)

        await asyncio.gather(lane(1), lane(2))
        await load.run()

    run = lanes.submit()
    run.result(PATIENCE)
    steps = currant.graph(run).nodes
    last = steps[-1]
    assert last.name == "load"
    assert len(last.parents) in (1, 2)
    assert [one.parents for one in steps if one.name == "extract"] == [frozenset(), frozenset()]


def test_a_step_that_was_given_up_is_followed_by_what_came_next(pool: Pool, signals: Signals) -> None:
    stays = endless(signals, "async")

    @workflow(name="g:patience")
    async def patience() -> None:
        try:
            async with asyncio.timeout(None) as limit:
                asyncio.get_running_loop().run_in_executor(None, signals.started.wait, PATIENCE).add_done_callback(
                    lambda _: limit.reschedule(0)
                )
                await stays.run()
        except TimeoutError:
            await asyncio.sleep(0)
        await extract.run()
        await clean.run()

    run = patience.submit()
    run.result(PATIENCE)
    until(lambda: currant.graph(run).nodes[0].status == "cancelled")  # its handler hears of it after its function
    first, *_, last = currant.graph(run).nodes
    assert first.name == "endless async"
    assert last.parents


def test_a_chain_by_handles_is_drawn_from_any_of_its_parts(pool: Pool, books: Books) -> None:
    raw = extract.submit(1)
    many = clean.map([raw] * 20)
    total = load.submit(many)
    side = clean.submit(total)
    lost = breaks.submit(raw)
    never = load.submit(lost, total)
    side.result(PATIENCE)
    never.wait(PATIENCE)
    wanted = [
        ("breaks", ["extract"]), ("clean", ["load"]), ("clean × 20", ["extract"]), ("extract", []),
        ("load", ["breaks", "load"]), ("load", ["clean × 20"]),
    ]  # fmt: skip
    for handle in (raw, many[7], total, side, never):
        shown = currant.graph(handle)
        names = {one.key: label(one) for one in shown.nodes}
        assert sorted((label(one), sorted(names[key] for key in one.parents)) for one in shown.nodes) == wanted
        assert sum(one.is_asked for one in shown.nodes) == 1
        assert "25 executions, 23 ok, 1 failed, 1 cancelled" in repr(shown)


def test_what_stands_alone_and_what_has_not_begun(start: Callable[..., Pool], books: Books) -> None:
    start()
    alone = extract.submit(3)
    alone.result(PATIENCE)
    shown = currant.graph(alone)
    assert shape(shown) == {"extract": set()}
    assert repr(alone.timeline()).startswith("<Timeline of g:extract: 1 attempt in ")
    with pytest.raises(currant.UnknownExecution):
        currant.graph("01912345-0000-7000-8000-000000000000")
    later = diamond.options(delay=3600).submit()
    assert repr(currant.graph(later)) == "diamond, scheduled: no steps yet"
    assert currant.graph(later).svg == ""


def test_only_what_may_have_changed_is_read_again(pool: Pool, books: Books) -> None:
    run = diamond.submit()
    until(lambda: books.sql("SELECT FROM currant.executions WHERE status = 'waiting'"))
    log = StepLog(run._owner.database, run._id)
    first = run._owner.run(log.read())
    second = run._owner.run(log.read())
    assert first == second
    assert first[0] is second[0], "what has ended was not read again"
    assert first[-1] is not second[-1]
    run.rerun(from_step=2)
    until(lambda: [s.status for s in run.steps][-1:] == ["waiting"] and len(run.steps) == 6)
    third = run._owner.run(log.read())
    assert third == run.steps, "what was done anew is read anew"
    assert third[1].began_at > first[1].began_at
