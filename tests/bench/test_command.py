"""`currant bench` as people run it, small; and that a run whose books are wrong has no figures."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from currant_lab.cli import main
from tests.conftest import Leased

pytestmark = pytest.mark.timeout(180)  # whole processes, with a server beside them: only a hang takes that long
Done = subprocess.CompletedProcess[str]
_MAIN = "import sys; from currant_lab.cli import main; sys.exit(main(sys.argv[1:]))"


class Bench:
    """The command on a leased database, by a script around it where a test spoils something."""

    def __init__(self, leased: Leased, directory: Path) -> None:
        self._env = leased.env
        self.directory = directory

    def __call__(
        self, *words: object, spoil: str = "", wait_for_costs: bool = False
    ) -> subprocess.CompletedProcess[str]:
        # Where costs don't matter nobody waits until the server has told of them.
        quick = "" if wait_for_costs else "from currant_lab.bench import run; run._QUIET_S = 0.0\n"
        script = (
            quick
            + textwrap.dedent(spoil)
            + "\nimport sys; from currant_lab.cli import main; sys.exit(main(sys.argv[1:]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "bench", *map(str, words)],
            env=self._env, cwd=self.directory, capture_output=True, text=True, timeout=170, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done

    def report(self, *words: object, spoil: str = "") -> Any:
        done = self(*words, "--json", "-", spoil=spoil)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def bench(leased: Leased, tmp_path: Path) -> Bench:
    return Bench(leased, tmp_path)


def test_the_origins_words_give_all_figures_and_a_page(bench: Bench, leased: Leased) -> None:
    done = bench(
        *("--workers", 10, "--jobs", 1000, "--warmup-percent", 10, "--json", "run.json", "--html", "run.html"),
        wait_for_costs=True,
    )
    assert done.returncode == 0, done.stderr
    for word in ("1,000 async no-op jobs, 10 workers", "the bare statements", "each of 1,000 executions", "p99.9"):
        assert word in done.stdout
    report = json.loads((bench.directory / "run.json").read_text())
    assert report["jobs"] == 1000
    assert report["per_second"] == pytest.approx(1000 / report["seconds"])
    # The last settle may be heard of before the submitting thread has its turn again.
    assert 0 < report["submit_seconds"] <= report["results_seconds"]
    assert 0 < report["seconds"] <= report["results_seconds"]
    assert report["floor"]["ratio"] == pytest.approx(report["per_second"] / report["floor"]["per_second"])
    for latency in (report["wait_ms"], report["run_ms"]):
        values = [latency[name] for name in ("p50", "p95", "p99", "p999", "maximum")]
        assert values == sorted(values)
        assert values[0] > 0
    assert all(value > 0 for value in report["costs"].values())
    assert report["timeline"][-1][1] == 1000
    assert report["machine"]["settings"]["fsync"] == "on"
    page = (bench.directory / "run.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 4
    assert "currant bench --workers 10 --jobs 1000" in page
    assert "http" not in page.replace("data:image", "")


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        (("--sync", "--payload-size", 50, "--result-size", 60, "--job-time", 1, "--queues", "a,b"), {"sync": True}),
        (("--pools", 2, "--producers", 3, "--enqueue", "submit"), {"pools": 2}),
        (("--duration", "0.5s"), {"duration_s": 0.5}),
    ],
)
def test_each_kind_of_run_is_right_in_its_books(bench: Bench, words: tuple[Any, ...], shape: dict[str, Any]) -> None:
    report = bench.report("--workers", 8, "--jobs", 300, "--no-floor", *words)
    assert report["plan"] | shape == report["plan"]
    assert report["jobs"] == 300 if "--duration" not in words else report["submit_seconds"] >= 0.5
    assert report["floor"] is None
    assert sum(count for _, count in report["claims"]["histogram"]) == report["claims"]["claims"]


SPOILT = """
    from currant_lab import job
    from currant_lab.bench import work

    @job
    async def noop(n):
        {body}

    work.noop = noop
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("next(work._starts); return n + (n == 7)", "a result is wrong: 8 instead of 7"),
        ("next(work._starts); n == 7 and next(work._starts); return n", "handlers started too often: 1"),
    ],
)
def test_a_run_whose_books_are_wrong_has_no_figures(bench: Bench, body: str, message: str) -> None:
    done = bench("--jobs", 50, "--no-floor", "--json", "run.json", spoil=SPOILT.format(body=body))
    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (bench.directory / "run.json").exists()


SLOWER_THAN_THOUGHT = """
    import asyncio
    from currant_lab import job
    from currant_lab.bench import work
    from currant_lab.session import pool

    @job
    async def noop(n):
        next(work._starts)
        if n > 2_000 and n % 1_000 < 8:  # all workers: what was claimed for the next 50 ms is too much now
            for _ in range(60):
                if pool().stats().released:
                    break
                await asyncio.sleep(0.05)
        return n

    work.noop = noop
"""


def test_what_a_pool_gave_back_unstarted_is_no_second_run(bench: Bench) -> None:
    report = bench.report("--workers", 6, "--jobs", 6_000, "--no-floor", spoil=SLOWER_THAN_THOUGHT)
    assert report["released"] > 0


@pytest.mark.parametrize(
    "line",
    [
        "--workers none",
        "--jobs 0",
        "--duration 0s",
        "--duration fast",
        "--job-time -1",
        "--payload-size much",
        "--queues a,,b",
        "--enqueue bulk",
        "--pools 65",
        "--warmup-percent 2000",
        "--json /no/such/place/run.json",
        "--html /",
        "--floors",
    ],
)
def test_wrong_words_end_with_2_and_say_why(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *line.split()]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1].startswith("currant")
