"""`currant list | show`."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from currant_lab.cli.base import opened
from currant_lab.cli.output import (
    ago,
    console,
    duration,
    moment,
    one_line,
    plain,
    print_json,
    print_table,
    show_table,
    status_text,
)
from currant_lab.database import inspect
from currant_lab.database.inspect import ExecutionInfo, attempts_of
from currant_lab.errors import InvalidArguments
from currant_lab.status import Status

if TYPE_CHECKING:
    from currant_lab.database.connect import Database

_SUMMARY = (
    *("job", "queue", "priority", "status", "attempt", "retries", "rescues", "claimed_by", "batch"),
    *("created_at", "due_at", "started_at", "finished_at", "cancelling", "progress", "progress_note", "source"),
)
_SHOWN_BYTES = 2_000
"""Of arguments and of a result, in a terminal; `--json` shows all."""


def run_list(args: Namespace) -> int:
    """List executions, newest first."""
    with opened(args) as client:
        found = client.run(_matching(client.database, args) if args.filter else _listed(client.database, args))
    if args.json:
        print_json([_summary(info) for info in found])
    elif found:
        columns = ("id", "status", "~job", "~queue", ">try", ">age", ">run", "~error")
        show_table(columns, [_row(info) for info in found])
    else:
        print(
            "no such executions"
            if args.filter or args.status or args.job or args.queue
            else "there are no executions yet"
        )
    return 0


async def _listed(database: Database, args: Namespace) -> list[ExecutionInfo]:
    return await inspect.list_executions(database, status=args.status, job=args.job, queue=args.queue, limit=args.limit)


async def _matching(database: Database, args: Namespace) -> list[ExecutionInfo]:
    """Page after page until there are enough, or all has been looked through."""
    from currant_lab.watch.listing import Listing

    if args.status or args.job or args.queue:
        raise InvalidArguments("write status:, job: and queue: into the filter, instead of options beside it")
    listing, place = Listing(database), None
    found: list[ExecutionInfo] = []
    while len(found) < args.limit:
        page = await listing.page(args.filter, after=place, limit=args.limit - len(found))
        found += page.rows
        place = page.next
        if place is None:
            break
    return found


def run_show(args: Namespace) -> int:
    """Show one execution: where it stands, what it was given, what came of it, what it printed; or its steps."""
    if args.tree:
        from currant_lab.cli.workflows import run_tree

        return run_tree(args)
    with opened(args) as client:
        info = client.run(client.load(args.id.bytes))
        given, result = client.run(inspect.payloads(client.database, args.id.bytes))
    if args.json:
        whole = _summary(info) | {
            "args": _payload(given),
            "result": None if result is None else _payload(result),
            "error": info.error,
            "attempts": attempts_of(info),
            "logs": info.logs,
        }
        print_json(whole)
    else:
        _show(info, given, result)
    return 0


def _summary(info: ExecutionInfo) -> dict[str, Any]:
    error = None if info.error is None else {"type": info.error.type, "message": info.error.message}
    return {"id": info.uuid} | {name: getattr(info, name) for name in _SUMMARY} | {"error": error}


def _row(info: ExecutionInfo) -> tuple[object, ...]:
    error = "" if info.error is None else one_line(f"{info.error.type}: {info.error.message}")[:200]
    note = _progress(info) if info.status is Status.RUNNING else error
    return (
        info.uuid,
        status_text(info.status),
        info.job,
        info.queue,
        info.attempt or "",
        ago(info.created_at),
        _run_time(info.started_at, info.finished_at),
        note,
    )


def _run_time(started: datetime | None, finished: datetime | None) -> str:
    if started is None:
        return ""
    return ago(started) if finished is None else duration((finished - started).total_seconds())


def _progress(info: ExecutionInfo) -> str:
    share = "" if info.progress is None else f"{info.progress:.0%}"
    ending = "cancelling" if info.cancelling else ""
    return one_line(" ".join(filter(None, (ending, share, info.progress_note))))


def _payload(payload: bytes) -> Any:
    """A payload as JSON; one with binary parts by its size, since those need libraries to be read."""
    if payload[:1] != b"\x01":
        return msgspec.Raw(payload)
    return {"binary": True, "bytes": len(payload)}


def _text(payload: bytes) -> str:
    if payload[:1] == b"\x01":
        return f"{len(payload):,} bytes, with binary parts"
    text = payload[: 4 * _SHOWN_BYTES].decode("utf-8", "replace")[:_SHOWN_BYTES]
    return text if len(text.encode()) >= len(payload) else f"{text} … ({len(payload):,} bytes: --json shows all)"


def _show(info: ExecutionInfo, given: bytes, result: bytes | None) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _facts(info):
        if value not in ("", None):
            table.add_row(name, status_text(value) if name == "status" else Text(plain(value)))
    table.add_row("arguments", Text(plain(_text(given))))
    if result is not None:
        table.add_row("result", Text(plain(_text(result))))
    print_table(table)
    for attempt in attempts_of(info):
        error = attempt.get("error") or {}
        line = one_line(f"attempt {attempt.get('attempt')}: {error.get('type', '')}: {error.get('message', '')}")
        out.print(Text(line, style="yellow"), soft_wrap=True)
    if info.error is not None:
        text = info.error.traceback or f"{info.error.type}: {info.error.message}"
        out.print(Text(f"\n{plain(text)}", style="red"), soft_wrap=True)
    if info.logs:
        out.print(Text("\nlog", style="bold"))
        out.print(Text(plain(info.logs.rstrip("\n"))), soft_wrap=True)


def _facts(info: ExecutionInfo) -> list[tuple[str, Any]]:
    tries = str(info.attempt) if info.retries is None else f"{info.attempt} of at most {info.retries + 1}"
    return [
        ("id", info.uuid),
        ("job", info.job),
        ("status", info.status),
        ("queue", f"{info.queue}, priority {info.priority}" if info.priority else info.queue),
        ("batch", info.batch),
        ("attempt", tries),
        ("rescued", f"{info.rescues} times, from pools that died" if info.rescues else ""),
        ("pool", info.claimed_by),
        ("submitted", moment(info.created_at)),
        ("due", moment(info.due_at)),
        ("started", moment(info.started_at)),
        ("finished", moment(info.finished_at)),
        ("ran for", _run_time(info.started_at, info.finished_at)),
        ("progress", _progress(info)),
        ("version", info.source),
    ]
