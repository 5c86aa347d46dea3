"""Pools, batches and executions in a cell: one bundle that lives while a cell blocks, and ends as a plain table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.notebook.conftest import Kernel

WIDGET = "application/vnd.jupyter.widget-view+json"

JOBS = """
import os, time

@job
def held(number, place):
    if number == 30:
        raise ValueError("<b>no</b>")
    while number == 3 and not os.path.exists(place):
        currant.progress(0.5, "<i>half</i>")
        time.sleep(0.01)
    return number

%currant start --workers 2
"""


class Output:
    """What a display in a cell became: its first bundle, the HTML its widget was sent, its last bundle."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.bundles: list[dict[str, Any]] = []
        self.sent: list[tuple[datetime, str]] = []
        self.ids: set[str] = set()

    def run(self, code: str) -> Output:
        """Show something with this cell; then look on."""
        self.kernel.client.execute(code)
        self.until(lambda message: message["msg_type"] == "display_data" and WIDGET in message["content"]["data"])
        return self

    def until(self, is_it: Callable[[Any], bool]) -> None:
        for message in self.messages():
            if is_it(message):
                return

    def messages(self) -> Iterator[Any]:
        while True:
            message = self.kernel.client.get_iopub_msg(timeout=30)
            kind, content = message["msg_type"], message["content"]
            if kind == "display_data" and WIDGET in content["data"]:
                self.ids.add(content["transient"]["display_id"])
            if kind in ("display_data", "update_display_data") and content["transient"]["display_id"] in self.ids:
                self.bundles.append(content["data"])
            if kind == "comm_msg" and "value" in content["data"].get("state", {}):
                self.sent.append((message["header"]["date"], content["data"]["state"]["value"]))
            yield message

    def ends(self) -> dict[str, Any]:
        """Wait for the bundle without a widget."""
        self.until(lambda _: bool(self.bundles) and WIDGET not in self.bundles[-1])
        return self.bundles[-1]


def test_a_batch_lives_while_a_cell_blocks_and_ends_as_a_table(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(JOBS)
    shown = Output(kernel).run(f"b = held.map(range(40), ['{tmp_path}/free'] * 40, batch='<i>all</i>')\nb")
    assert set(shown.bundles[0]) == {WIDGET, "text/html", "text/plain"}
    assert shown.bundles[0]["text/plain"].startswith("<Batch '<i>all</i>' of 40 executions of Field notes:held>")
    blocks = kernel.client.execute(f"while not os.path.exists('{tmp_path}/end'): pass")
    shown.until(lambda _: bool(shown.sent) and "39 of 40 done · 1 failed" in shown.sent[-1][1])
    (tmp_path / "free").touch()
    last = shown.ends()
    assert last["text/html"].count("<td") == 4  # succeeded 39, failed 1
    assert "&lt;i&gt;all" in last["text/html"]
    assert "<i>" not in last["text/html"] + shown.sent[-1][1]
    times = [at for at, value in shown.sent if "all" in value]
    assert all((later - earlier).total_seconds() > 0.2 for earlier, later in pairwise(times)), times
    (tmp_path / "end").touch()
    kernel.finish(blocks)
    assert set(kernel.run("b").shown[-1]) == {"text/html", "text/plain"}


def test_an_execution_tells_its_progress_and_a_pool_its_end(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(JOBS)
    shown = Output(kernel).run(f"e = held.submit(3, '{tmp_path}/free')\ne")
    shown.until(lambda _: bool(shown.sent) and "50% &lt;i&gt;half&lt;/i&gt;" in shown.sent[-1][1])
    (tmp_path / "free").touch()
    last = shown.ends()
    assert "succeeded" in last["text/plain"]
    pool = Output(kernel).run("currant.pool()")
    kernel.client.execute("currant.stop()")
    last = pool.ends()
    assert "(stopped)" in last["text/html"]
    assert "settled" in last["text/html"]
    assert last["text/plain"].startswith("<Pool Field notes: stopped>")


def test_where_nobody_looks_it_is_shown_once(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run(JOBS + f"e = held.submit(3, '{tmp_path}/free')")
    for setting in (
        "os.environ['CURRANT_ANIMATION'] = '0'",
        "os.environ['CURRANT_ANIMATION'] = ''; os.environ['CI'] = '1'",
    ):
        for code in ("e", "currant.pool()", "%currant panel"):
            (bundle,) = kernel.run(f"{setting}\n{code}").shown
            assert set(bundle) == {"text/html", "text/plain"}
    sent = kernel.client.execute("del os.environ['CI']\ne", allow_stdin=False)
    assert set(kernel.finish(sent).shown[0]) == {"text/html", "text/plain"}, "a program runs this cell"
    kernel.run("os.environ['CURRANT_ANIMATION'] = '1'\nimport sys\nsys.modules['ipywidgets'] = None")
    kernel.client.execute("e")
    seen: list[dict[str, Any]] = []
    while "succeeded" not in str(seen):
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["msg_type"] in ("display_data", "update_display_data"):
            seen.append(message["content"]["data"])
            (tmp_path / "free").touch()
    assert len(seen) > 1
    assert set(seen[0]) == {"text/html", "text/plain"}
