"""A panel's parts as HTML, and the whole as text. Everything a user's data can hold is escaped; tables and inline
styles only, since front ends strip the rest from a notebook they don't trust."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from uuid import UUID

from currant_lab.notebook.panel_state import BATCHES, BatchLine, State
from currant_lab.notebook.views import bar_html, bar_text, printable
from currant_lab.pool.stats import Quantiles
from currant_lab.watch.rows import FailureGroup

__all__ = ["batch_bar", "batch_row", "batch_words", "claims", "failures", "head", "parts", "queues", "text"]

_MAX_TRACEBACK = 20_000
"""Characters of a traceback that a panel carries."""

_DIM = "opacity: 0.65"
_CELL = "text-align: left; vertical-align: middle; padding: 0.1em 1.2em 0.1em 0; border: none"
_BIG = "font-size: 1.35em; line-height: 1.3"
_TABLE = "border-collapse: collapse; margin: 0.2em 0; border: none"
_ROW = "background: none"
_NAME = f"{_CELL}; min-width: 11em; max-width: 11em; overflow-wrap: anywhere"
_TILE = f"{_CELL}; white-space: nowrap"
_BAD, _NOW = "#e5483f", "#3d9be0"
_PRE = "white-space: pre-wrap; overflow-wrap: anywhere; max-height: 20em; overflow: auto; margin: 0.2em 0 0.4em"


def head(state: State) -> str:
    """Depth, running, rate, wait and run."""
    stats = state.stats
    tiles = [
        ("waiting", _total(state)),
        ("running", f"{stats.running:,} of {stats.workers:,}"),
        ("per second", f"{state.rate:,.0f}" if state.rate >= 10 or not state.rate else f"{state.rate:.1f}"),
        ("settled", f"{stats.settled:,}"),
        ("wait p50 · p95 · p99", _three(stats.wait_ms)),
        ("run p50 · p95 · p99", _three(stats.run_ms)),
    ]
    cells = "".join(
        f'<td style="{_TILE}"><div style="{_DIM}">{_text(label)}</div><div style="{_BIG}">{_text(value)}</div></td>'
        for label, value in tiles
    )
    word = " (stopped)" if state.is_stopped else "" if state.is_running else " (stopping)"
    trouble = (
        f'<div style="color: {_BAD}">The database can\'t be reached, trying again: {_text(state.trouble)}</div>'
        if state.trouble
        else ""
    )
    title = f"<div><b>Pool {_text(state.name)}</b>{word}</div>"
    return f'{title}{trouble}<table style="{_TABLE}"><tbody><tr style="{_ROW}">{cells}</tr></tbody></table>'


def queues(state: State) -> str:
    """A row per queue."""
    rows = [
        (
            one.name,
            f"{'' if one.exact else 'about '}{one.pending:,}",
            f"{one.running:,}",
            f"{one.scheduled:,}",
            "paused" if one.paused_at else "",
        )
        for one in state.queues
    ]
    return _table(("queue", "waiting", "running", "scheduled", ""), rows) if rows else ""


def claims(state: State) -> str:
    """What the pool's claims brought, by size, and what woke it."""
    stats = state.stats
    if not stats.claims:
        return ""
    wakes = ", ".join(f"{count:,} {reason}" for reason, count in sorted(stats.wakes.items()) if count)
    words = f"{stats.claims:,} claims ({stats.empty_claims:,} empty) brought {stats.claimed:,}; woken by {wakes}"
    most = max((count for high, count in stats.claim_sizes if high), default=0)
    low = 1
    cells = []
    for high, count in stats.claim_sizes:
        size = f"{high:,}" if high <= low else f"{low:,}-{high:,}"
        low = high + 1
        if count and high:
            bar = f'<div style="width: {max(4, round(120 * count / most))}px; height: 8px; background: {_NOW}"></div>'
            cells.append(
                f'<tr style="{_ROW}"><td style="{_CELL}">{size}</td><td style="{_CELL}">{bar}</td>'
                f'<td style="{_CELL}">{count:,}</td></tr>'
            )
    table = f'<table style="{_TABLE}"><tbody>{"".join(cells)}</tbody></table>' if cells else ""
    return f'<div style="{_DIM}">{_text(words)}; executions a claim:</div>{table}'


