"""The panel in JupyterLab, in a real browser: it renders, lives while a cell blocks, obeys clicks, and stays when the
notebook is opened again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Leased
from tests.notebook.browser import Notebook, chromium, lab

pytestmark = pytest.mark.timeout(600)

JOBS = """
%load_ext currant_lab
import os, time
import currant_lab as currant
from currant_lab import job

@job
def step(number, place):
    while number % 20 == 5 and not os.path.exists(place):
        time.sleep(0.01)
    if number % 20 == 13:
        raise ValueError('<b>no luck</b> with \\x1b[31m')
    return number

%currant start --workers 4
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def address(place: Path) -> Iterator[str]:
    with lab(place) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def notebook(browser: Any, address: str, place: Path, leased: Leased) -> Iterator[Callable[..., Notebook]]:
    """Opens a notebook whose kernel uses the leased schema; `{place}` in its cells is a file of this test's own."""
    begun: list[Notebook] = []
    env = {"CURRANT_DATABASE_URL": leased.url, "CURRANT_SCHEMA": leased.schema}

    def open_(*cells: str) -> Notebook:
        first = f"import os\nos.environ.update({env!r})\nos.environ.pop('CI', None)" + JOBS
        name = f"notes-{leased.schema}.ipynb"
        begun.append(Notebook(browser, address, place, name, [first, *cells]))
        return begun[-1]

    yield open_
    for one in begun:
        keep(one, f"end-{leased.schema}")
        one.command("kernelmenu:shutdown")
        one.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session === null"
        )
        one.page.close()


def keep(notebook: Notebook, name: str) -> None:
    """A picture for whoever wants to look: `KEEP_PICTURES` is where."""
    if where := os.environ.get("KEEP_PICTURES"):
        notebook.picture(Path(where) / f"{name}.png")


def test_the_panel_lives_while_a_cell_blocks_and_stays_when_opened_again(
    notebook: Callable[..., Notebook], tmp_path: Path
) -> None:
    free = tmp_path / "free"
    opened = notebook(
        "%currant panel",
        f"crawl = step.map(range(60), ['{free}'] * 60, batch='crawl-1')\n"
        "while not os.path.exists('{0}-2'):\n    pass\ncrawl".replace("{0}", str(free)),
    )
    opened.start()
    opened.says(1, "crawl-1")
    opened.says(1, "3 of 4")  # the three that wait for the file, while the cell blocks the kernel
    keep(opened, "panel-light")
    free.touch()
    opened.says(1, "60 of 60 done · 3 failed")
    assert opened.page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]").count() == 1, "the cell blocks"
    details = opened.output(1).locator("details").locator("visible=true").first
    details.locator("summary").click()
    assert "ValueError: <b>no luck</b> with \\x1b[31m" in details.inner_text()
    opened.command("apputils:change-theme", "{theme: 'JupyterLab Dark'}")
    opened.page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    keep(opened, "panel-dark")
    Path(f"{free}-2").touch()
    opened.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    opened.command("apputils:change-theme", "{theme: 'JupyterLab Light'}")

    opened.command("docmanager:save")  # while it lives
    opened.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    saved = json.loads((opened.directory / opened.name).read_text())
    bundle = saved["cells"][1]["outputs"][-1]["data"]
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    opened.command("kernelmenu:shutdown")
    opened.open()
    opened.says(1, "60 of 60 done · 3 failed")
    opened.says(2, "succeeded")
    assert opened.page.get_by_role("button", name="Retry failed").count() == 0
    opened.page.get_by_text("model not found").first.wait_for(state="hidden")
    keep(opened, "panel-reopened")


def test_clicks_act_on_the_pool_and_on_the_batch_they_stand_beside(
    notebook: Callable[..., Notebook], tmp_path: Path
) -> None:
    opened = notebook(
        "%currant panel",
        f"done = step.map(range(20), ['/'] * 20, batch='done')\n"
        f"held = step.map(range(5, 405, 20), ['{tmp_path}/free'] * 20, batch='held')",
    )
    opened.start()
    panel = opened.output(1)
    opened.says(1, "20 of 20 done · 1 failed")  # a pause that came first would keep it from failing
    panel.get_by_role("button", name="Pause").click()
    opened.says(1, "Paused: default.")
    panel.get_by_text("paused", exact=True).locator("visible=true").wait_for()
    panel.get_by_role("button", name="Retry failed").click()
    opened.says(1, "1 execution of done will run again.")
    panel.get_by_role("button", name="Cancel").locator("visible=true").last.click()
    panel.get_by_role("button", name="Cancel: sure?").click()
    opened.says(1, "1 execution of done cancelled.")
    opened.says(1, "0 of 20 done")
    panel.get_by_role("button", name="Resume").click()
    opened.says(1, "Goes on: default.")
    keep(opened, "panel-clicked")
    (tmp_path / "free").touch()
    opened.says(1, "20 of 20 done · 1 cancelled")
    panel.get_by_role("button", name="Stop").click()
    opened.says(1, "(stopped)")
    panel.get_by_role("button").first.wait_for(state="detached")
    keep(opened, "panel-stopped")
