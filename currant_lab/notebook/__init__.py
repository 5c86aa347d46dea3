"""What Currant is in a notebook: the magic `%currant`, reprs, progress, and short errors."""

from __future__ import annotations

from currant_lab.notebook.following import follow
from currant_lab.notebook.pages import failures

__all__ = ["failures", "follow"]
