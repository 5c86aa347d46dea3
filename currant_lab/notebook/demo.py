"""The quickstart notebook, run from end to end without a browser, and its books held against the database.

It never touches your own store: without `CURRANT_DATABASE_URL` it keeps one of its own below `CURRANT_HOME` (or below
the platform's place for it), with it the schema `currant_demo`. Both stay, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from currant_lab.client.client import Client
from currant_lab.database.connect import Database
from currant_lab.database.embedded.store import default_home
from currant_lab.database.resolve import resolve
from currant_lab.errors import CurrantError
from currant_lab.loop import background
from currant_lab.notebook.audit import Report, audit
from currant_lab.settings import Settings, load

__all__ = ["NOTEBOOK", "main", "run"]

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"

SCHEMA = "currant_demo"
_CELL_TIMEOUT_S = 900
_LINE_S = 1.0
"""Where the output is no terminal, progress is a line a second."""

_REPORT_ID = "report"
_REPORT = """
import json as _json
print(_json.dumps({"first": first.name, "again": again.name, "before": before, "files": files}))
"""


def main(argv: list[str] | None = None) -> int:
    """`python -m currant_lab.notebook.demo [--save FILE]`."""
    parser = argparse.ArgumentParser(prog="python -m currant_lab.notebook.demo", description="Run the quickstart.")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the executed notebook here")
    return run(save=parser.parse_args(argv).save)


def run(*, notebook: Path = NOTEBOOK, save: Path | None = None, home: Path | None = None) -> int:
    """Run the quickstart; returns 0 when its books are right, else 1.

    Args:
        notebook: the notebook.
        save: where to keep it with its outputs.
        home: where the demo keeps its store; by default `demo` below `CURRANT_HOME`. Beats `CURRANT_DATABASE_URL`.

    Raises:
        CurrantError: there is no notebook, or no database.
    """
    if not notebook.is_file():
        raise CurrantError(f"{notebook} is not there: the demo runs from a checkout of the repository")
    with _store(home) as store:
        _say(f"Runs {notebook.name} on {store.where}")
        started = time.monotonic()
        client = _open(store.settings)
        try:
            outcome = _execute(notebook, store, save)
            if isinstance(outcome, str):
                _say(f"\nThe notebook failed:\n{outcome}")
                return 1
            found = audit(client, outcome)
        finally:
            client.close()
        _say("")
        for label, words in (*found.lines, ("took", f"{time.monotonic() - started:.0f} s"), ("store", store.hint)):
            _say(f"  {label:<8} {words}")
        for problem in found.problems:
            _say(f"  WRONG    {problem}")
        return 1 if found.problems else 0


@dataclass(frozen=True)
class _Store:
    """Where a demo runs: the settings, the environment and the directory of its kernels; and two ways to say so."""

    settings: Settings
    environment: dict[str, str]
    directory: Path
    where: str
    hint: str


@contextmanager
def _store(home: Path | None) -> Iterator[_Store]:
    settings = load()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CURRANT_")}
    if home is None and settings.database is not None:
        with tempfile.TemporaryDirectory(prefix="currant-demo-") as directory:
            own = {"CURRANT_DATABASE_URL": settings.database, "CURRANT_SCHEMA": SCHEMA}
            words = f"your database, in a schema of its own: {SCHEMA}"
            hint = f"schema {SCHEMA}; DROP SCHEMA {SCHEMA} CASCADE removes it"
            yield _Store(replace(settings, schema=SCHEMA), kept | own, Path(directory), words, hint)
        return
    place = (home or (settings.home or default_home()) / "demo").absolute()
    place.mkdir(parents=True, exist_ok=True)
    yield _Store(
        Settings(home=place),
        kept | {"CURRANT_HOME": str(place)},
        place,
        f"an embedded PostgreSQL with a store of its own: {place}",
        f"{place}; look at it with CURRANT_HOME={place} currant status, or delete it",
    )


def _open(settings: Settings) -> Client:
    target, _ = resolve(settings)
    # The schema is the demo's own, so it may be made and changed on a shared database too.
    return Client(background.run(Database.open(target, settings.schema, migrate=True)))


def _execute(notebook: Path, store: _Store, save: Path | None) -> Report | str:
    """Run all cells, and one more that tells what to look for; else the error."""
    nb: Any = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    nb.cells.append(nbformat.v4.new_code_cell(_REPORT, id=_REPORT_ID))  # type: ignore[no-untyped-call]
    told = _Told(nb)
    client = _Listening(
        nb,
        told,
        timeout=_CELL_TIMEOUT_S,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(store.directory)}},
        on_cell_execute=told.cell,
    )
    environment = store.environment | {"JPY_SESSION_NAME": str(notebook), "CURRANT_ANIMATION": "1"}
    with tempfile.TemporaryFile("w+") as complaints:  # what the kernel has to say beside the protocol
        try:
            client.execute(env=environment, stderr=complaints)
        except CellExecutionError as error:
            return _plain(str(error))
        except (CellTimeoutError, RuntimeError) as error:  # it does not start, or has died
            complaints.seek(0)
            return f"{error}\n{complaints.read()}"
        finally:
            told.end_line()
    report = nb.cells.pop()
    if save is not None:
        nb.metadata.pop("widgets", None)
        for cell in nb.cells:
            if cell.cell_type == "code":  # what is left of a display that has ended is empty
                cell.outputs = [one for one in cell.outputs if one.get("data", {}).get("text/html") != ""]
        nbformat.write(nb, save)  # type: ignore[no-untyped-call]
    return Report(**json.loads(report.outputs[0]["text"]), library=Path(sysconfig.get_path("stdlib")))


class _Told:
    """Says what a running notebook does: its headings, and its progress in place or a line a second."""

    def __init__(self, nb: Any) -> None:
        self._heading = ""
        self._headings: dict[int, str] = {}
        self._said = 0.0
        self._width = 0
        heading = ""
        for index, cell in enumerate(nb.cells):
            if cell.cell_type == "markdown" and cell.source.startswith("#"):
                heading = cell.source.partition("\n")[0].lstrip("# ")
            self._headings[index] = heading

    def cell(self, cell: Any, cell_index: int) -> None:
        heading = self._headings[cell_index]
        if heading != self._heading and cell.id != _REPORT_ID:
            self.end_line()
            self._heading = heading
            _say(heading)

    def message(self, msg: dict[str, Any]) -> None:
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream" and content["name"] == "stdout" and not content["text"].startswith("{"):
            self.end_line()
            for line in content["text"].splitlines()[:4]:
                _say(f"  {line[:160]}")
        elif kind in ("display_data", "update_display_data"):
            text = content["data"].get("text/plain", "")
            if "█" in text and "\n" not in text:  # a bar that is all there is to it
                self._progress(text)

    def _progress(self, text: str) -> None:
        now = time.monotonic()
        is_last = "left" not in text
        if sys.stdout.isatty():
            text = text[: shutil.get_terminal_size().columns - 3]  # a line that wraps can't be written over
            sys.stdout.write(f"\r  {text:<{self._width}}")
            sys.stdout.flush()
            self._width = len(text)
        elif is_last or now - self._said >= _LINE_S:
            self._said = now
            _say(f"  {text}")

    def end_line(self) -> None:
        if self._width:
            self._width = 0
            _say("")


class _Listening(NotebookClient):
    """Tells what the kernel sends while it comes in."""

    def __init__(self, nb: Any, told: _Told, **options: Any) -> None:
        super().__init__(nb, **options)
        self._told = told

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        self._told.message(msg)
        return super().process_message(msg, cell, cell_index)


def _plain(text: str) -> str:
    """Without the colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CurrantError as error:
        sys.exit(f"{type(error).__name__}: {error}")
