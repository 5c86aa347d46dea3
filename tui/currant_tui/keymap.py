"""What a person has set for themselves: `tui.toml` in the config directory.

::

    theme = "currant-light"

    [keys]
    "app.quit" = "ctrl+q"          # the names of the keys stand in the help, `?`
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from currant_lab.errors import CurrantError

__all__ = ["Preferences", "read_preferences"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """A theme's name, or None; keys by the ids of what they do."""

    theme: str | None = None
    keys: dict[str, str] = field(default_factory=dict)


def read_preferences(path: Path | None = None) -> Preferences:
    """Read the file, if there is one.

    Args:
        path: by default `CURRANT_TUI_CONFIG`, else `tui.toml` in the platform's config directory.

    Raises:
        CurrantError: it can't be read, or says what has no meaning.
    """
    if path is None:
        from platformdirs import user_config_path

        set_path = os.environ.get("CURRANT_TUI_CONFIG")
        path = Path(set_path) if set_path else user_config_path("currant") / "tui.toml"
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Preferences()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CurrantError(f"{path} can't be read: {error}") from None
    unknown = read.keys() - {"theme", "keys"}
    if unknown:
        raise CurrantError(f"{path}: {min(unknown)!r} is nothing that can be set; there are `theme` and `[keys]`")
    theme, keys = read.get("theme"), read.get("keys", {})
    if theme is not None and not isinstance(theme, str):
        raise CurrantError(f"{path}: a theme's name is expected for `theme`, not {theme!r}")
    if not isinstance(keys, dict) or not all(isinstance(key, str) and key for key in keys.values()):
        raise CurrantError(f'{path}: [keys] takes lines as "app.quit" = "ctrl+q"')
    return Preferences(theme, dict(keys))
