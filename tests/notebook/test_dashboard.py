"""`%currant tui` in a real kernel: a picture of the dashboard, and the command that opens it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from tests.notebook.conftest import Kernel


def test_a_cell_shows_the_dashboard(kernel: Kernel) -> None:
    kernel.run("@job\ndef double(x):\n    return 2 * x")
    kernel.run("%currant start --workers 3")
    kernel.run("double.map(range(40)).results(timeout=20)")
    cell = kernel.run("%currant tui --view pools --seconds 0.3")
    svg = next(shown["image/svg+xml"] for shown in cell.shown if "image/svg+xml" in shown)
    ET.fromstring(svg)
    assert "Field\xa0notes" in svg
    assert "READ-ONLY" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "").replace("https://www.textualize.io", "")
    assert cell.text == "currant-tui opens it in a terminal", "the environment says where the database is"
    other = kernel.run("%currant tui --seconds 0")
    first, second = (next(one["image/svg+xml"] for one in run.shown if "image/svg+xml" in one) for run in (cell, other))
    names = [svg.partition('id="')[2].partition("-clip")[0] for svg in (first, second)]
    assert len(set(names)) == 2, "two pictures on a page must not share their styles"


def test_what_is_missing_is_told_kindly(kernel: Kernel) -> None:
    hidden = "import importlib.util as u, currant_lab.notebook.dashboard as d; d.find_spec = lambda name: None"
    kernel.run(hidden)
    assert "pip install currant-tui" in kernel.fail("%currant tui").error[1]
    kernel.run("d.find_spec = u.find_spec")
    kernel.run("import os; os.environ['CURRANT_DATABASE_URL'] = 'postgresql://u:geheim@127.0.0.1:1/x'")
    error = kernel.fail("%currant tui").error
    assert "127.0.0.1:1" in error[1]
    assert "geheim" not in str(error)
    kernel.run("os.environ['CURRANT_DATABASE_URL'] = ''")
    kernel.run(
        "from currant_lab.settings import load; d.session._settings = load(database='postgresql://u:geheim@h/x')"
    )
    told = kernel.run("d.View('', notes=(d._command(d.session.settings()), *d._notes(d.session.settings())))").text
    assert "currant-tui --database 'postgresql://u@h:5432/x" in told
    assert "~/.pgpass" in told
    assert "geheim" not in told
