"""The command `currant-tui`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from currant_lab.errors import CurrantError
from currant_lab.settings import load
from currant_lab.watch.live import Live

__all__ = ["main"]


def main(words: Sequence[str] | None = None) -> int:
    """Run the dashboard. Returns the exit code: 0 done, 1 it failed; wrong words exit with 2."""
    args = _parser().parse_args(words)
    if args.json and not args.once:
        print("currant-tui: --json goes with --once", file=sys.stderr)
        return 2
    try:
        live = Live(load(database=args.database, schema=args.schema))
        return asyncio.run(_once(live, as_json=args.json)) if args.once else _show(live, args.view)
    except CurrantError as error:
        print(f"currant-tui: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="currant-tui", description="A Currant database, live: queues, latencies, pools. It only looks."
    )
    parser.add_argument("--database", metavar="URL", help="by default CURRANT_DATABASE_URL, else the embedded server")
    parser.add_argument("--schema", metavar="S", help="by default CURRANT_SCHEMA, else currant")
    parser.add_argument("--view", default="overview", metavar="V", help="the view to begin with: its name or number")
    parser.add_argument("--read-only", action="store_true", help="look, and change nothing: so far it never does")
    parser.add_argument("--once", action="store_true", help="print one picture and end")
    parser.add_argument("--json", action="store_true", help="with --once: as one JSON object")
    return parser


async def _once(live: Live, *, as_json: bool) -> int:
    from currant_tui import once

    try:
        await live.open()
        print(once.as_json(live.board) if as_json else once.as_text(live.board))
    finally:
        await live.close()
    return 0


def _show(live: Live, view: str) -> int:
    from currant_tui.app import CurrantApp
    from currant_tui.keymap import read_preferences
    from currant_tui.view import Lab

    app = CurrantApp(Lab(live, live.settings, read_only=True), view=view, preferences=read_preferences())
    code = app.run()
    if app.failure is not None:
        if isinstance(app.failure, CurrantError):
            raise app.failure
        raise RuntimeError("the dashboard ended") from app.failure
    return code or 0
