"""Waiting for executions from everywhere, and what Interrupt makes of it: one kernel, and one script."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Leased
from tests.notebook.conftest import Kernel

JOBS = """
import asyncio, os, signal, sys, threading, time
import currant_lab as currant
from currant_lab import job

@job
def double(x):
    return 2 * x

def plainly():
    b = double.map(range(5))
    e = double.submit(5)
    return [e.result(20), b.results(20), sorted(e.result() for e in b.as_completed(20)), b[4].wait(20).attempt]

async def awaiting():
    b = double.map(range(5)) if not currant_is_here() else await double.amap(range(5))
    e = await double.asubmit(5)
    return [await e, await b, sorted([await e async for e in b.as_completed(20)]), (await b[4].arefresh()).attempt]

def currant_is_here():
    from currant_lab.loop import background
    return background.is_current

@job
def waits_plainly():
    return plainly()

@job
async def waits():
    return await awaiting()

@job
async def waits_wrongly(form):
    later = double.options(delay=60)
    e, b = await later.asubmit(1), await later.amap([1])
    try:
        {"result": e.result, "wait": e.wait, "results": b.results, "completed": lambda: list(b.as_completed()),
         "submit": lambda: double.submit(1)}[form]()
    except currant.CurrantError as error:
        return str(error)

ALL = [10, [0, 2, 4, 6, 8], [0, 2, 4, 6, 8], 1]
"""
SCRIPT = (
    JOBS
    + """
with currant.start():
    found = []
    thread = threading.Thread(target=lambda: found.append(plainly()))
    thread.start()
    thread.join()
    assert found == [ALL]
    assert plainly() == ALL
    assert asyncio.run(awaiting()) == ALL
"""
)
FORMS = {
    "result": "`await` the execution",
    "wait": "`await` the execution",
    "results": "`await` the batch",
    "completed": "loop with `async for`",
    "submit": "use `await job.asubmit(...)`",
}


@pytest.fixture
def started(kernels: Callable[..., Kernel]) -> Kernel:
    kernel = kernels()
    kernel.run("%load_ext currant_lab" + JOBS)
    kernel.run("%currant start --workers 8")
    return kernel


def test_waits_in_a_cell_a_thread_a_handler_and_a_subshell(started: Kernel) -> None:
    assert started.run("plainly() == ALL, await awaiting() == ALL").text == "(True, True)"
    in_thread = (
        "found = []; t = threading.Thread(target=lambda: found.append({})); t.start(); t.join(20); found == [ALL]"
    )
    assert started.run(in_thread.format("plainly()")).text == "True"
    assert started.run(in_thread.format("asyncio.run(awaiting())")).text == "True"
    assert started.run("waits_plainly.submit().result(20) == ALL, await waits.submit() == ALL").text == "(True, True)"
    for form, advice in FORMS.items():
        told = started.run(f"waits_wrongly.submit({form!r}).result(20)").text
        assert "this would block the pool's own loop for ever" in told
        assert advice in told
    busy = started.client.execute("gate = threading.Event(); gate.wait(30)")  # the main shell is not to be had
    for code in ("r = plainly() == ALL", "r = await awaiting() == ALL"):
        assert _in_subshell(started, f"{code}\nassert r") == "ok"
    assert _in_subshell(started, "gate.set()") == "ok"
    assert started.finish(busy).status == "ok"


def _in_subshell(kernel: Kernel, code: str) -> Any:
    """Run code in a subshell of its own; returns its status."""
    client = kernel.client
    session = client.session
    ask = session.msg("create_subshell_request")
    client.control_channel.send(ask)
    subshell = client.get_control_msg(timeout=30)["content"]["subshell_id"]
    message = session.msg("execute_request", {"code": code, "silent": False, "store_history": False})
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    return kernel.reply(message["header"]["msg_id"])["content"]["status"]


def test_waits_in_a_script(leased: Leased, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=leased.env, check=True, timeout=50)


HELD = """
@job
def held(x):
    gate.wait()

def waits():
    is_known = e.id.bytes in e._owner.waits._waiting
    return is_known and sys._current_frames()[threading.main_thread().ident].f_code.co_name in ("wait", "select")

def interrupt():
    while not waits():
        time.sleep(0.01)
    globals().update(sent=time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

gate = threading.Event()
b = held.map([1])
e = b[0]
"""


def test_an_interrupt_ends_a_wait_at_once_and_is_told_shortly(started: Kernel) -> None:
    """What is ours of it: from the signal to the end of the wait, the best of three on a busy machine."""
    started.run(HELD)
    for wait in ("e.result()", "await e", "list(b.as_completed())", "await asyncio.sleep(0); b.results()"):
        spent = []
        for _ in range(3):
            timed = f"try:\n    {wait}\nfinally:\n    spent = time.monotonic() - sent"
            cell = started.fail(f"threading.Thread(target=interrupt).start()\n{timed}")
            name, _, trace = cell.error
            assert name in ("KeyboardInterrupt", "CancelledError")
            assert len(trace.splitlines()) == 4, trace
            assert "Only the wait was stopped: " in trace.splitlines()[3]
            spent.append(float(started.run("spent").text))
        assert min(spent) < 0.2, (wait, spent)
    assert started.run("str(e.refresh().status)").text == "'running'"
    started.run("gate.set(); b.results(20)")
