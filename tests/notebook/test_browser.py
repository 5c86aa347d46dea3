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

pytestmark = pytest.mark.timeout(180)

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
        "while not os.path.exists('{0}-2'):\n    pass\n%currant stop".replace("{0}", str(free)),
    )
    opened.start()
    opened.says(1, "crawl-1")
    opened.says(1, "3 of 4")  # the three that wait for the file, while the cell blocks the kernel
    keep(opened, "panel-light")
    free.touch()
    opened.says(1, "60 of 60")
    opened.says(1, "3 failed")
    assert opened.page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]").count() == 1, "the cell blocks"
    details = opened.output(1).locator("details").first
    details.locator("summary").click()
    assert "ValueError: <b>no luck</b> with \\x1b[31m" in details.inner_text()
    opened.command("apputils:change-theme", "{theme: 'JupyterLab Dark'}")
    opened.page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    keep(opened, "panel-dark")
    Path(f"{free}-2").touch()
    opened.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    opened.command("apputils:change-theme", "{theme: 'JupyterLab Light'}")

    opened.says(1, "(stopped)")
    opened.output(1).get_by_role("button").first.wait_for(state="detached")
    opened.command("docmanager:save")
    opened.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    opened.command("kernelmenu:shutdown")
    opened.open()
    opened.says(1, "60 of 60")
    keep(opened, "panel-reopened")
    saved = json.loads(next(Path(opened.directory).glob(f"{opened.name}")).read_text())
    (output,) = saved["cells"][1]["outputs"]
    assert "60 of 60" in "".join(output["data"]["text/html"])
    assert "60 of 60" in "".join(output["data"]["text/plain"])


def test_clicks_pause_resume_and_stop(notebook: Callable[..., Notebook], tmp_path: Path) -> None:
    opened = notebook("%currant panel")
    opened.start()
    panel = opened.output(1)
    panel.get_by_role("button", name="Pause").click()
    opened.says(1, "Paused: default.")
    panel.get_by_text("paused", exact=True).wait_for()
    panel.get_by_role("button", name="Resume").click()
    opened.says(1, "Goes on: default.")
    panel.get_by_role("button", name="Stop").click()
    opened.says(1, "(stopped)")
    panel.get_by_role("button").first.wait_for(state="detached")
    keep(opened, "panel-stopped")
