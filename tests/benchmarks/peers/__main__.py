"""`make bench-peers`: the same no-op job by Currant Lab and by its peers, on the same server, in the same run.

Each round measures Currant Lab and then every peer; a peer's ratio is to Currant Lab in that round. Slow peers get
fewer jobs. What can't be had here, or fails, stands in the table by name, with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.environments import PEERS, Peer, Unavailable, python_of
from tests.benchmarks.peers.servers import fresh_database, postgres, redis

_SMALL = 2_000
_FAST = 1_000.0
"""Jobs per second from which on a peer gets as many jobs as Currant Lab."""
_LIMIT_S = 300
_CALM = 0.15
"""The share of the processors that others may use when a run begins."""
_OWN = "Currant Lab"


def main() -> None:
    args = _words()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    chosen = [peer for peer in PEERS if not args.only or peer.name in args.only]
    found: dict[str, list[dict[str, Any]]] = {_OWN: []}
    failed: dict[str, str] = {}
    for peer in chosen:
        with contextlib.suppress(Unavailable):  # told when its turn comes
            python_of(peer)
    with postgres() as target, redis() as broker:
        for turn in range(args.runs):
            url = fresh_database(target, "own")
            busy = _wait_for_calm(args.calm)
            found[_OWN].append(_own(url, args))
            _tell(turn, _OWN, found[_OWN][-1], busy)
            for peer in chosen:
                if peer.name in failed:
                    continue
                try:
                    url = fresh_database(target, "peer")
                    jobs = _jobs(found.get(peer.name), args.jobs)
                    busy = _wait_for_calm(args.calm)
                    run = _peer(peer, url, broker, jobs, args.workers)
                except Unavailable as error:
                    failed[peer.name] = str(error)
                    print(f"round {turn + 1}: {peer.name}: {error}", file=sys.stderr, flush=True)
                    continue
                found.setdefault(peer.name, []).append(
                    run | {"ratio": found[_OWN][-1]["per_second"] / run["per_second"]}
                )
                _tell(turn, peer.name, run, busy)
    table = _table(found, failed)
    print(table)
    if args.out is not None:
        Path(args.out).write_text(table + "\n", encoding="utf-8")
    if failed:
        print(f"not measured: {', '.join(failed)}", file=sys.stderr)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="names, with commas between")
    parser.add_argument(
        "--calm", type=float, default=30.0, help="seconds to wait before each run until nobody else works"
    )
    parser.add_argument("--out", help="a file for the table too")
    return parser.parse_args()


def _jobs(before: Sequence[dict[str, Any]] | None, jobs: int) -> int:
    """Few at first, and again for those that were slow."""
    return jobs if before and before[-1]["per_second"] >= _FAST else min(jobs, _SMALL)


def _own(url: str, args: argparse.Namespace) -> dict[str, Any]:
    words = ["bench", "--workers", args.workers, "--jobs", args.jobs, "--no-floor", "--json", "-"]
    report = json.loads(_output([sys.executable, "-m", "currant_lab", *map(str, words)], {"CURRANT_DATABASE_URL": url}))
    return {
        "per_second": report["per_second"],
        "enqueued_per_second": report["submitted_per_second"],
        "jobs": report["jobs"],
        "settings": "map",
        "caveats": "keeps results",
        "version": report["machine"]["currant_lab"],
        "ratio": 1.0,
    }


def _peer(peer: Peer, url: str, broker: str | None, jobs: int, workers: int) -> dict[str, Any]:
    """One run.

    Raises:
        Unavailable: it can't be had, or it failed.
    """
    if peer.is_on_redis and broker is None:
        raise Unavailable("there is no redis-server here: apt-get install redis-server")
    python, version = python_of(peer)
    if broker is not None and peer.is_on_redis:
        port = broker.rpartition(":")[2]
        subprocess.run(["redis-cli", "-p", port, "flushall"], check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads(_output([python, peer.script, url, broker or "-", str(jobs), str(workers)], {}))
    return found | {"version": version}


def _output(words: Sequence[str | Path], environment: dict[str, str]) -> str:
    """The last line, or all of a report, that a program prints."""
    try:
        done = subprocess.run(
            words, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=_LIMIT_S,
            cwd=Path(words[1]).parent if environment == {} else None,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unavailable(f"it was not done after {_LIMIT_S} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Unavailable(said[-1][:200] if said else f"it ended with {done.returncode}")
    return done.stdout if environment else done.stdout.strip().splitlines()[-1]


def _wait_for_calm(patience_s: float) -> float:
    """Wait until the processors are nearly idle; the share of them that is busy, 0 to 1, when the wait ends."""
    deadline = time.monotonic() + patience_s
    while True:
        before = _processor_ticks()
        time.sleep(0.5)
        idle, whole = (now - then for now, then in zip(_processor_ticks(), before, strict=True))
        busy = 1 - idle / max(whole, 1)
        if busy < _CALM or time.monotonic() > deadline:
            return busy


def _processor_ticks() -> tuple[int, int]:
    """(idle, all) of all processors since the machine's start."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def _tell(turn: int, name: str, run: dict[str, Any], busy: float) -> None:
    said = f"round {turn + 1}: {name} {run['per_second']:,.0f}/s of {run['jobs']:,}; {busy:.0%} busy before it"
    print(said, file=sys.stderr, flush=True)


def _table(found: dict[str, list[dict[str, Any]]], failed: dict[str, str]) -> str:
    """Medians, the fastest first; the first round of a peer that later had more jobs was its trial."""
    rows = []
    for name, all_runs in found.items():
        most = max((run["jobs"] for run in all_runs), default=0)
        runs = [run for run in all_runs if run["jobs"] == most]
        if not runs:
            continue
        rate, enqueued, ratio = (
            statistics.median(run[key] for run in runs) for key in ("per_second", "enqueued_per_second", "ratio")
        )
        last = runs[-1]
        rows.append((rate, f"| {name} {last['version']} | {rate:,.0f} | {enqueued:,.0f} | {_ratio(name, ratio)} "
                           f"| {most:,} | {last['settings']} | {last['caveats']} |"))  # fmt: skip
    lines = [
        "| | end to end/s | enqueued/s | Currant Lab is | jobs | settings | caveats |",
        "|---|--:|--:|--:|--:|---|---|",
        *(row for _, row in sorted(rows, reverse=True)),
        *(f"| {name} | not measured | | | | | {reason} |" for name, reason in failed.items()),
    ]
    return "\n".join(lines)


def _ratio(name: str, ratio: float) -> str:
    if name == _OWN:
        return "1"
    return f"{ratio:.1f}x as fast" if ratio >= 1 else f"**slower: {ratio:.2f}x**"


if __name__ == "__main__":
    main()
