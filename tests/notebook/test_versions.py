"""What differs between ipykernels: whose output it is, what an interrupt is, completion. On each of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.notebook.conftest import Kernel
from tests.notebook.versions import VERSIONS

SETUP = """
%load_ext currant_lab
import threading
import currant_lab as currant
from currant_lab import job
gate = threading.Event()

@job
def held(word):
    print("first", word, flush=True)
    gate.wait()
    print("then", word)
"""


@pytest.fixture(params=VERSIONS)
def kernel(kernels: Callable[..., Kernel], request: pytest.FixtureRequest) -> Kernel:
    started = kernels(version=request.param)
    version = started.run("import ipykernel; ipykernel.__version__").text.strip("'")
    assert version.startswith("7." if request.param == "newest" else f"{request.param}.")
    started.run(SETUP)
    started.run("%currant start")
    return started


def test_output_interrupts_and_completion(kernel: Kernel) -> None:
    submits = kernel.client.execute("e = held.options(capture='cell').submit('x')\nawait e")
    assert kernel.finish(submits, until="first x\n").out == "first x\n"
    kernel.interrupt()
    name, _, trace = kernel.finish(submits).error or ("", "", "")
    assert name in ("KeyboardInterrupt", "CancelledError")
    assert "Only the wait was stopped: execution" in trace
    assert kernel.run("str(e.status)").text == "'running'"

    waits = kernel.client.execute("gate.set(); e.wait(20)\nprint('unrelated')")
    shown: dict[str, str] = {submits: "", waits: ""}
    is_idle = False
    while not is_idle or "then x\n" not in shown[submits]:
        message = kernel.client.get_iopub_msg(timeout=30)
        parent = message["parent_header"].get("msg_id")
        if message["msg_type"] == "stream":
            shown[parent] += message["content"]["text"]
        elif message["msg_type"] == "status" and parent == waits:
            is_idle = message["content"]["execution_state"] == "idle"
    assert shown == {submits: "then x\n", waits: "unrelated\n"}
    assert kernel.reply(waits)["content"]["status"] == "ok"

    quiet = kernel.run("held.submit('y').result(timeout=20)")
    assert quiet.out == ""
    both = kernel.run("%%currant --wait --echo\nimport asyncio\nprint('cell')\nawait asyncio.sleep(0)\n5")
    assert (both.out, both.text) == ("cell\n", "5")
    for line, found in {
        "%currant sta": ["start", "status"],
        "%currant start --wo": ["--workers"],
        "%currant list --status fa": ["failed"],
        "%currant submit he": ["held("],
        "%%currant --wa": ["--wait"],
    }.items():
        sent = kernel.client.complete(line)
        assert kernel.reply(sent)["content"]["matches"] == found
