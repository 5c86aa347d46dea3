"""What magics return and what objects look like in a cell: one small page, as text and as HTML.

HTML takes the notebook's own colours, so it fits light and dark themes, and everything in it is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

__all__ = ["Drawn", "View", "bar_html", "bar_text", "counted", "moment", "printable"]

_LINE = "var(--jp-border-color2, rgba(128, 128, 128, 0.35))"
_TABLE = "border-collapse: collapse; margin: 0.4em 0; font-size: 0.92em"
_CELL = f"text-align: left; vertical-align: top; padding: 0.15em 1.2em 0.15em 0; border-bottom: 1px solid {_LINE}"
_HEAD = f"{_CELL}; opacity: 0.65; font-weight: normal"
_LABEL = "text-align: left; vertical-align: top; padding: 0.1em 1.2em 0.1em 0; opacity: 0.65"
_VALUE = "text-align: left; padding: 0.1em 0"
_PRE = "white-space: pre-wrap; overflow-wrap: anywhere; max-height: 30em; overflow: auto; margin: 0.2em 0 0.4em"
# Front ends strip what they don't know from HTML they don't trust (a reopened notebook): no flex box, no variables.
_BAR = "width: 12em; height: 8px; overflow: hidden; background: rgba(128, 128, 128, 0.25)"
_BAR_COLORS = {"good": "#9b59b6", "bad": "#e5483f", "now": "#3d9be0"}


class Drawn(Protocol):
    """What draws itself, for a page and for a terminal."""

    def _repr_html_(self) -> str: ...


@dataclass(frozen=True)
class View:
    """A page with any of these parts, in this order.

    Attributes:
        title: one line.
        bar: (share, kind) pairs that make a bar: `good`, `bad`, `now`.
        facts: (label, value) pairs.
        columns: the heads of a table.
        rows: its rows, a value per column.
        texts: (heading, text) pairs: a log, a traceback.
        folded: the same, but HTML shows the text only when its heading is clicked.
        notes: sentences.
        drawn: a picture, with HTML and text of its own.
    """

    title: str
    facts: Sequence[tuple[str, object]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    texts: Sequence[tuple[str, str]] = field(default=(), repr=False)
    notes: Sequence[str] = ()
    folded: Sequence[tuple[str, str]] = field(default=(), repr=False)
    bar: Sequence[tuple[float, str]] = field(default=(), repr=False)
    drawn: Drawn | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        parts = [printable(self.title)]
        if self.bar:
            parts.append(f"  {bar_text(sum(share for share, kind in self.bar if kind != 'now'))}")
        labels = [printable(label) for label, _ in self.facts]
        width = max(map(len, labels), default=0)
        parts += [f"  {label:<{width}}  {_word(fact[1])}" for label, fact in zip(labels, self.facts, strict=True)]
        parts += _text_table(self.columns, self.rows)
        if self.drawn is not None:
            parts.append(repr(self.drawn))
        for heading, text in (*self.texts, *self.folded):
            parts += [f"-- {printable(heading)} --", printable(text.rstrip(), lines=True)]
        parts += [printable(note) for note in self.notes]
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        parts = [f"<div><div><b>{_escape(self.title)}</b></div>"]
        if self.bar:
            parts.append(bar_html(self.bar))
        if self.facts:
            rows = "".join(
                f'<tr style="background: none"><td style="{_LABEL}">{_escape(label)}</td>'
                f'<td style="{_VALUE}">{_escape(_word(value))}</td></tr>'
                for label, value in self.facts
            )
            parts.append(f'<table style="{_TABLE}"><tbody>{rows}</tbody></table>')
        if self.rows:
            parts.append(self._html_table())
        if self.drawn is not None:
            parts.append(self.drawn._repr_html_())
        for heading, text in self.texts:
            parts.append(f'<div style="opacity: 0.65">{_escape(heading)}</div>{_pre(text)}')
        parts += [
            f'<details><summary style="cursor: pointer">{_escape(heading)}</summary>{_pre(text)}</details>'
            for heading, text in self.folded
        ]
        parts += [f"<div>{_escape(note)}</div>" for note in self.notes]
        return "".join(parts) + "</div>"

    def _html_table(self) -> str:
        head = "".join(f'<th style="{_HEAD}">{_escape(column)}</th>' for column in self.columns)
        body = "".join(
            '<tr style="background: none">'
            + "".join(f'<td style="{_CELL}">{_escape(_word(value))}</td>' for value in row)
            + "</tr>"
            for row in self.rows
        )
        return f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def bar_html(parts: Sequence[tuple[float, str]]) -> str:
    """A bar of (share, kind) parts, from the left."""
    bars = "".join(
        f'<div style="width: {100 * share:.2f}%; float: left; height: 8px; background: {_BAR_COLORS[kind]}"></div>'
        for share, kind in parts
        if share > 0
    )
    return f'<div style="{_BAR}">{bars}</div>'


def bar_text(share: float) -> str:
    """The same for a terminal: so much of it is done."""
    return f"{'█' * int(20 * share):░<20}"


def printable(text: str, *, lines: bool = False) -> str:
    """`text` with control characters and lone surrogates written as escapes: what a handler has printed must not
    steer a terminal. With `lines`, line breaks and tabs stay."""
    kept = "\n\t" if lines else ""
    shown = "".join(
        c if c.isprintable() or c in kept else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )
    return shown.encode("utf-8", "backslashreplace").decode()


def counted(number: int, noun: str = "execution") -> str:
    """So many executions, in words."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def moment(at: datetime | None) -> str:
    """A time on this machine's clock, with the day when it is not today's; empty for None."""
    if at is None:
        return ""
    local = at.astimezone()
    return f"{local:%H:%M:%S}" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d %H:%M:%S}"


def _word(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return moment(value) if isinstance(value, datetime) else printable(str(value))


def _pre(text: str) -> str:
    return f'<pre style="{_PRE}">{html.escape(printable(text.rstrip(), lines=True))}</pre>'


def _escape(text: str) -> str:
    return html.escape(printable(text))


def _text_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    if not rows:
        return []
    cells = [[printable(column) for column in columns], *([_word(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return [
        "  " + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
