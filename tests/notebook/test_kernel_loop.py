"""`start(loop="kernel")` in real kernels: handlers share what belongs to the cells' loop, and cells wait for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.notebook.conftest import Kernel
from tests.notebook.versions import VERSIONS

SETUP = """
%load_ext currant_lab
import asyncio, os, signal, sys, threading, time
import currant_lab as currant
from currant_lab import job

@job
async def opened(number):
    '''Waits for the cell's own event; one of another loop would raise.'''
    print("waits", number)
    begun.set()
    await event.wait()
    return number, threading.current_thread() is threading.main_thread()

@job
async def add(x):
    await asyncio.sleep(0.001)
    return x + 1

@job
def plain():
    return threading.current_thread() is threading.main_thread()

def interrupt_when_waited_for(execution, is_held):
    while execution.id.bytes not in execution._owner.waits._waiting:
        time.sleep(0.01)
    while is_held and not hasattr(getattr(signal.getsignal(signal.SIGINT), "__self__", None), "wish"):
        time.sleep(0.01)  # the wait is known a moment before it takes interrupts
    os.kill(os.getpid(), signal.SIGINT)

def plain_loop():
    '''Whether nothing is left of a wait that ran the loop from within.'''
    loop = asyncio.get_running_loop()
    names = asyncio.Task, asyncio.Future, asyncio.run, asyncio.get_event_loop
    return type(loop), names, hasattr(asyncio, "_nest_patched")
"""
HOG = """
@job
async def hog():
    open("{place}", "w").close()
    while signal.getsignal(signal.SIGINT).__self__.error is None:
        pass
    open("{place}", "w").close()
    while True:
        pass
"""
EVENTS = "event, begun = asyncio.Event(), asyncio.Event()\nb = opened.map([1, 2])\nawait begun.wait()"


@pytest.fixture(params=VERSIONS)
def any_kernel(kernels: Callable[..., Kernel], request: pytest.FixtureRequest) -> Kernel:
    started = kernels(version=request.param)
    started.run(SETUP)
    return started


@pytest.fixture
def started(kernels: Callable[..., Kernel]) -> Kernel:
    kernel = kernels()
    kernel.run(SETUP)
    kernel.run("%currant start --loop kernel --workers 4")
    return kernel


def test_handlers_and_cells_share_an_event_and_every_wait_works(any_kernel: Kernel) -> None:
    kernel = any_kernel
    kernel.run("before = plain_loop()")
    kernel.run("%currant start --loop kernel --workers 4")
    quiet = kernel.run(EVENTS)
    assert quiet.out == ""
    assert kernel.run("event.set()\nb.results(timeout=20)").text == "[[1, True], [2, True]]"
    assert kernel.run("b[0].logs").text == "'waits 1\\n'"
    assert kernel.run("await add.submit(1), add.submit(2).result(20)").text == "(2, 3)"
    assert kernel.run("sorted(e.result() for e in add.map(range(9)).as_completed(20))").text == repr([*range(1, 10)])
    assert kernel.run("sorted([await e async for e in add.map(range(9)).as_completed(20)])").text == repr(
        [*range(1, 10)]
    )
    assert kernel.run("plain.submit().result(20)").text == "False"
    assert kernel.run("%%currant --wait\nevent.clear()\nawait asyncio.sleep(0)\nevent.is_set()").text == "False"
    assert kernel.run("b = add.map(range(300))\nsum(b.results(20))").text == str(sum(range(301)))
    assert kernel.run("before == plain_loop()").text == "True"
    assert "has stopped" in kernel.run("%currant stop").text
    assert "other settings" not in kernel.run("%currant start --workers 4").text


def test_an_interrupt_stops_the_wait_and_a_second_one_what_is_in_its_way(started: Kernel, tmp_path: Path) -> None:
    for wait in ("b[0].result()", "await asyncio.sleep(0); b[0].result()", "await b[0]"):
        started.run(EVENTS)
        is_held = "result" in wait
        started.run(f"threading.Thread(target=interrupt_when_waited_for, args=[b[0], {is_held}]).start()")
        name, _, trace = started.fail(wait).error
        assert name in ("KeyboardInterrupt", "CancelledError")
        assert "Only the wait was stopped: execution" in trace
        assert started.run("[str(e.status) for e in b]").text == "['running', 'running']"
        assert started.run("event.set(); b.results(20)").text == "[[1, True], [2, True]]"
    started.run(EVENTS)
    late = "await asyncio.sleep(0)\nos.kill(os.getpid(), signal.SIGINT)  # that ipykernel takes\nb[0].result()"
    assert "Only the wait was stopped" in started.fail(late).error[2]
    limited = "try:\n    async with asyncio.timeout(0.05): b.results()\nexcept TimeoutError: r = 'in time'"
    assert started.run(f"{limited}\nr").text == "'in time'"
    started.run("event.set(); b.results(20)")
    os.mkfifo(tmp_path / "here")
    started.run(HOG.format(place=tmp_path / "here"))
    sent = started.client.execute("h = hog.submit()\nh.result()")
    for _ in range(2):
        (tmp_path / "here").read_text()
        started.interrupt()
    assert started.finish(sent).error[0] == "KeyboardInterrupt"
    with_reason = "h.wait(20).error.type, add.submit(1).result(20)"
    assert started.run(with_reason).text == "('KeyboardInterrupt', 2)"


STOPPED_AND_TOLD = """
import threading, time
from currant_lab import session

