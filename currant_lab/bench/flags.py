"""The flags of `currant bench` and `%currant bench`, in one place for both."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from currant_lab.bench.plan import Plan

__all__ = ["add_flags", "plan_of"]

_Type = Callable[[str], Any]


def add_flags(parser: argparse.ArgumentParser, *, whole: _Type, queues: _Type, span: _Type) -> None:
    """Add them, with what reads whole numbers from 1 on, names of queues, and spans of time."""
    load = parser.add_argument_group("what runs")
    load.add_argument("--workers", type=whole, default=50, metavar="N", help="of each pool; default 50")
    load.add_argument("--jobs", type=whole, default=10_000, metavar="N", help="how many are measured; default 10000")
    load.add_argument("--duration", type=span, metavar="SPAN", help="go on submitting for so long instead, as 60s")
    load.add_argument(
        "--warmup-percent", type=_amount, default=10.0, metavar="P", help="of the jobs, before and left out; default 10"
    )
    load.add_argument("--payload-size", type=_bytes, default=0, metavar="BYTES", help="text each job gets")
    load.add_argument("--result-size", type=_bytes, default=0, metavar="BYTES", help="text each job returns")
    load.add_argument("--job-time", type=_amount, default=0.0, metavar="MS", help="how long each handler waits")
    load.add_argument("--sync", action="store_true", help="plain functions in threads, no coroutines")
    load.add_argument("--queues", type=queues, default=("default",), metavar="A,B", help="jobs go to them in turn")
    load.add_argument("--producers", type=whole, default=1, metavar="N", help="threads that submit at once; default 1")
    load.add_argument("--pools", type=whole, default=1, metavar="N", help="processes with a pool; default 1")
    load.add_argument(
        "--enqueue", choices=("map", "submit"), default="map", help="in bulk, or each in a transaction of its own"
    )
    told = parser.add_argument_group("what is told")
    told.add_argument(
        "--floor", action=argparse.BooleanOptionalAction, default=True, help="measure the bare statements beside it"
    )
    told.add_argument("--json", metavar="FILE", default=None, help="write all figures; - is standard output")
    told.add_argument("--html", metavar="FILE", default=None, help="write a page with plots; needs matplotlib")


def plan_of(args: argparse.Namespace) -> Plan:
    """The plan that these words mean.

    Raises:
        InvalidArguments: they don't go together.
    """
    from currant_lab.bench.plan import Plan

    return Plan(
        workers=args.workers,
        jobs=args.jobs,
        warmup_percent=args.warmup_percent,
        duration_s=args.duration.total_seconds() if args.duration is not None else None,
        payload_size=args.payload_size,
        result_size=args.result_size,
        job_time_ms=args.job_time,
        sync=args.sync,
        queues=args.queues,
        producers=args.producers,
        pools=args.pools,
        enqueue=args.enqueue,
        floor=args.floor,
    )


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 <= amount < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return amount


def _bytes(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes")
    return int(text)
