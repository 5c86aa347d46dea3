"""The command `currant-tui`."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from currant_lab.errors import CurrantError
from currant_lab.settings import load
from currant_lab.watch.live import Live
from currant_lab.watch.recording import LIMIT, Recorder
from currant_lab.watch.replay import Replay
from currant_tui.view import Lab

__all__ = ["main"]

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def main(words: Sequence[str] | None = None) -> int:
    """Run the dashboard. Returns the exit code: 0 done, 1 it failed; wrong words exit with 2."""
    args = _parser().parse_args(words)
    if wrong := _wrong(args):
        print(f"currant-tui: {wrong}", file=sys.stderr)
        return 2
    try:
        if args.web:
            return _serve(args)
        lab = _lab(args)
        return asyncio.run(_once(lab, args)) if args.once else _show(lab, args)
    except CurrantError as error:
        print(f"currant-tui: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="currant-tui", description="A Currant database, live: queues, claims, latencies, executions, pools."
    )
    parser.add_argument("--database", metavar="URL", help="by default CURRANT_DATABASE_URL, else the embedded server")
    parser.add_argument("--schema", metavar="S", help="by default CURRANT_SCHEMA, else currant")
    parser.add_argument("--view", default="overview", metavar="V", help="the view to begin with: its name or number")
    parser.add_argument("--read-only", action="store_true", help="look, and change nothing")
    parser.add_argument("--record", type=Path, metavar="F", help="keep what happens in this file, to be replayed")
    parser.add_argument(
        "--record-limit", type=_size, default=LIMIT, metavar="SIZE",
        help="how large it may get (64MB); then its oldest part is dropped",
    )  # fmt: skip
    parser.add_argument("--replay", type=Path, metavar="F", help="look at a recording; needs no database")
    parser.add_argument("--at", type=_moment, default=None, metavar="T", help="with --replay: begin at 90, or 1:30")
    once = parser.add_argument_group("one picture")
    once.add_argument("--once", action="store_true", help="print one picture and end")
    once.add_argument("--json", action="store_true", help="with --once: as one JSON object")
    once.add_argument("--svg", action="store_true", help="with --once: as SVG")
    once.add_argument("--seconds", type=float, default=0.0, metavar="S", help="with --once: follow so long before it")
    once.add_argument("--size", type=_shape, default=(120, 36), metavar="CxL", help="with --svg: columns and lines")
    once.add_argument("--light", action="store_true", help="with --svg: the light theme")
    web = parser.add_argument_group("in a browser")
    web.add_argument("--web", action="store_true", help="serve it to a browser of this machine; it only looks")
    web.add_argument("--port", type=int, default=0, metavar="N", help="with --web: the port; by default one is found")
    web.add_argument("--write", action="store_true", help="with --web: whoever reaches the port may also act")
    web.add_argument("--tab", action="store_true", help=argparse.SUPPRESS)  # one tab of --web: ends with its server
    return parser


def _wrong(args: argparse.Namespace) -> str | None:
    """What in the words makes no sense together."""
    for name in ("json", "svg", "seconds"):
        if getattr(args, name) and not args.once:
            return f"--{name} goes with --once"
    for name in ("port", "write"):
        if getattr(args, name) and not args.web:
            return f"--{name} goes with --web"
    if args.at is not None and args.replay is None:
        return "--at goes with --replay"
    for one, other in (("json", "svg"), ("record", "replay"), ("record", "once"), ("record", "web"), ("once", "web")):
        if getattr(args, one) and getattr(args, other):
            return f"--{one} and --{other} don't go together"
    return None


def _lab(args: argparse.Namespace) -> Lab:
    """Where the state comes from."""
    settings = load(database=args.database, schema=args.schema)
    if args.replay is not None:
        replay = Replay(args.replay)
        replay.seek(args.at or 0.0)
        replay.paused = args.once
        return Lab(replay, settings, read_only=True)
    recorder = Recorder(args.record, limit=args.record_limit) if args.record is not None else None
    live = Live(settings, recorder.board if recorder is not None else None)
    return Lab(live, settings, read_only=args.read_only or args.once, recorder=recorder)


async def _once(lab: Lab, args: argparse.Namespace) -> int:
    from currant_tui import once

    if args.svg:
        from currant_tui.picture import picture

        theme = "currant-light" if args.light else "currant-dark"
        print(await picture(lab, view=args.view, size=args.size, theme=theme, seconds=args.seconds))
        return 0
    try:
        await lab.source.open()
        await once.follow(lab.source, args.seconds)
        print(once.as_json(lab.board) if args.json else once.as_text(lab.board))
    finally:
        await lab.source.close()
    return 0


def _show(lab: Lab, args: argparse.Namespace) -> int:
    from currant_tui.app import CurrantApp
    from currant_tui.keymap import read_preferences

    app = CurrantApp(lab, view=args.view, preferences=read_preferences(), served_by=os.getppid() if args.tab else None)
    try:
        code = app.run()
    finally:
        if lab.recorder is not None:
            lab.recorder.leave()
    if app.failure is not None:
        if isinstance(app.failure, CurrantError):
            raise app.failure
        raise RuntimeError("the dashboard ended") from app.failure
    return code or 0


def _serve(args: argparse.Namespace) -> int:
    from currant_tui.web import serve

    words = ["--view", args.view]
    if not args.write:
        words.append("--read-only")
    if args.schema is not None:
        words += ["--schema", args.schema]
    if args.replay is not None:
        Replay(args.replay)  # says at once what is wrong with it
        words += ["--replay", str(args.replay.resolve()), "--at", str(args.at or 0)]
    serve(words, database=args.database, port=args.port)
    return 0


def _size(text: str) -> int:
    read = re.fullmatch(r"(\d+)\s*([kmg]?)i?b?", text.strip().lower())
    size = int(read[1]) * _UNITS[read[2]] if read else 0
    if size < 2**20:
        raise argparse.ArgumentTypeError(f"a size of at least 1MB is expected, as 64MB or 1GB, not {text!r}")
    return size


def _moment(text: str) -> float:
    read = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if read is None:
        raise argparse.ArgumentTypeError(f"seconds, or minutes:seconds are expected, not {text!r}")
    return int(read[1] or 0) * 3600 + int(read[2] or 0) * 60 + float(read[3])


def _shape(text: str) -> tuple[int, int]:
    read = re.fullmatch(r"(\d{2,3})x(\d{2,3})", text.strip().lower())
    if read is None:
        raise argparse.ArgumentTypeError(f"columns x lines are expected, as 120x36, not {text!r}")
    return int(read[1]), int(read[2])