def tell(pool):
    while pool._stopping is None or not hasattr(getattr(signal.getsignal(signal.SIGINT), "__self__", None), "wish"):
        time.sleep(0.005)  # until the stop is waited for in a way that takes interrupts
    print("now", flush=True)

threading.Thread(target=tell, args=(session.running_pool(),)).start()
currant.stop()
"""


def test_a_stop_in_a_cell_waits_for_handlers_on_its_loop(started: Kernel) -> None:
    started.run(EVENTS)
    started.run("asyncio.get_running_loop().call_later(0.1, event.set)")
    assert "has stopped" in started.run("%currant stop").text
    assert started.run("b.counts()").text == "{'succeeded': 2}"
    started.run("%currant start --loop kernel --workers 4")
    started.run(EVENTS)
    sent = started.client.execute(STOPPED_AND_TOLD)
    started.finish(sent, until="now")
    started.interrupt()
    assert "The stop goes on" in started.finish(sent).error[2]
    assert "has stopped" in started.run("%currant stop --no-drain").text
    assert started.run("b.counts()").text == "{'pending': 2}"
    assert started.run("%currant stop").text == "No pool runs in this kernel."


def test_a_cell_that_computes_delays_the_handlers_but_not_the_lease(started: Kernel) -> None:
    started.run("@job\nasync def when():\n    return time.monotonic()")
    cell = """
e, begun, lease = when.submit(), time.monotonic(), 0.0
while (now := currant.pool().stats().lease_age_s) >= lease and time.monotonic() - begun < 20:
    lease = now
end = time.monotonic()
"""
    started.run(cell)
    assert started.run("e.result(20) >= end").text == "True"
    assert started.run("now < lease < 6").text == "True", "it has been renewed while the cell computed"


@pytest.mark.parametrize("when", ["nest_asyncio before", "nest_asyncio after", "nest_asyncio2 before"])
def test_beside_somebodys_own_apply(kernels: Callable[..., Kernel], when: str) -> None:
    package, when = when.split()
    kernel = kernels(version="7.1")  # whose environment has both
    kernel.run(SETUP)
    apply = f"import {package}\n{package}.apply()"
    if when == "before":
        kernel.run(apply)
    kernel.run("%currant start --loop kernel --workers 4")
    assert kernel.run("add.submit(1).result(20)").text == "2"
    if when == "after":
        kernel.run(apply)
    assert kernel.run("async def twice(): return 2 * await add.submit(1)\nasyncio.run(twice())").text == "4"
    assert kernel.run("add.submit(1).result(20), await add.submit(2)").text == "(2, 3)"
    assert kernel.run("asyncio.run(asyncio.sleep(0, add.submit(1))).result(20)").text == "2"
    assert "has stopped" in kernel.run("%currant stop").text


def test_without_the_extra_a_wait_in_a_cell_is_refused_and_says_what_to_do(started: Kernel) -> None:
    started.run("import importlib.abc\nsys.modules['nest_asyncio2'] = None")
    started.run(EVENTS)
    for wait in ("b[0].result()", "b.results()", "list(b.as_completed())", "%currant stop"):
        name, value, _ = started.fail(wait).error
        assert name == "CurrantError"
        assert value.endswith("`await` it, or pip install 'currant-lab[kernel-loop]'")
    assert started.run("event.set(); await b").text == "[[1, True], [2, True]]"
    assert started.run("b.results(), b[0].result()").text == "([[1, True], [2, True]], [1, True])"
    assert "has stopped" in started.run("%currant stop").text


def test_an_object_of_the_cells_loop_in_a_handler_and_no_plain_wait_there(started: Kernel) -> None:
    started.run(
        """
import asyncpg
from currant_lab import session
from currant_lab.client import current
shared = await asyncpg.create_pool(current.get().database.target.url(), min_size=1, max_size=2)

@job
async def ask(x):
    return await shared.fetchval("SELECT $1::int + 1", x)

@job
async def wrong():
    return ask.submit(1).result()
"""
    )
    assert started.run("ask.map(range(20)).results(20)").text == repr([*range(1, 21)])
    assert "in an async job, `await` the execution" in started.fail("wrong.submit().result(20)").error[1]
    started.run("await shared.close()")
