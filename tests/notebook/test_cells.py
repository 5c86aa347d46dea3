"""`%%currant` in a real kernel: where its code, its names, its output and its errors go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.notebook.conftest import Kernel

SETUP = "%load_ext currant_lab\nimport currant_lab as currant\nfrom currant_lab import job\n%currant start --workers 3"


@pytest.fixture
def started(kernels: Callable[..., Kernel]) -> Kernel:
    kernel = kernels()
    kernel.run(SETUP)
    return kernel


def test_a_cell_runs_in_the_background_on_the_notebooks_names(started: Kernel) -> None:
    started.run("x = 20")
    started.run("%%currant --as e\ny = x + 1\nprint('in the cell')\ny * 2")
    assert started.run("e.result(timeout=20), y").text == "(42, 21)"
    assert started.run("e.logs").text == "'in the cell\\n'"
    assert started.run("e.source").text == repr("y = x + 1\nprint('in the cell')\ny * 2\n")
    started.run("%%currant --as e\nimport asyncio\nawait asyncio.sleep(0)\nz = 1\nz + 1")
    assert started.run("await e, z").text == "(2, 1)"
    assert started.run("%%currant --wait\nx + 2").text == "22"
    assert not started.run("%%currant --wait\nx + 2;").shown


def test_errors_are_told_with_the_cells_own_lines(started: Kernel) -> None:
    cell = started.fail("%%currant --wait\na = 1\n1 / 0")
    assert cell.error is not None
    assert "line 3, in <module>" in cell.error[2]
    assert "1 / 0" in cell.error[2]
    assert "cells.py" not in cell.error[2]
    told = started.fail("%%currant\na = 1\nb = (").err
    assert told.startswith("UsageError: %%currant: '(' was never closed in line 3: b = (.")
    assert "the cell is empty" in started.fail("%%currant\n \n").err
    assert "did you mean `--wait`?" in started.fail("%%currant --wiat\n1").err
    assert "does not work on queue 'mail'" in started.fail("%%currant --queue mail\n1").err
    assert started.run("len(currant.executions())").text == "1"
    assert started.run("%currant start?").out.startswith("usage: %currant start")
    started.run("%currant stop")
    assert "no pool runs in this kernel" in started.fail("%%currant\n1").err


def test_output_goes_to_the_cell_that_submitted_or_to_none(started: Kernel) -> None:
    started.run("@job\ndef say(word):\n    print(word)\n    import logging; logging.warning('log ' + word)")
    started.run("import io, contextlib, sys")
    quiet = started.run("say.submit('one').result(timeout=20)")
    assert quiet.out == quiet.err == ""
    held = "buffer = io.StringIO()\nwith contextlib.redirect_stdout(buffer):\n    f = say.submit('two')\n    f.result()"
    started.run(held)
    assert started.run("buffer.getvalue(), f.logs").text == "('', 'two\\nWARNING root: log two\\n')"
    sent = started.client.execute("g = say.options(capture='cell').submit('three'); g.result(timeout=20)\nimport time")
    cell = started.finish(sent)
    assert (cell.out, cell.err) == ("three\n", "WARNING root: log three\n")


def test_after_a_restart_a_cell_is_interrupted_and_ready_to_run_again(kernels: Callable[..., Kernel]) -> None:
    kernel = kernels()
    kernel.run(SETUP + "\nimport threading; gate = threading.Event()")
    kernel.run("%%currant --as e\nprint('begun')\ngate.wait()\n6 * 7")
    kernel.run("while e.attempt == 0: pass")
    id = kernel.run("str(e.id)").text.strip("'")
    kernel.kill()
    again = kernels()
    again.run(SETUP)
    assert f"`%currant retry {id}` puts the cell's text into a new cell." in again.run("%currant status").text
    assert "interrupted" in again.run("%currant list").text
    shown = again.run(f"%currant show {id}").text
    assert "interrupted" in shown
    assert "gate.wait()" in shown
    assert "Its text is in the next cell" in again.run(f"%currant retry {id}").text
    again.run("gate = __import__('threading').Event(); gate.set()")
    assert again.run(f"%%currant --again {id} --wait\nprint('begun')\ngate.wait()\n6 * 7").text == "42"
    assert again.run(f"str(currant.get('{id}').status)").text == "'cancelled'"
