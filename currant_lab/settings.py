"""What a person may set: read from a file, then the environment, then the call; the later one wins.

The file is `currant.toml` beside the notebook, or the table `[tool.currant]` of the nearest `pyproject.toml`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from currant_lab.errors import CurrantError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DEFAULT_PAYLOAD_LIMIT", "DEFAULT_SCHEMA", "Settings", "check_schema", "load"]

DEFAULT_SCHEMA = "currant"
DEFAULT_PAYLOAD_LIMIT = 16 * 1024 * 1024
_MAX_PAYLOAD_LIMIT = 256 * 1024 * 1024  # PostgreSQL takes 1 GB a message, and a batch of settles is one message

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the database is and how it is used.

    Attributes:
        database: a PostgreSQL URL; None means the embedded server. Not in the repr: it may hold a password.
        home: where the embedded server keeps its store; None means the platform's place for it.
        schema: the schema that holds Currant's tables.
        payload_limit: bytes that the encoded arguments or the result of one execution may have.
        name: the namespace of jobs defined in cells; None means the notebook's own name.
    """

    database: str | None = field(default=None, repr=False)
    home: Path | None = None
    schema: str = DEFAULT_SCHEMA
    payload_limit: int = DEFAULT_PAYLOAD_LIMIT
    name: str | None = None


def load(
    *,
    database: str | None = None,
    schema: str | None = None,
    home: str | Path | None = None,
    name: str | None = None,
    directory: Path | None = None,
) -> Settings:
    """Read the settings. An argument beats the environment, which beats the file.

    Args:
        database: see `Settings`, like `schema`, `home` and `name`.
        schema: `CURRANT_SCHEMA`.
        home: `CURRANT_HOME`.
        name: `CURRANT_NAME`.
        directory: where the notebook is; by default the current directory.

    Raises:
        CurrantError: a file can't be read, or a setting has no meaning; the message says which and where.
    """
    from pathlib import Path  # 5 ms of the import, with urllib behind it

    arguments = {"database": database, "schema": schema, "home": home, "name": name}
    merged: dict[str, Any] = {}
    for origin, values in (
        *_from_file(directory or Path.cwd()),
        ("the environment", _from_environment(os.environ)),
        ("the arguments", {key: value for key, value in arguments.items() if value is not None}),
    ):
        merged |= _checked(values, origin)
    return Settings(**merged)


def check_schema(name: str) -> str:
    """Return the name of a schema that may be used.

    The pattern needs no quotes anywhere; 40 characters leave room for the channel names made from it.

    Raises:
        CurrantError: it may not be used, and why.
    """
    if not isinstance(name, str) or not _SCHEMA.fullmatch(name):
        raise CurrantError(
            f"{name!r} can't be the schema: use a letter or _ first, then letters, digits and _, all lower case, "
            "40 characters at most"
        )
    if name.startswith("pg_") or name == "information_schema":
        raise CurrantError(f"{name!r} can't be the schema: PostgreSQL keeps this name for itself")
    return name


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    names = {
        "database": "CURRANT_DATABASE_URL",
        "home": "CURRANT_HOME",
        "schema": "CURRANT_SCHEMA",
        "payload_limit": "CURRANT_PAYLOAD_LIMIT",
        "name": "CURRANT_NAME",
    }
    # An empty variable is how shells and containers say "not set".
    found: dict[str, Any] = {key: environment[name] for key, name in names.items() if environment.get(name)}
    limit = found.get("payload_limit")
    if isinstance(limit, str) and limit.isdecimal():
        found["payload_limit"] = int(limit)
    return found


def _from_file(directory: Path) -> list[tuple[str, dict[str, Any]]]:
    """The settings file that counts, if any: (its name, its values)."""
    own = directory / "currant.toml"
    if own.is_file():
        return [(str(own), _relative_to(directory, _read_toml(own)))]
    for parent in (directory, *directory.absolute().parents):
        project = parent / "pyproject.toml"
        if project.is_file():
            if not _is_trusted(project):
                return []
            table = _read_toml(project).get("tool", {}).get("currant", {})
            return [(f"[tool.currant] in {project}", _relative_to(parent, table))]
    return []


def _is_trusted(path: Path) -> bool:
    """Whether a file found above the notebook is this user's own, or the system's: in a shared directory as
    /tmp anyone may lay a file that names another database."""
    return not hasattr(os, "geteuid") or path.stat().st_uid in (0, os.geteuid())


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib  # 3 ms, and few have such a file

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CurrantError(f"{path} can't be read as settings: {error}") from None


def _relative_to(directory: Path, values: dict[str, Any]) -> dict[str, Any]:
    from pathlib import Path

    home = values.get("home")
    if isinstance(home, str):
        values = values | {"home": str(directory / Path(home).expanduser())}
    return values


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("a text is expected")
    return value


def _directory(value: Any) -> Path:
    from pathlib import Path

    path = Path(os.fspath(value)).expanduser()
    if "\0" in str(path) or not str(value):
        raise ValueError("a directory is expected")
    return path.absolute()


def _bytes(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_PAYLOAD_LIMIT:
        raise ValueError(f"a number of bytes from 1 to {_MAX_PAYLOAD_LIMIT:,} is expected")
    return value


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "database": _text,
    "home": _directory,
    "schema": check_schema,
    "payload_limit": _bytes,
    "name": _text,
}


def _checked(values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    checked = {}
    for key, value in values.items():
        if key not in _CHECKS:
            raise CurrantError(f"{origin}: {key!r} is not a setting; there are {', '.join(_CHECKS)}")
        try:
            checked[key] = _CHECKS[key](value)
        except CurrantError as error:
            raise CurrantError(f"{origin}: {error}") from None
        except (TypeError, ValueError) as error:
            # The value of `database` stays out of the message: it may hold a password.
            shown = "" if key == "database" else f" of {value!r}"
            raise CurrantError(f"{origin}: {error} in place{shown} for {key!r}") from None
    return checked
