"""Real kernels on a leased schema, and what each of their cells has shown."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from tests.conftest import Leased
from tests.notebook.versions import python_of

_PATIENCE_S = 60


@dataclass
class Cell:
    """What came of a cell, and only of this one.

    Attributes:
        shown: the mimebundles of its results and displays, updates included, in order. A live display updates itself
            in whatever cell runs.
        result: the mimebundle of its last expression.
        error: (name, value, traceback) of the exception it ended with.
    """

    status: str = ""
    out: str = ""
    err: str = ""
    shown: list[dict[str, str]] = field(default_factory=list)
    error: tuple[str, str, str] | None = None
    result: dict[str, str] | None = None

    @property
    def text(self) -> str:
        """The text of its result, else of what it displayed last."""
        return (self.result or self.shown[-1])["text/plain"]

    @property
    def html(self) -> str:
        return self.shown[-1]["text/html"]


class Kernel:
    """An IPython kernel in a process of its own, as JupyterLab starts one for the notebook `path`.

    Its sockets are files that begin with `sockets`: of five TCP ports that were free when they were chosen one may be
    another kernel's by the time this one takes it, and then it ends at once.
    """

    def __init__(self, env: dict[str, str], path: str, version: str, sockets: str) -> None:
        self.manager = KernelManager(transport="ipc", ip=sockets)
        self.manager._kernel_spec = KernelSpec(
            argv=[python_of(version), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        )
        self.manager.start_kernel(
            env=env | {"JPY_SESSION_NAME": path, "CURRANT_ANIMATION": "1"}, stderr=subprocess.DEVNULL
        )
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=_PATIENCE_S)
        self._replies: dict[str, Any] = {}

    def run(self, code: str) -> Cell:
        """Run a cell that is to succeed."""
        cell = self.attempt(code)
        assert cell.status == "ok", cell
        return cell

    def attempt(self, code: str) -> Cell:
        """Run a cell, however it ends."""
        return self.finish(self.client.execute(code))

    def fail(self, code: str) -> Cell:
        """Run a cell that is to raise."""
        cell = self.attempt(code)
        assert cell.status == "error", cell
        return cell

    def finish(self, sent: str, until: str | None = None) -> Cell:
        """Collect what a cell that has been sent shows, up to its end, or until it has printed `until`."""
        cell = Cell()
        while until is None or until not in cell.out:
            message = self.client.get_iopub_msg(timeout=_PATIENCE_S)
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            _take(cell, kind, content)
        else:
            return cell
        cell.status = self.reply(sent)["content"]["status"]
        return cell

    def reply(self, sent: str) -> Any:
        """The reply to what has been sent. Those of others that come before it are kept: shells answer in any order."""
        while sent not in self._replies:
            message = self.client.get_shell_msg(timeout=_PATIENCE_S)
            self._replies[message["parent_header"]["msg_id"]] = message
        return self._replies.pop(sent)

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def kill(self) -> None:
        """kill -9: no goodbye."""
        os.kill(self.manager.provisioner.pid, signal.SIGKILL)
        self.manager.shutdown_kernel(now=True)
        self.client.stop_channels()

    def restart(self) -> None:
        """As the button does it: a polite end, a new process, the same notebook."""
        self.manager.restart_kernel()
        self.client.wait_for_ready(timeout=_PATIENCE_S)
        while True:
            try:
                self.client.get_iopub_msg(timeout=0)
            except queue.Empty:
                return

    def end(self) -> None:
        if self.manager.is_alive():
            self.manager.shutdown_kernel()
            self.client.stop_channels()


def _take(cell: Cell, kind: str, content: Any) -> None:
    if kind == "stream":
        if content["name"] == "stdout":
            cell.out += content["text"]
        else:
            cell.err += content["text"]
    elif kind in ("execute_result", "display_data", "update_display_data"):
        cell.shown.append(content["data"])
        if kind == "execute_result":
            cell.result = content["data"]
    elif kind == "error":
        cell.error = (content["ename"], content["evalue"], "\n".join(content["traceback"]))


@pytest.fixture
def kernels(leased: Leased) -> Iterator[Callable[[str], Kernel]]:
    """Starts kernels that use the leased schema; they are ended after the test."""
    begun: list[Kernel] = []

    def start(path: str = "/home/ada/Field notes.ipynb", version: str = "newest") -> Kernel:
        begun.append(Kernel(leased.env, path, version, f"{place}/{len(begun)}"))
        return begun[-1]

    with tempfile.TemporaryDirectory() as place:
        yield start
        for kernel in begun:
            kernel.end()


@pytest.fixture
def kernel(kernels: Callable[..., Kernel]) -> Kernel:
    """One kernel with the extension."""
    started = kernels()
    started.run("%load_ext currant_lab\nimport currant_lab as currant\nfrom currant_lab import job")
    return started
