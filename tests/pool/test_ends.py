"""How pools end with their processes: at interpreter exit, and in forked children."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time

import pytest

from tests.conftest import Leased
from tests.pool.test_pool import PREAMBLE, run

HANDLERS = {
    "async": "async def held():\n    import asyncio\n    print('on', file=sys.__stdout__, flush=True)\n"
    "    await asyncio.sleep(3600)",
    "plain": "def held():\n    print('on', file=sys.__stdout__, flush=True)\n    time.sleep(3600)",
    "busy": "def held():\n    print('on', file=sys.__stdout__, flush=True)\n    while True: time.sleep(0.001)",
    "stubborn": "async def held():\n    import asyncio\n    print('on', file=sys.__stdout__, flush=True)\n"
    "    while True:\n        try: await asyncio.sleep(3600)\n        except asyncio.CancelledError: pass",
}


@pytest.mark.parametrize("kind", HANDLERS)
async def test_the_interpreter_ends_within_two_seconds_and_gives_back(leased: Leased, kind: str) -> None:
    script = f"{PREAMBLE}\nimport sys\n@job\n{HANDLERS[kind]}\n" + textwrap.dedent("""
        currant.start(workers=1)
        held.submit()
        held.submit()
        sys.stdin.readline()
    """)
    conn = await leased.connect()
    took: list[float] = []
    while not took or (took[-1] >= 4 and len(took) < 3):  # a busy machine has two more tries
        took.append(seconds_to_end(script, leased))
        rows = await conn.fetch(f"DELETE FROM {leased.schema}.executions RETURNING status, attempt")
        pools = await conn.fetch(f"DELETE FROM {leased.schema}.pools RETURNING stopped_at IS NOT NULL AS stopped")
        assert [tuple(row) for row in rows] == [("pending", 0), ("pending", 0)]
        assert [row["stopped"] for row in pools] == [True]
    await conn.close()
    assert took[-1] < 4, took  # about 1.4 on an idle machine; a front end kills a kernel after 2.4


def seconds_to_end(script: str, leased: Leased) -> float:
    """What the interpreter of a script takes from the end of its last line, a wait for input, to its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=leased.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    asked = time.monotonic()
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()
    return time.monotonic() - asked


def test_a_forked_child_has_not_started_and_can_start_its_own(leased: Leased) -> None:
    out = run(
        leased,
        """
        import sys, traceback
        from currant_lab import session
        pool = currant.start(workers=2)
        assert double.submit(1).result(10) == 2
        assert plain.submit(1).result(10) == 2
        before = double.submit(20)
        before.wait(10)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                try:
                    session.pool()
                except currant.PoolNotRunning:
                    pass
                assert before.result(10) == 40
                assert currant.get(before.id).status == "succeeded"
                own = currant.start(workers=3)
                assert own is not pool and own.id != pool.id
                assert double.submit(4).result(10) == 8
                assert plain.submit(4).result(10) == 5
                currant.stop()
                code = 0
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)
            finally:
                os.write(writing, bytes([code]))
                sys.__stderr__.flush()
                os._exit(code)
        os.close(writing)
        assert os.read(reading, 1) == bytes([0])
        os.waitpid(child, 0)
        assert session.pool() is pool
        assert double.submit(5).result(10) == 10
        print("both work")
        """,
    )
    assert out == "both work\n"


def test_a_forked_child_that_ends_leaves_the_parents_pool_alone(leased: Leased) -> None:
    out = run(
        leased,
        """
        import sys
        from currant_lab import session
        pool = currant.start(workers=2)
        assert double.submit(1).result(10) == 2
        child = os.fork()
        if child == 0:
            sys.exit(0)  # with all that happens at exit
        assert os.waitpid(child, 0)[1] == 0
        assert session.pool() is pool
        assert double.map(range(100)).results(10) == [2 * x for x in range(100)]
        print("unharmed")
        """,
    )
    assert out == "unharmed\n"
