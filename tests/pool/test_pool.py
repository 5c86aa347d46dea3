"""The thread through all floors: submit, claim in Rust, handler, settle, result; in real processes."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.conftest import Leased


def run(leased: Leased, script: str) -> str:
    """Run a script in a process of its own that uses the leased schema; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script)],
        env=leased.env, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


PREAMBLE = textwrap.dedent("""
    import os, signal, time
    import currant_lab as currant
    from currant_lab import job

    @job
    async def double(x: int) -> int:
        return 2 * x

    @job
    def plain(x: int) -> int:
        print("plain", x)
        return x + 1

    @job
    async def fails(x: int) -> None:
        raise ValueError(f"no {x}")

    @job(retries=3, backoff=0)
    async def flaky() -> int:
        assert currant.current().attempt == len(open(PATH).read()) + 1
        if len(open(PATH).read()) < 3:
            open(PATH, "a").write("x")
            raise OSError("not yet")
        return 7
""")


def test_results_come_back_in_order(leased: Leased) -> None:
    out = run(
        leased,
        """
        with currant.start(workers=8) as pool:
            assert double.submit(4).result(timeout=10) == 8
            e = plain.submit(1)
            assert e.result(timeout=10) == 2
            assert e.logs == "plain 1\\n", e.logs
            assert double.map(range(5000)).results(timeout=30) == [2 * x for x in range(5000)]
            print(pool.stats().settled)
        """,
    )
    assert out == "5002\n"


def test_a_failure_comes_back_with_its_traceback(leased: Leased) -> None:
    run(
        leased,
        """
        currant.start()
        try:
            fails.submit(3).result(timeout=10)
        except currant.ExecutionFailed as error:
            assert (error.type, error.message, error.attempt) == ("ValueError", "no 3", 1)
            assert "in fails" in error.traceback
        else:
            raise SystemExit("it did not fail")
        """,
    )


def test_a_retry_runs_again(leased: Leased, tmp_path: object) -> None:
    run(
        leased,
        f"""
        PATH = {str(tmp_path)!r} + "/runs"
        open(PATH, "w").close()
        currant.start()
        e = flaky.submit()
        assert e.result(timeout=10) == 7
        assert e.attempt == 4, e.attempt
        """,
    )


def test_start_twice_is_one_pool_and_other_settings_are_told(leased: Leased) -> None:
    run(
        leased,
        """
        pool = currant.start(workers=4)
        assert currant.start(workers=4) is pool
        try:
            currant.start(workers=5)
        except currant.CurrantError as error:
            assert "workers 4, not 5" in str(error), error
        else:
            raise SystemExit("two pools")
        """,
    )


@pytest.mark.parametrize("kind", ["double", "plain"])
async def test_nothing_is_lost_when_the_process_is_killed(leased: Leased, kind: str) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(f"""
            currant.start(workers=16, name="lab")
            batch = {kind}.map(range(10_000), batch="all")
            for done, e in enumerate(batch.as_completed()):
                if done == 1000:
                    print("half way", flush=True)
        """)],
        env=leased.env, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert killed.stdout is not None
    assert killed.stdout.readline() == "half way\n"
    killed.kill()
    killed.wait()
    killed.stdout.close()
    run(
        leased,
        f"""
        currant.start(workers=16, name="lab")
        batch = {kind}.map(range(10_000), batch="all")
        assert len(batch) == 10_000
        results = batch.results(timeout=40)
        assert results == [({"2 * x" if kind == "double" else "x + 1"}) for x in range(10_000)]
        assert batch.counts() == {{"succeeded": 10_000}}, batch.counts()
        """,
    )
    conn = await leased.connect()
    try:
        left = await conn.fetchval(f"SELECT count(*) FROM {leased.schema}.executions")
        done = await conn.fetchval(f"SELECT count(*) FROM {leased.schema}.history WHERE status = 'succeeded'")
    finally:
        await conn.close()
    assert (left, done) == (0, 10_000)
