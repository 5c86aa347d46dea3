"""A run of a workflow in a cell: a graph that lives until the run has ended, and the words that steer it."""

from __future__ import annotations

from tests.notebook.conftest import Kernel
from tests.notebook.test_panel_objects import WIDGET, Output

FLOW = """
from currant_lab import workflow

@job
async def extract(x):
    return x

@workflow
async def nightly(x):
    raw = await extract.run(x)
    parts = await extract.map_run(range(12))
    return [raw, sum(parts), await currant.event("<b>go</b>"), await currant.event("then")]

%currant start --workers 2
"""


def test_a_run_is_a_graph_that_lives_and_is_steered(kernel: Kernel) -> None:
    assert kernel.run("%currant workflows").text == "There are no runs of workflows yet."
    kernel.run(FLOW)
    shown = Output(kernel).run("run = nightly.submit(5)\nrun")
    assert set(shown.bundles[0]) == {WIDGET, "text/html", "text/plain"}
    shown.until(lambda _: bool(shown.sent) and "event &lt;b&gt;go&lt;/b&gt;</text>" in shown.sent[-1][1])
    assert "extract × 12</text>" in shown.sent[-1][1]
    kernel.client.execute("""%currant signal {run.id} "<b>go</b>" {"by": "ann"}""")
    shown.until(lambda _: bool(shown.sent) and "event then</text>" in shown.sent[-1][1])
    kernel.run("while not run.status == 'waiting': pass")
    listed = kernel.run("%currant workflows")
    assert "nightly" in listed.text
    assert "3 of 4" in listed.text
    assert "event then" in listed.text
    assert "is no JSON" in kernel.fail("%currant signal run then {nonsense").err
    kernel.client.execute("%currant signal run then")
    last = shown.ends()
    assert set(last) == {"text/html", "text/plain"}
    assert "<svg " in last["text/html"]
    assert "script" not in last["text/html"]
    assert "event then" in last["text/plain"]
    assert "✓ extract × 12" in last["text/plain"]
    assert kernel.run("run.result()").text == "[5, 66, {'by': 'ann'}, True]"
    kernel.run("again = get_ipython().run_line_magic('currant', 'fork run --step 4')")
    kernel.run("%currant signal again then 7")
    assert kernel.run("again.result()").text == "[5, 66, {'by': 'ann'}, 7]"
    drawn = kernel.run("currant.graph(again)")
    assert drawn.text.startswith("nightly, succeeded: 4 steps, 4 ok\n  1  ✓ extract")
    assert "<svg " in drawn.html
    assert "image/png" in kernel.run("again.timeline()").shown[-1]
    assert kernel.fail("%currant fork run --step nothing").error[0] == "UnknownExecution"
