"""`track` outside of a handler: a bar in a cell, a line in a terminal, nothing elsewhere."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.notebook.conftest import Kernel

LOOP = "import currant_lab as currant\nassert sum(currant.track(range(3), note='<i>pages</i>')) == 3\n"


def test_a_loop_in_a_cell_has_a_bar(kernel: Kernel) -> None:
    cell = kernel.run(LOOP)
    assert "3 of 3" in cell.text
    assert "&lt;i&gt;pages&lt;/i&gt;" in cell.html
    assert cell.html.count("width: 100.00%") == 1
    assert cell.shown[0]["text/plain"] == "<i>pages</i> ░░░░░░░░░░░░░░░░░░░░ 0 of 3"
    endless = kernel.run("for number in currant.track(iter('abcdef')):\n    if number == 'c': break")
    assert endless.text.startswith("2 · ")
    assert "█" not in endless.text
    unasked = kernel.run("import os; os.environ['CURRANT_ANIMATION'] = '0'\nlist(currant.track([1, 2]))")
    assert unasked.shown == [{"text/plain": "[1, 2]"}]
    assert kernel.fail("list(currant.track([1], total='x'))").error[0] == "InvalidArguments"


def parts_of(terminal: int) -> Iterator[bytes]:
    """All that was written to it: the kernel hands it over bit by bit, and raises at its end."""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 4096):
            yield part


def test_a_loop_in_a_terminal_has_a_line_and_in_a_log_none(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    main, terminal = pty.openpty()
    subprocess.run([sys.executable, "-c", LOOP], env=env, stderr=terminal, check=True, timeout=50)
    os.close(terminal)
    said = b"".join(parts_of(main)).decode()
    os.close(main)
    assert said.startswith("\r<i>pages</i> ░")
    assert "3 of 3" in said
    assert said.endswith("\r\n")
    quiet = subprocess.run([sys.executable, "-c", LOOP], env=env, capture_output=True, check=True, timeout=50)
    assert quiet.stderr == b""