def batch_row(line: BatchLine | None) -> str:
    """A batch with its bar, and the time it will still take; nothing where there is none."""
    if line is None:
        return ""
    return (
        f'<table style="{_TABLE}"><tbody><tr style="{_ROW}"><td style="{_NAME}">{_text(_short(line.name))}</td>'
        f'<td style="{_CELL}">{bar_html(batch_bar(line))}</td>'
        f'<td style="{_TILE}">{_text(batch_words(line))}</td></tr></tbody></table>'
    )


def failures(state: State) -> str:
    """The latest failures by job and exception; a click unfolds the traceback of one."""
    return "".join(
        f'<details><summary style="cursor: pointer"><span style="color: {_BAD}">{group.count:,} ×</span> '
        f"{_text(_failure_words(group))}</summary>"
        f'<div style="{_DIM}">{UUID(bytes=group.sample)}</div>'
        f'<pre style="{_PRE}">{html.escape(printable(group.traceback[-_MAX_TRACEBACK:], lines=True))}</pre></details>'
        for group in state.failures
    )


def parts(state: State) -> tuple[str, ...]:
    """All parts, in the order in which they are shown; the batches' begin at the second."""
    lines = (*state.batches, *[None] * BATCHES)[:BATCHES]
    return (head(state), *map(batch_row, lines), queues(state), claims(state), failures(state))


def text(state: State) -> str:
    """All of it for a terminal."""
    stats = state.stats
    word = " (stopped)" if state.is_stopped else "" if state.is_running else " (stopping)"
    lines = [
        f"Pool {printable(state.name)}{word}: {_total(state)} waiting, {stats.running:,} of {stats.workers:,} running, "
        f"{stats.settled:,} settled, {state.rate:,.1f}/s",
        f"  wait p50 · p95 · p99  {_three(stats.wait_ms)}",
        f"  run p50 · p95 · p99   {_three(stats.run_ms)}",
    ]
    if state.trouble:
        lines.append(f"  The database can't be reached, trying again: {printable(state.trouble)}")
    for line in state.batches:
        bar = bar_text(line.done / line.size if line.size else 1.0)
        lines.append(f"  {printable(_short(line.name))} {bar} {batch_words(line)}")
    lines += [f"  {group.count:,} × {printable(_failure_words(group))}" for group in state.failures]
    return "\n".join(lines)


def batch_bar(line: BatchLine) -> list[tuple[float, str]]:
    """The shares of a batch that ended well, ended badly, and run."""
    size = max(line.size, 1)
    bad = line.counts.get("failed", 0) + line.counts.get("cancelled", 0)
    counts = (("good", line.counts.get("succeeded", 0)), ("bad", bad), ("now", line.counts.get("running", 0)))
    return [(count / size, kind) for kind, count in counts]


def batch_words(line: BatchLine) -> str:
    """How far a batch is."""
    words = [f"{line.done:,} of {line.size:,} done"]
    words += [f"{line.counts[name]:,} {name}" for name in ("failed", "cancelled") if line.counts.get(name)]
    if line.eta_s is not None and line.done < line.size:
        words.append(f"about {_seconds(line.eta_s)} left")
    return " · ".join(words)


def _failure_words(group: FailureGroup) -> str:
    return f"{group.job.rpartition(':')[2]}: {group.type}: {_short(group.message, 120)}"


def _total(state: State) -> str:
    about = "" if all(queue.exact for queue in state.queues) else "about "
    return f"{about}{sum(queue.pending for queue in state.queues):,}"


def _three(found: Quantiles) -> str:
    return " · ".join(_ms(value) for value in (found.p50, found.p95, found.p99)) if found.count else "-"


def _ms(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value / 1000:,.1f} s" if value >= 1000 else f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if value < 120 else f"{value / 60:,.0f} min" if value < 7200 else f"{value / 3600:,.1f} h"


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(text: str | None) -> str:
    return html.escape(printable(text or ""))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<td style="{_CELL}; {_DIM}">{_text(column)}</td>' for column in columns)
    body = "".join(
        f'<tr style="{_ROW}">' + "".join(f'<td style="{_CELL}">{_text(word)}</td>' for word in row) + "</tr>"
        for row in rows
    )
    return f'<table style="{_TABLE}"><tbody><tr style="{_ROW}">{top}</tr>{body}</tbody></table>'
