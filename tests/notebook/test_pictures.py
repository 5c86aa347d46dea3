"""Pictures: real PNGs of real batches, readable with 5 executions and with 100,000."""

from __future__ import annotations

import io
import random
import subprocess
import sys

import pytest
from PIL import Image

from currant_lab.pictures.latency import latency
from currant_lab.pictures.spans import Span, lay
from currant_lab.pictures.throughput import throughput
from currant_lab.pictures.timeline import timeline
from currant_lab.pool.pace import Slot
from tests.conftest import Leased


def made(count: int, workers: int, pools: int = 1) -> list[Span]:
    """So many attempts one after the other in each worker."""
    chance = random.Random(7)
    free = {(pool, worker): 1000.0 for pool in range(pools) for worker in range(workers)}
    spans = []
    for number in range(count):
        slot = min(free, key=lambda one: free[one])
        end = free[slot] + chance.uniform(0.5, 1.5)
        status = "failed" if number % 50 == 3 else "succeeded"
        spans.append(Span(status, slot[0], 1000.0, free[slot], end))
        free[slot] = end
    return spans


def drawn(picture: object) -> Image.Image:
    bundle, meta = picture._repr_mimebundle_()  # type: ignore[attr-defined]
    image = Image.open(io.BytesIO(bundle["image/png"]))
    assert image.width == 2 * meta["image/png"]["width"]
    assert image.getpixel((1, 1))[3] == 0, "the ground is transparent, for light and dark themes"
    return image


def test_spans_of_a_lane_never_overlap_and_there_are_no_more_lanes_than_workers() -> None:
    laid = lay(made(500, 4, pools=2))
    assert laid.lanes == [(0, 4), (1, 4)]
    ends: dict[int, float] = {}
    for lane, span in laid.placed:
        assert ends.get(lane, 0.0) <= span.started_at
        ends[lane] = span.finished_at
        assert lane // 4 == span.pool


def test_an_end_that_is_known_late_makes_no_lane() -> None:
    spans = [Span("succeeded", 1, 0.0, start, start + 1.02, 2) for start in (0.0, 0.0, 1.0, 1.0, 2.0)]
    assert lay(spans).lanes == [(1, 2)]
    resized = [*spans, Span("succeeded", 1, 0.0, 2.0, 3.0, 2), Span("succeeded", 1, 0.0, 2.5, 3.0, 2)]
    assert lay(resized).lanes == [(1, 3)], "it had more workers then"


@pytest.mark.parametrize(("count", "workers"), [(5, 3), (5_000, 16), (100_000, 8)])
def test_a_timeline_shows_every_lane_and_the_failures(count: int, workers: int) -> None:
    picture = timeline("cost in $ and $x^2$", made(count, workers))
    assert f"{count:,} attempts" in repr(picture)
    assert f"{workers} lanes of 1 pool" in repr(picture)
    colors = {color[:3] for _, color in drawn(picture).getcolors(1 << 20) if color[3] > 200}
    assert (155, 89, 182) in colors
    assert (229, 72, 63) in colors


def test_latency_tells_true_quantiles() -> None:
    spans = [Span("succeeded", 1, 0.0, 1.0, 1.0 + n / 1000) for n in range(1, 101)]
    picture = latency("b", spans)
    assert repr(picture) == "<Latency of b: wait p50 1 s, p95 1 s, p99 1 s; run p50 51 ms, p95 96 ms, p99 100 ms>"
    drawn(picture)


def test_what_has_not_begun_is_said_in_words() -> None:
    waiting = [Span("pending", None, 5.0, None, None)]
    for picture in (timeline("b", waiting), latency("b", waiting), timeline("b", [])):
        assert repr(picture) == "<b: nothing has started yet>"
        drawn(picture)
    assert repr(throughput("Pool p", [], 1, 4)) == "<Pool p: nothing has started yet>"


def test_throughput_of_an_hour_is_drawn_in_steps() -> None:
    picture = throughput("Pool p", [Slot(100, 98, 1, 0, 1, 3.5)] * 3600, 1, 4)
    assert "356,400 executions in 60 min, at most 100/s, 3,600 retried, 3,600 failed" in repr(picture)
    drawn(picture)


SCRIPT = """
import currant_lab as currant
from currant_lab import job

@job(retries=1, backoff=0)
def work(x):
    if x == 3 and currant.current().attempt == 1:
        raise ValueError(x)
    if x == 4:
        raise ValueError(x)

with currant.start(workers=3) as pool:
    b = work.map(range(20), batch="pictured")
    b.results(timeout=30, on_error="return")
    print(b.timeline()); print(b.latency()); print(pool.throughput())
print(pool.throughput())
b.timeline().save("t.png")
"""


def test_a_real_batch_is_drawn_with_its_retries(leased: Leased, tmp_path: object) -> None:
    script = tmp_path / "script.py"  # type: ignore[operator]
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script], env=leased.env, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Timeline of pictured: 22 attempts" in done.stdout  # 18 once, two twice
    assert "Latency of pictured: wait p50" in done.stdout
    last, after_stop = [line for line in done.stdout.splitlines() if "Throughput of Pool" in line]
    for line in (last, after_stop):
        assert ": 20 executions in" in line
        assert line.endswith(", 2 retried, 1 failed>")
    with Image.open(tmp_path / "t.png") as image:  # type: ignore[operator]
        assert image.width > 1000
