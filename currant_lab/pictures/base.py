"""What all pictures share: a transparent ground and inks that are legible on white and on black alike.

A notebook keeps one PNG, whatever theme it is read in, so there is one set of colours for both.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from currant_lab.errors import CurrantError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLORS", "INK", "Picture", "axes_of", "blank", "duration", "figure_of", "say"]

INK = "#868686"
"""Contrast 3.7 on white and 4.7 on JupyterLab's dark ground."""

COLORS = {
    "succeeded": "#9b59b6",
    "running": "#3d9be0",
    "retried": "#f0932b",
    "failed": "#e5483f",
    "cancelled": "#8a8a8a",
}

_DPI = 200
_SHOWN_DPI = 100
"""Drawn twice as fine as it is shown, for screens with small pixels."""


class Picture:
    """A drawn figure, which a notebook shows and keeps as a PNG.

    Attributes:
        figure: Matplotlib's, to be changed at will; it is drawn when it is shown.
        words: what is to be seen, in a sentence.
    """

    def __init__(self, figure: Figure, words: str) -> None:
        self.figure = figure
        self.words = words

    def __repr__(self) -> str:
        return f"<{self.words}>"

    def save(self, path: str | Path) -> None:
        """Write it to a file; the kind (png, svg, pdf) is that of the name."""
        self.figure.savefig(path, dpi=_DPI)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=_DPI)
        width, height = (int(inches * _SHOWN_DPI) for inches in self.figure.get_size_inches())
        return (
            {"image/png": file.getvalue(), "text/plain": repr(self)},
            {"image/png": {"width": width, "height": height}},
        )


def figure_of(width: float, height: float) -> Figure:
    """An empty figure of so many inches (of 100 pixels), outside of `pyplot`: no global state, no window.

    Raises:
        CurrantError: Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise CurrantError("pictures need matplotlib: pip install 'currant-lab[notebook]'") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0.0)
    return figure


def axes_of(figure: Figure, *places: Any, **options: Any) -> Axes:
    """Axes with quiet frames, in inks for any ground."""
    axes: Axes = figure.add_subplot(*places, **options)
    axes.patch.set_alpha(0.0)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
    axes.tick_params(colors=INK, which="both", labelsize=8.5)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    axes.grid(visible=True, axis="x", color=INK, alpha=0.22, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def say(axes: Axes, title: str, aside: str = "") -> None:
    """A title at the left, and a smaller aside at the right end of its line."""
    plain: dict[str, Any] = {"parse_math": False}  # names may hold dollar signs
    axes.set_title(title, loc="left", fontsize=10.5, color=INK, fontweight="bold", **plain)
    if aside:
        axes.set_title(aside, loc="right", fontsize=8.5, color=INK, **plain)


def blank(title: str, sentence: str) -> Picture:
    """A picture for when there is nothing to draw yet, which says so."""
    figure = figure_of(9, 1.2)
    axes = axes_of(figure)
    say(axes, title)
    axes.set_axis_off()
    axes.text(0.0, 0.5, sentence, color=INK, fontsize=10, transform=axes.transAxes, parse_math=False)
    return Picture(figure, f"{title}: {sentence}")


def duration(seconds: float) -> str:
    """A length of time in the unit that suits it: 3 digits at most."""
    for limit, factor, unit in ((0.001, 1e6, "µs"), (1.0, 1e3, "ms"), (120.0, 1.0, "s"), (7200.0, 1 / 60, "min")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds / 3600:.3g} h"
