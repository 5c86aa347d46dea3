"""Kernels that are killed, restarted and interrupted: the work goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

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
