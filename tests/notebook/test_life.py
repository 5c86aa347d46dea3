"""Kernels that are killed, restarted and interrupted: the work goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Leased
from tests.notebook.conftest import Kernel

SETUP = """
%load_ext currant_lab
import os
import currant_lab as currant
from currant_lab import job
"""

HELD = """
@job
def held(number, place):
    '''Number 0 says that it runs, and waits; unless there is a file `free`.'''
    if number == 0 and not os.path.exists(f"{place}/free"):
        with open(f"{place}/begun", "w") as begun:
            begun.write("x")
        with open(f"{place}/go") as go:
            go.read()
    return number
"""

MAP = "b = held.map(range(10), ['{place}'] * 10, batch='ten')"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    return tmp_path


def wait_begun(place: Path) -> None:
    assert (place / "begun").read_text() == "x"


def test_a_killed_kernel_loses_nothing(kernels: Callable[..., Kernel], place: Path) -> None:
    kernel = kernels()
    kernel.run(SETUP + HELD)
    kernel.run(MAP.format(place=place))  # before the pool starts: under the name that it will look for
    kernel.run("%currant start --workers 1")
    wait_begun(place)
    (place / "free").touch()
    kernel.kill()

    again = kernels()
    again.run(SETUP)
    again.run("%currant start --workers 1")
    status = again.run("%currant status")
    assert "10 wait for `held`: run its cell (Field notes:held)." in status.text
    again.run(HELD)
    again.run(MAP.format(place=place))
    assert again.run("b.results(timeout=20) == list(range(10)), b.counts()").text == "(True, {'succeeded': 10})"
    assert again.run("sorted(e.attempt for e in b)[-1]").text == "2"


def test_after_a_restart_pending_work_continues(kernels: Callable[..., Kernel], place: Path) -> None:
    kernel = kernels()
    kernel.run(SETUP + HELD)
    kernel.run("%currant start --workers 1")
    kernel.run(MAP.format(place=place))
    wait_begun(place)
    (place / "free").touch()
    kernel.restart()
    kernel.run(SETUP + HELD)
    kernel.run("%currant start --workers 1")
    assert kernel.run("currant.batch('ten').results(timeout=20) == list(range(10))").text == "True"


def test_two_notebooks_never_run_each_others_work(kernels: Callable[..., Kernel]) -> None:
    one, two = kernels("/home/ada/one.ipynb"), kernels("/home/ada/two.ipynb")
    for kernel, word in ((one, "one"), (two, "two")):
        kernel.run(SETUP + f"@job\ndef who():\n    return {word!r}")
    two.run("%currant start")
    one.run("e = [who.submit() for _ in range(5)]")
    assert two.run("[who.submit().result(timeout=20) for _ in range(5)] == ['two'] * 5").text == "True"
    assert "5 wait for `who`: run its cell (one:who)" in two.run("%currant status").text
    one.run("%currant start")
    assert one.run("[x.result(timeout=20) for x in e] == ['one'] * 5").text == "True"


@pytest.mark.parametrize("wait", ["e.result()", "await e", "follow(b)"])
def test_an_interrupt_stops_the_wait_and_nothing_else(kernels: Callable[..., Kernel], place: Path, wait: str) -> None:
    kernel = kernels()
    kernel.run(SETUP + HELD + "from currant_lab.notebook import follow")
    kernel.run("%currant start")
    kernel.run(f"b = held.map([0], ['{place}'])\ne = b[0]")
    wait_begun(place)
    sent = kernel.client.execute(f"print('waits', flush=True)\n{wait}")
    kernel.finish(sent, until="waits")
    kernel.interrupt()
    cell = kernel.finish(sent)
    assert cell.status == "error"
    assert cell.error is not None
    assert cell.error[0] in ("KeyboardInterrupt", "CancelledError")  # the kernel's name for it in an async cell
    assert kernel.run("str(e.status)").text == "'running'"
    (place / "go").write_text("x")
    assert kernel.run("e.result(timeout=20), e.attempt").text == "(0, 1)"


FORKS = """
import os
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    try:
        told = []
        try:
            currant.pool()
        except currant.PoolNotRunning:
            told.append("not started")
        told.append(str(e.result(20)))
        told.append(str(currant.batch("ten").results(20)))
        told.append(str(add.submit(5).result(20)))
        os.write(writer, "; ".join(told).encode())
    finally:
        os._exit(0)
os.close(writer)
found = open(reader).read()
os.waitpid(child, 0)[1], found
"""


def test_a_fork_a_jump_of_the_clock_and_a_shutdown_lose_nothing(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels()
    add = "@job\ndef add(x):\n    return x + 1\n"
    kernel.run(SETUP + add)
    kernel.run("%currant start --workers 2")
    kernel.run("e, b = add.submit(1), add.map(range(3), batch='ten')\ne.result(20), b.results(20)")
    assert kernel.run(FORKS).text == repr((0, "not started; 2; [1, 2, 3]; 6"))
    assert kernel.run("add.submit(1).result(20), currant.pool().is_running").text == "(2, True)"
    kernel.run("import time\nwall, wall_ns = time.time, time.time_ns")
    for hours in (8, -30):
        kernel.run(
            f"time.time = lambda: wall() + {hours} * 3600\ntime.time_ns = lambda: wall_ns() + {hours} * 3600 * 10**9"
        )
        assert kernel.run("add.map(range(100)).results(20) == [*range(1, 101)]").text == "True"
        assert kernel.run("d = add.options(delay=0.3).submit(1)\nd.result(20), d.attempt").text == "(2, 1)"
        assert kernel.run("abs(d.created_at.timestamp() - wall()) < 60").text == "True"  # the database's clock
        assert kernel.run("currant.pool().stats().lease_age_s < 10").text == "True"
    kernel.run("%currant pause default")
    id = kernel.run("later = add.submit(7)\nadd.map([8, 9], batch='later')\nstr(later.id)").text.strip("'")
    kernel.end()
    again = kernels()
    again.run(SETUP + add)
    again.run("%currant start --workers 2")
    again.run("%currant resume default")
    assert again.run(f"currant.get('{id}').result(20), currant.batch('later').results(20)").text == "(8, [9, 10])"


def test_a_closed_laptop_finds_its_work_done_by_another_and_goes_on(
    kernels: Callable[..., Kernel], place: Path, leased: Leased
) -> None:
    """Frozen for longer than its lease, which is aged here instead of waiting a minute."""
    laptop = kernels()
    laptop.run(SETUP + HELD)
    laptop.run("%currant start --workers 1")
    laptop.run(MAP.format(place=place))
    wait_begun(place)
    (place / "free").touch()
    pid = laptop.manager.provisioner.pid
    os.kill(pid, signal.SIGSTOP)
    aged = f"UPDATE {leased.schema}.pools SET seen_at = now() - interval '2 minutes'"
    asyncio.run(_execute(leased, aged))
    other = kernels()
    other.run(SETUP + HELD)
    other.run("%currant start --workers 1")
    assert other.run("currant.batch('ten').results(timeout=20) == list(range(10))").text == "True"
    os.kill(pid, signal.SIGCONT)
    assert laptop.run("b.results(timeout=20) == list(range(10)), b[0].refresh().attempt").text == "(True, 2)"
    assert laptop.run("held.submit(3, '').result(20)").text == "3"


async def _execute(leased: Leased, sql: str) -> None:
    connection = await leased.connect()
    await connection.execute(sql)
    await connection.close()
