"""The notebooks that tell a story: they run from end to end, and what they are kept with has no trace of a machine."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.conftest import Leased
from tests.notebook.saving import NOTEBOOKS, execute, of_a_machine, outputs

STORIES = ("02_crawl.ipynb", "03_watching.ipynb", "04_workflows.ipynb")
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STORIES)
def test_it_runs_from_end_to_end(name: str, leased: Leased, tmp_path: Path) -> None:
    nb = execute(NOTEBOOKS / name, leased.env, tmp_path)
    assert not [one for one in outputs(nb) if one.output_type == "error" or one.get("name") == "stderr"]
    assert not [one for one in outputs(nb) if WIDGET in one.get("data", {})], "all that lived has ended as a table"
    if name.startswith("03"):
        panel = next(
            one.data["text/plain"] for one in outputs(nb) if "wait p50" in one.get("data", {}).get("text/plain", "")
        )
        assert "(stopped)" in panel
        assert "400 of 400 done" in panel
        assert "4 × send: ConnectionError" in panel


@pytest.mark.parametrize("name", STORIES)
def test_it_is_kept_with_its_outputs(name: str) -> None:
    nb = nbformat.read(NOTEBOOKS / name, 4)
    cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum("image/png" in one.get("data", {}) for one in outputs(nb)) == {"02": 1, "03": 3, "04": 1}[name[:2]]
    assert of_a_machine(nb) == []
