"""What Currant is in a notebook: the magic `%currant`, reprs, progress, and short errors."""

from __future__ import annotations

from currant_lab.notebook.following import follow

__all__ = ["follow"]
