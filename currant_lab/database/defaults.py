"""What libpq looks up when a URL leaves it out: the environment, and the passfile."""

from __future__ import annotations

import getpass
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from currant_lab.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from currant_lab.database.url import Target

__all__ = ["Environment", "find_password"]


class Environment:
    """The `PG*` variables and the home directory of this process."""

    def get(self, name: str) -> str | None:
        """A variable's value; an empty one counts as not set."""
        return os.environ.get(name) or None

    def user(self) -> str:
        """`PGUSER`, else the name of the user this process runs as.

        Raises:
            DatabaseUnavailable: the system has no name for this user.
        """
        if name := self.get("PGUSER"):
            return name
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            raise DatabaseUnavailable(
                "the database URL names no user, and the system has no name for this one: write postgresql://USER@..."
            ) from None

    def in_home(self, *parts: str) -> Path | None:
        """A file below the home directory, when there is such a directory and such a file."""
        try:
            path = Path.home().joinpath(*parts)
            return path if path.is_file() else None
        except (RuntimeError, OSError):
            return None


def find_password(target: Target, passfile: str | None, environment: Environment) -> Target:
    """The target with the password the passfile has for it: `passfile=`, `PGPASSFILE` or `~/.pgpass`."""
    named = passfile or environment.get("PGPASSFILE")
    path = Path(named) if named else environment.in_home(".pgpass")
    if path is None or not _is_private(path):
        return target
    for entry in _entries(path):
        for host, port in target.hosts:
            name = "localhost" if host.startswith("/") else host
            wanted = (name, str(port), target.database, target.user)
            if all(pattern in ("*", value) for pattern, value in zip(entry[:4], wanted, strict=True)):
                return replace(target, password=entry[4])
    return target


def _is_private(path: Path) -> bool:
    """Whether the passfile may be used; libpq too ignores one that others can read, and says so."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    if not stat.S_ISREG(mode):
        return False
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        warnings.warn(f"{path} is left aside, since others can read it: chmod 0600 it", stacklevel=4)
        return False
    return True


def _entries(path: Path) -> Iterator[list[str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        if not line.startswith("#"):
            fields = _fields(line)
            if len(fields) == 5:
                yield fields


def _fields(line: str) -> list[str]:
    """host:port:database:user:password, where a backslash takes the next character as it is. Only the first
    four colons part fields."""
    fields: list[str] = []
    current, characters = "", iter(line)
    for character in characters:
        if character == "\\":
            current += next(characters, "")
        elif character == ":" and len(fields) < 4:
            fields.append(current)
            current = ""
        else:
            current += character
    return [*fields, current]
