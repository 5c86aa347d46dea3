"""The quickstart notebook as `make demo` runs it, and the audit that says whether its books are right."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from currant_lab.client.client import Client
from currant_lab.database.embedded import EmbeddedServer
from currant_lab.notebook.audit import Report, audit
from currant_lab.notebook.demo import NOTEBOOK
from currant_lab.settings import Settings
from tests.conftest import Leased
from tests.servers import scratch_directory

JOBS = """
import ast, sys, tokenize
from pathlib import Path
import currant_lab as currant
from currant_lab import job

@job
def index_file(path):
    if path == "moody.py":
        raise ValueError("not today")
    with tokenize.open(Path(sys.argv[1]) / path) as file:
        ast.parse(file.read(), path)

currant.start(name="quick")
for name in ("first", "again"):
    batch = index_file.map(sys.argv[2:], batch=name)
    batch.results(on_error="return")
"""

FILES = {"good.py": b"x = 1\n", "bad.py": b"def\n", "latin.py": b"# \xe9\n", "late.py": b"\n" * 3 + b"'\xe9'\n"}


@pytest.fixture
def store() -> Iterator[Path]:
    """A home for an embedded server, gone after the test."""
    place = scratch_directory()
    yield place
    EmbeddedServer(place / "demo").stop()
    shutil.rmtree(place)


@pytest.fixture
def client(leased: Leased) -> Iterator[Client]:
    opened = Client.open(Settings(database=leased.url, schema=leased.schema))
    yield opened
    opened.close()


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Four files, three of which can't be read or parsed."""
    place = tmp_path / "library"
    place.mkdir()
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    return place


def index(leased: Leased, library: Path, *files: str) -> Report:
    script = library.parent / "script.py"
    script.write_text(JOBS)
    subprocess.run([sys.executable, script, library, *files], env=leased.env, check=True, timeout=50)
    return Report("first", "again", {"pending": 2, "succeeded": 1, "failed": 1}, files, library)


@pytest.mark.timeout(900)
def test_the_quickstart_runs_and_its_books_are_right(store: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "CURRANT_"))}
    command = [sys.executable, "-m", "currant_lab.notebook.demo", "--save", str(store / "executed.ipynb")]
    done = subprocess.run(
        command, env=kept | {"CURRANT_HOME": str(store)}, capture_output=True, text=True, timeout=840, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    submitted, indexed, failed = map(
        int, re.search(r"files +(\d+) submitted = (\d+) indexed \+ (\d+) failed", done.stdout.replace(",", "")).groups()
    )  # fmt: skip
    assert submitted == indexed + failed > 500
    assert "every file once, in both batches" in done.stdout
    assert f"store    {store}/demo" in done.stdout
    executed = nbformat.read(store / "executed.ipynb", 4)
    outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


def test_the_saved_notebook_has_all_its_outputs() -> None:
    cells = [cell for cell in nbformat.read(NOTEBOOK, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs) == 2


def test_right_books_pass_the_audit(leased: Leased, client: Client, library: Path) -> None:
    found = audit(client, index(leased, library, *sorted(FILES)))
    assert found.problems == []
    lines = dict(found.lines)
    assert lines["files"] == "4 submitted = 1 indexed + 3 failed"
    assert lines["failed"] == "2 SyntaxError, 1 UnicodeDecodeError, in files that do not parse"


def test_a_file_that_is_missing_or_there_twice_is_told(leased: Leased, client: Client, library: Path) -> None:
    found = audit(client, index(leased, library, "good.py", "good.py", "bad.py"))
    assert len(found.problems) == 5
    assert "the notebook found 3 files, there are 4" in found.problems
    assert "the first batch: 3 rows for 4 files" in found.problems


def test_a_failure_of_another_kind_is_told(leased: Leased, client: Client, library: Path) -> None:
    (library / "moody.py").write_text("x = 1\n")
    found = audit(client, index(leased, library, *sorted([*FILES, "moody.py"])))
    assert found.problems == ["moody.py ended with ValueError, not with success"]
