"""JupyterLab in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

_TOKEN = "browser-test"
_PATIENCE_MS = 60_000
_READY = """() => {
    const context = window.jupyterapp.shell.currentWidget?.context?.sessionContext;
    return context?.isReady && context.session?.kernel?.status === "idle";
}"""
_SETTINGS = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"


@contextmanager
def lab(directory: Path) -> Iterator[str]:
    """A JupyterLab on a free port of this machine, for the notebooks of a directory; its address."""
    place = directory / "config"
    kept = {name: value for name, value in os.environ.items() if name != "CI"}  # a person is there: it is animated
    env = kept | {f"JUPYTER_{kind}_DIR": str(place / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    settings = place / "settings" / _SETTINGS
    settings.parent.mkdir(parents=True)
    settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    env["JUPYTERLAB_SETTINGS_DIR"] = str(place / "settings")
    options = (
        "--no-browser", "--expose-app-in-browser", "--allow-root", f"--IdentityProvider.token={_TOKEN}",
        "--ServerApp.disable_check_xsrf=True", "--LabApp.news_url=None", "--ServerApp.ip=127.0.0.1", "--port=0",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--ServerApp.root_dir={directory}", f"--LabApp.workspaces_dir={place / 'workspaces'}",
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options], env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)/lab", line)
            if found:
                break
        else:
            raise AssertionError("JupyterLab has not started:\n" + "".join(said))
        with subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL):
            yield f"http://127.0.0.1:{found[1]}"
            process.terminate()
            process.wait(20)
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


class Notebook:
    """A notebook open in JupyterLab."""

    def __init__(self, browser: Any, address: str, directory: Path, name: str, cells: list[str]) -> None:
        nb: Any = nbformat.v4.new_notebook()
        nb.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(nb, directory / name)
        self.directory, self.name = directory, name
        self.page = browser.new_page(viewport={"width": 1180, "height": 900})
        self.page.set_default_timeout(_PATIENCE_MS)
        self.url = f"{address}/lab/tree/{name}?token={_TOKEN}&reset"
        self.open()

    def open(self) -> None:
        self.page.goto(self.url)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function(_READY)

    def command(self, name: str, arguments: str = "{}") -> None:
        self.page.evaluate(f"window.jupyterapp.commands.execute('{name}', {arguments})")

    def start(self) -> None:
        """Run all cells, and do not wait for them: the command's own promise ends with the last cell."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def output(self, cell: int) -> Any:
        """Where the outputs of a cell are."""
        return self.page.locator(".jp-Cell").nth(cell).locator(".jp-Cell-outputArea")

    def says(self, cell: int, text: str) -> None:
        """Wait until the output of a cell holds `text`."""
        self.output(cell).get_by_text(text).locator("visible=true").first.wait_for()

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=str(path))
