"""`%currant` in a real kernel: each word, what it shows, and how it says that something is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import Leased
from tests.notebook.conftest import Kernel

DOUBLE = """
@job
def double(x):
    print("<b>doubling</b>", x)
    if x == 13:
        raise ValueError("<script>no</script> \\x1b[31m")
    return 2 * x
"""


def test_a_pool_starts_shows_itself_and_stops(kernel: Kernel) -> None:
    assert "No pool runs in this kernel" in kernel.run("%currant status").text
    started = kernel.run("%currant start --workers 3")
    assert started.text.startswith("<Pool Field notes: 0 of 3 workers busy on default")
    assert "Pool Field notes: 3 workers on default" in started.html
    assert kernel.run("%currant start --workers 3").text == started.text
    assert not kernel.run("%currant resize 5;").shown
    assert "5 workers" in kernel.run("%currant status").text
    assert "has stopped" in kernel.run("%currant stop").text
    assert kernel.run("%currant stop").text == "No pool runs in this kernel."
    assert kernel.fail("%currant resize 4").error[2].startswith("PoolNotRunning: no pool runs")


def test_one_execution_from_submit_to_its_log(kernel: Kernel) -> None:
    kernel.run(DOUBLE)
    kernel.run("%currant start")
    kernel.run("%currant submit --priority 5 --queue default --as e double({'x': 4}['x'])")
    assert kernel.run("e.result(), e.priority").text == "(8, 5)"
    assert "&lt;b&gt;doubling&lt;/b&gt; 4" in kernel.run("%currant logs e").html
    shown = kernel.run("%currant show {e.id}")
    assert "succeeded" in shown.text
    assert "Field notes:double" in shown.html
    assert "1 execution, newest first" in kernel.run("%currant list --status succeeded").text
    assert "Field notes:double" in kernel.run("%currant jobs").text
    assert kernel.fail("%currant retry e").error[0] == "CurrantError"
    assert kernel.run("%currant cancel e").text == "0 executions cancelled. 1 had ended before."


def test_a_failure_is_short_and_nothing_of_it_is_markup(kernel: Kernel) -> None:
    kernel.run(DOUBLE + "from currant_lab.notebook import failures")
    kernel.run("%currant start")
    name, _, trace = kernel.fail("b = double.map([1, 13])\nb.results()").error
    assert name == "ExecutionFailed"
    assert trace.splitlines()[:2] == ["Cell In[4], line 2", "    b.results()"]
    assert "site-packages" not in trace
    assert "in double" in trace
    for page in ("%currant list", "%currant show {b[1].id}", "b[1]", "failures(b, ['one', '<two>'])"):
        found = kernel.run(page)
        assert "<script>" not in found.html
        assert "\x1b" not in found.text + found.html
    assert "&lt;two&gt;: ValueError: &lt;script&gt;" in found.html
    assert kernel.run("b").html.count("<td") == 4  # succeeded 1, failed 1
    assert kernel.run("%currant retry {b[1].id}").text == "1 execution will run again."


def test_a_queue_is_paused_and_goes_on(kernel: Kernel) -> None:
    kernel.run(DOUBLE)
    kernel.run("%currant start --queues default,mail")
    kernel.run("%currant pause mail")
    kernel.run("%currant submit --queue mail --as e double(2)")
    status = kernel.run("%currant status")
    assert [line.split() for line in status.text.splitlines() if "mail" in line][-1] == [
        "mail", "1", "0", "0", "paused",
    ]  # fmt: skip
    assert kernel.run("%currant resume mail").text == "Queue mail goes on."
    assert kernel.run("e.result()").text == "4"
    assert kernel.run("%currant resume mail").text == "Queue mail was not paused."


def test_words_that_make_no_sense_are_told_in_one_line(kernel: Kernel) -> None:
    kernel.run(DOUBLE)
    for line, message in {
        "strat": "there is no `strat`; did you mean `start`?",
        "xyz": "there is no `xyz`; there are start, stop,",
        "start --wrokers 3": "unrecognized arguments: --wrokers 3",
        "start --workers many": "a whole number is expected, not 'many'",
        "start --executor gpu": "invalid choice: 'gpu'",
        "show": "the following arguments are required: ID",
        "show nothing": "'nothing' is neither an id nor a variable",
        "list 'a": "no closing quotation",
        "submit": "the following arguments are required: CALL",
        "submit double(": "'(' was never closed",
        "submit double": "a call is expected",
        "submit nope(1)": "name 'nope' is not defined",
        "submit print(1)": "`print` is no job: put @job before its definition",
        "submit --as 3x double(1)": "'3x' can't be a variable",
        "submit --priority high double(1)": "a whole number is expected",
    }.items():
        cell = kernel.fail(f"%currant {line}")
        assert cell.err.startswith("UsageError: %currant"), line
        assert message in cell.err, (line, cell.err)
        assert cell.error is None
    for line in ("", "-h", "start -h", "submit -h"):
        cell = kernel.run(f"%currant {line}")
        assert cell.out.startswith("usage: %currant")
        assert not cell.shown


def test_a_database_that_cant_be_reached_is_an_error_in_the_cell(kernel: Kernel, leased: Leased) -> None:
    gone = "postgresql://ada:secret@127.0.0.1:1/none"
    for code, lines in ((f"%currant start --database {gone}", 1), (f"url = '{gone}'\ncurrant.start(database=url)", 3)):
        name, value, trace = kernel.fail(code).error
        assert name == "DatabaseUnavailable"
        assert "secret" not in value + trace
        assert len(trace.splitlines()) == lines, trace
    assert kernel.run("%currant start").text.startswith("<Pool")  # and the kernel is none the worse for it
    trace = kernel.fail("%currant start --workers 3").error[2]
    assert trace.startswith("CurrantError: a pool runs already with other settings (workers 16, not 3)")


def test_running_a_cell_again_replaces_the_function_and_says_so_once(kernel: Kernel) -> None:
    assert kernel.run(DOUBLE).out == ""
    assert kernel.run(DOUBLE).out == ""
    kernel.run("%currant start")
    told = kernel.run(DOUBLE.replace("2 *", "3 *")).out
    assert told == "`double` redefined: executions that start from now on run the new version\n"
    assert kernel.run("double.submit(2).result()").text == "6"


def test_loading_again_does_not_disturb_the_pool_and_unloading_stops_it(kernel: Kernel) -> None:
    kernel.run("%currant start")
    kernel.run("pool = currant.pool()")
    kernel.run("%load_ext currant_lab")
    kernel.run("%reload_ext currant_lab")
    assert kernel.run("pool.is_running, currant.pool() is pool").text == "(True, True)"
    kernel.run("%unload_ext currant_lab")
    assert kernel.run("pool.is_running").text == "False"
    assert "not found" in kernel.fail("%currant status").err
    assert "text/html" not in kernel.run("pool").shown[-1]
    kernel.run("%load_ext currant_lab")
    assert kernel.run("%currant start").text.startswith("<Pool Field notes")


@pytest.mark.parametrize("animated", ["0", "1"])
def test_progress_is_drawn_over_again_or_once(kernel: Kernel, animated: str) -> None:
    kernel.run(f"import os; os.environ['CURRANT_ANIMATION'] = '{animated}'\nfrom currant_lab.notebook import follow")
    kernel.run(DOUBLE)
    kernel.run("%currant start")
    cell = kernel.run("b = double.map(range(20), batch='<all>')\nfollow(b)")
    assert len(cell.shown) >= (2 if animated == "1" else 1)
    assert "20 of 20 done · 1 failed" in cell.text
    assert "&lt;all&gt;" in cell.html
    assert "20 of 20 done" in kernel.run("follow(b)").text
    assert kernel.fail("follow(b, until=2)").error[0] == "InvalidArguments"


def test_the_package_does_not_load_ipython() -> None:
    code = "import sys, currant_lab; assert not {'IPython', 'nbclient', 'ipywidgets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
