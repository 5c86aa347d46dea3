"""A report as one HTML file that needs nothing else: tables, and plots inside it."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from currant_lab.bench import figures
from currant_lab.bench.charts import charts
from currant_lab.bench.plan import Report
from currant_lab.pictures.base import Picture, figure_of

__all__ = ["check", "page"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1.2em; }
h1 { font-size: 1.35em; margin-bottom: 0.2em; }
code { background: rgba(128, 128, 128, 0.15); padding: 0.15em 0.4em; border-radius: 4px; }
table { border-collapse: collapse; margin: 1.2em 0; }
th, td { text-align: left; vertical-align: top; padding: 0.2em 1.4em 0.2em 0;
         border-bottom: 1px solid rgba(128, 128, 128, 0.25); }
th { font-weight: normal; opacity: 0.7; white-space: nowrap; }
.numbers td { text-align: right; font-variant-numeric: tabular-nums; }
.numbers thead th:not(:first-child) { text-align: right; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(26em, 1fr)); gap: 1.2em; }
.plots img { width: 100%; }
"""


def check() -> None:
    """Whether a page can be drawn here.

    Raises:
        CurrantError: Matplotlib is not installed.
    """
    figure_of(1, 1)


def page(report: Report) -> str:
    """The page of one run.

    Raises:
        CurrantError: Matplotlib is not installed.
    """
    title = html.escape(figures.title(report))
    plots = "".join(_image(picture) for picture in charts(report))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in figures.LATENCY_COLUMNS)
    rows = "".join(
        f"<tr><th>{html.escape(row[0])}</th>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in figures.latencies(report)
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>\n'
        f"<h1>{title}</h1>\n<p><code>{html.escape(figures.command(report.plan))}</code></p>\n"
        f'<div class="plots">{plots}</div>\n'
        f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n'
        f"{_table(figures.facts(report))}\n{_table(figures.surroundings(report))}\n</body></html>\n"
    )


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{html.escape(label)}</th><td>{html.escape(value)}</td></tr>" for label, value in rows)
    return f"<table><tbody>{cells}</tbody></table>"


def _image(picture: Picture) -> str:
    """As an image of its own, so that the names inside one drawing don't meet those of another."""
    drawn = io.StringIO()
    picture.figure.savefig(drawn, format="svg", metadata={"Date": None})
    data = base64.b64encode(drawn.getvalue().encode()).decode()
    return f'<img alt="{html.escape(picture.words)}" src="data:image/svg+xml;base64,{data}">'
