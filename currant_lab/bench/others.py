"""What the pools of a run have done: the one here, and those of other processes, which are asked by lines of JSON."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from currant_lab.bench.meter import cpu_here, peak_memory_mb
from currant_lab.bench.plan import Plan
from currant_lab.database.connect import Database
from currant_lab.errors import CurrantError

if TYPE_CHECKING:
    from currant_lab.outcomes import Outcome
    from currant_lab.pool.pool import Pool

__all__ = ["Pooled", "main", "note_settles", "others", "pooled"]

_settled_at = 0.0


class Pooled(msgspec.Struct, frozen=True):
    """What one process with a pool has done since it began. CPU in seconds; `starts` since it was last asked.

    `settled_at`: when it last heard that outcomes are on disk, by this machine's monotonic clock.
    """

    starts: int
    claims: int
    claimed: int
    empty: int
    statements: int
    stale: int
    settled: int
    settled_at: float
    claim_sizes: dict[int, int]
    python_s: float
    rust_s: float
    peak_mb: float


def pooled() -> Pooled:
    """Of this process."""
    from currant_lab.bench import work
    from currant_lab.session import pool

    stats = pool().stats()
    python_s, rust_s = cpu_here()
    return Pooled(
        starts=work.starts(),
        claims=stats.claims,
        claimed=stats.claimed,
        empty=stats.empty_claims,
        statements=stats.statements,
        stale=stats.stale,
        settled=stats.settled,
        settled_at=_settled_at,
        claim_sizes=dict(stats.claim_sizes),
        python_s=python_s,
        rust_s=rust_s,
        peak_mb=peak_memory_mb(),
    )


def note_settles(pool: Pool) -> None:
    """Note when outcomes are on disk, before anybody else hears of it."""
    tell = pool.on_settled

    def settled(outcomes: Sequence[Outcome]) -> None:
        global _settled_at
        _settled_at = time.monotonic()
        if tell is not None:
            tell(outcomes)

    pool.on_settled = settled


class Other:
    """A pool in another process."""

    def __init__(self, plan: Plan, database: Database) -> None:
        environment = os.environ | {"CURRANT_DATABASE_URL": database.target.url(), "CURRANT_SCHEMA": database.schema}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "currant_lab.bench.others"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._send(msgspec.json.encode(plan))
        self.ask()  # answers when its pool runs

    def ask(self) -> Pooled:
        """Its counters now.

        Raises:
            CurrantError: it has died.
        """
        self._send(b"")
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        answer = self._process.stdout.readline()
        if not answer:
            raise CurrantError(f"a pool's process has ended with {self._process.wait()}")
        return msgspec.json.decode(answer, type=Pooled)

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise CurrantError(f"a pool's process has ended with {self._process.wait()}") from None


@contextlib.contextmanager
def others(plan: Plan, database: Database) -> Iterator[list[Other]]:
    """The other processes of a plan, each with a running pool."""
    started: list[Other] = []
    try:
        started.extend(Other(plan, database) for _ in range(plan.pools - 1))
        yield started
    finally:
        for other in started:
            other.stop()


def main() -> None:
    """The other process: a plan on the first line, then one answer for each line, until they end."""
    from currant_lab.session import start

    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)
    with start(workers=plan.workers, queues=plan.queues, name="bench") as pool:
        note_settles(pool)
        for _ in sys.stdin.buffer:
            sys.stdout.buffer.write(msgspec.json.encode(pooled()) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
