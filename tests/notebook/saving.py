"""Runs a notebook from end to end, as the tests do; `python -m tests.notebook.saving FILE...` saves its outputs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.servers import Cluster

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

_CELL_TIMEOUT_S = 200
_PLACES = (
    (re.compile(rf"{re.escape(sysconfig.get_path('purelib'))}/"), ""),
    (re.compile(rf"{re.escape(sysconfig.get_path('stdlib'))}/"), ""),
    (re.compile(rf"{re.escape(tempfile.gettempdir())}/ipykernel_\d+/"), ""),
    (re.compile(rf"{re.escape(tempfile.gettempdir())}/tmp\w+/"), ""),
)
"""What a traceback says of where things are on this machine."""

_OF_A_MACHINE = re.compile(r"/(?:tmp|root|home|work|usr|opt|dev/shm)/[\w.-]+|dev%2Fshm|\b[\w.-]+@[\w.-]+\.[a-z]+\b")


def execute(path: Path, env: dict[str, str], directory: Path) -> Any:
    """The notebook with the outputs of a run that raised nothing; its animations are kept as they ended."""
    nb: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(directory)}}
    client = NotebookClient(
        nb,
        timeout=_CELL_TIMEOUT_S,
        kernel_name="python3",
        record_timing=False,
        resources=resources,
        coalesce_streams=True,
    )
    client.execute(env=env | {"JPY_SESSION_NAME": str(path), "CURRANT_ANIMATION": "1"})
    nb.metadata.pop("widgets", None)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("data", {}).get("text/html") != ""]
    return nb


def outputs(nb: Any) -> list[Any]:
    """All outputs, in order."""
    return [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]


def of_a_machine(nb: Any) -> list[str]:
    """What in the outputs tells where they were made: paths, and names of people."""
    texts = [output.get("text", "") + str(output.get("data", "")) for output in outputs(nb)]
    return [found for text in texts for found in _OF_A_MACHINE.findall(text)]


def _forget_places(nb: Any) -> None:
    for output in outputs(nb):
        holders = (output, "text"), *((output.get("data", {}), kind) for kind in ("text/plain", "text/html"))
        for holder, key in holders:
            for place, short in _PLACES:
                if key in holder:
                    holder[key] = place.sub(short, holder[key])


def main(names: list[str]) -> None:
    """Run these notebooks on a server of their own, and save them with their outputs."""
    server = Cluster("postgres18")
    try:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "CURRANT_"))}
        env = kept | {"CURRANT_DATABASE_URL": server.tcp_url}
        subprocess.run([sys.executable, "-m", "currant_lab", "migrate"], env=env, check=True)
        for path in map(Path, names):
            with tempfile.TemporaryDirectory() as directory:
                nb = execute(path, env, Path(directory))
            _forget_places(nb)
            if found := of_a_machine(nb):
                sys.stderr.write(f"{path.name}: {found}\n")
            nbformat.write(nb, path)  # type: ignore[no-untyped-call]
    finally:
        server.destroy()


if __name__ == "__main__":
    main(sys.argv[1:])
