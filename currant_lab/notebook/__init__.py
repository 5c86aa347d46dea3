"""What Currant is in a notebook: the magic `%currant`, reprs, progress, and short errors."""

from __future__ import annotations

from currant_lab.notebook.following import follow
from currant_lab.notebook.pages import failures
from currant_lab.notebook.panel_live import panel

__all__ = ["failures", "follow", "panel"]
