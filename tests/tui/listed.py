"""What the lists of a database hold when a picture is made of them: always the same, at the moment of the recording."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from currant_lab.database.runs import RunInfo, RunTree
from currant_lab.outcomes import ErrorInfo
from currant_lab.status import Status
from currant_lab.watch.facts import DatabaseView, TableView, Transaction
from currant_lab.watch.listing import Listing
from currant_lab.watch.rows import BatchView, Count, ExecutionInfo, FailureGroup, Page
from currant_lab.watch.runs import RunReading, Runs, StepInfo

__all__ = ["RUN", "listed"]

RUN = 40
_TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/crawl.py", line 41, in fetch
    page = await client.get(url, timeout=10)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/http.py", line 118, in get
    raise TimeoutError(f"no answer from {host} within {timeout} s")
TimeoutError: no answer from shop.example within 10 s
"""
_TIMEOUT = ErrorInfo("TimeoutError", "no answer from shop.example within 10 s", _TRACEBACK)
_REFUSED = ErrorInfo("billing.CardRefused", "card 4711: the bank said no [/code 51]", "billing.CardRefused: no")


def listed(monkeypatch: pytest.MonkeyPatch, now: float) -> Any:
    """A database to be given to a replay: its lists are those of this file, as of `now`."""
    at = _At(now)

    async def failures(_: Listing) -> tuple[FailureGroup, ...]:
        return at.failures()

    async def batches(_: Listing) -> tuple[BatchView, ...]:
        return at.batches()

    async def database(_: Listing) -> DatabaseView:
        return DATABASE

    async def page(_: Listing, *_more: object, **_named: object) -> Page:
        return Page(tuple(at.executions()), None, 12, False)

    async def count(*_: object) -> Count:
        return Count(12, True)

    async def newest(*_: object) -> list[RunInfo]:
        return at.runs()

    async def look(reading: RunReading) -> RunTree:
        reading.statements = 2
        return at.tree()

    for name, answer in (("failures", failures), ("batches", batches), ("database", database), ("page", page)):
        monkeypatch.setattr(Listing, name, answer)
    monkeypatch.setattr(Listing, "count", count)
    monkeypatch.setattr(Runs, "newest", newest)
    monkeypatch.setattr(RunReading, "look", look)
    return SimpleNamespace()


DATABASE = DatabaseView(
    bytes=1_830_000_000, notifications=0.004, connections=23, max_connections=100,
    oldest=Transaction(4711, "psql", "ann", "idle in transaction", 1_204_311, 745.0),
    tables=(
        TableView("history_20261116", 2_104_331, 0, 912_000_000, 402_000.0, True),
        TableView("history_20261123", 811_042, 1_204, 351_000_000, 3_600.0, True),
        TableView("executions", 41_204, 88_310, 96_000_000, 41.0, False),
        TableView("steps", 120_400, 3_100, 44_000_000, 800.0, False),
        TableView("batch_parts", 4_120, 12, 1_100_000, None, False),
        TableView("sources", 84, 0, 344_000, None, False),
        TableView("pools", 31, 204, 98_000, 55.0, False),
        TableView("history_default", 0, 0, 24_000, None, True),
    ),
)  # fmt: skip


class _At:
    """The lists at one moment."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self, ago: float | None) -> datetime | None:
        return None if ago is None else datetime.fromtimestamp(self.now - ago, UTC)

    def execution(
        self, number: int, job: str, queue: str, status: str, ago: tuple[float | None, float | None, float | None],
        **more: Any,
    ) -> ExecutionInfo:  # fmt: skip
        """`ago`: submitted, started and finished so many seconds before."""
        created, started, finished = map(self.time, ago)
        assert created is not None
        own = ExecutionInfo(
            bytes.fromhex(f"01a20f52c{number:03x}7000a000{number:012x}"), job, queue, 0, Status(status), 1, None, 0,
            2 if started is not None else None, None, created, None, started, finished, False, None, None, None, None,
            None, None,
        )  # fmt: skip
        return replace(own, **more)

    def executions(self) -> Sequence[ExecutionInfo]:
        e = self.execution
        again = self.time(-42)
        return [
            e(12, "crawl:fetch", "crawl", "pending", (0.4, None, None), attempt=0),
            e(11, "crawl:fetch", "crawl", "running", (2.1, 1.9, None), progress=0.62, progress_note="31 of 50 pages"),
            e(10, "crawl:parse", "crawl", "running", (3.0, 0.2, None), cancelling=True, priority=5),
            e(9, "mail:send", "mail", "succeeded", (4.4, 4.3, 4.1), priority=-1),
            e(8, "mail:digest", "mail", "scheduled", (70, None, None), due_at=again, attempt=1),
            e(7, "billing:charge", "billing", "failed", (71, 70, 69.5), error=_REFUSED, attempt=3),
            e(6, "reports:render", "reports", "waiting", (80, None, None), attempt=0),
            e(5, "crawl:fetch", "crawl", "failed", (95, 94, 84), error=_TIMEOUT),
            e(4, "crawl:fetch", "crawl", "cancelled", (100, None, 90), attempt=0),
            e(3, "print:books [/b]", "print shop", "succeeded", (400, 399, 201)),
            e(2, "mail:send", "mail", "succeeded", (5_000, 4_999, 4_998.9)),
            e(1, "reports:render", "reports", "succeeded", (90_000, 89_990, 86_500), rescues=1, attempt=2),
        ]

    def failures(self) -> tuple[FailureGroup, ...]:
        now = self.now
        return (
            FailureGroup("crawl:fetch", "TimeoutError", 1_204, True, now - 86_000, now - 12, bytes(16),
                         _TIMEOUT.message, _TRACEBACK),
            FailureGroup("billing:charge", "billing.CardRefused", 38, True, now - 7_000, now - 69, bytes(16),
                         _REFUSED.message, "billing.CardRefused: no"),
            FailureGroup("crawl:parse", "ValueError", 7, True, now - 900, now - 300, bytes(16), "no <body>", ""),
            FailureGroup("reports:render", "", 1, True, now - 60, now - 60, bytes(16), "its pool was lost", "lost"),
        )  # fmt: skip

    def batches(self) -> tuple[BatchView, ...]:
        def one(
            number: int, name: str | None, job: str, size: int, parts: tuple[int, ...], left: float | None, ago: float
        ) -> BatchView:  # fmt: skip
            counts = dict(zip(("succeeded", "failed", "cancelled", "running", "waiting"), parts, strict=True))
            return BatchView(number, name, job, size, counts, True, sum(parts[:3]) / size, left, self.now - ago)

        return (
            one(31, "crawl-2026-11-24", "crawl:fetch", 10_000, (6_120, 38, 0, 24, 3_818), 95.0, 150),
            one(30, None, "crawl:parse", 480, (470, 2, 0, 8, 0), 1.2, 61),
            one(29, "november letters", "mail:send", 45_000, (0, 0, 0, 0, 45_000), None, 3_000),
            one(28, "charges", "billing:charge", 1_204, (1_166, 38, 0, 0, 0), 0.0, 7_300),
            one(27, "given up", "reports:render", 12, (3, 1, 8, 0, 0), 0.0, 190_000),
        )

    def runs(self) -> list[RunInfo]:
        e = self.execution
        due = self.time(-3_480)
        return [
            RunInfo(e(RUN, "shop:nightly", "default", "waiting", (118, 117, None)), 9, 8, ("event approved",), due),
            RunInfo(
                e(39, "shop:import_all", "default", "running", (12, 11, None)), 501, 488, ("shop:fetch",) * 13, None
            ),
            RunInfo(
                e(38, "shop:nightly", "default", "failed", (86_500, 86_499, 86_300), error=_TIMEOUT), 4, 4, (), None
            ),
            RunInfo(e(37, "shop:nightly", "default", "succeeded", (172_900, 172_899, 172_400)), 9, 9, (), None),
            RunInfo(e(36, "shop:letters", "default", "pending", (3, None, None), attempt=0), 0, 0, (), None),
        ]

    def tree(self) -> RunTree:
        run = self.runs()[0].info
        s = self.step
        report = RunTree(
            self.execution(45, "shop:report", "default", "succeeded", (52, 52, 40)),
            [s(1, "run", "shop:draw", "succeeded", (52, 51, 45)), s(2, "run", "shop:write", "succeeded", (45, 44, 40))],
            {},
        )
        steps = [
            s(1, "now", "now", "succeeded", (117, None, 117)),
            s(2, "run", "shop:extract", "succeeded", (117, 116, 100), seen=(1,)),
            s(
                3,
                "map",
                "shop:clean",
                "succeeded",
                (100, None, 61),
                seen=(2,),
                batch=30,
                unfinished=0,
                ended=480,
                bad=0,
            ),
            s(
                4,
                "run",
                "shop:train",
                "running",
                (61, 60, None),
                seen=(3,),
                progress=0.45,
                progress_note="epoch 9 of 20",
            ),
            s(5, "run", "shop:score", "failed", (61, 58, 52), error=_TIMEOUT, attempt=3),
            s(6, "call", "pick", "succeeded", (61, None, 60)),
            s(7, "run", "shop:report", "succeeded", (52, 52, 40), seen=(5, 6)),
            s(8, "submit", "mail:send", "succeeded", (40, None, 40), seen=(7,)),
            s(9, "event", "approved", "waiting", (40, None, None)),
        ]
        return RunTree(run, steps, {7: [report]})

    def step(
        self, number: int, kind: str, name: str, status: str, ago: tuple[float, float | None, float | None], **more: Any
    ) -> StepInfo:
        began = self.time(ago[0])
        assert began is not None
        child = number.to_bytes(16, "big") if kind in ("run", "map", "submit") else None
        own = StepInfo(
            number, kind, name, status, began, self.time(ago[1]), self.time(ago[2]), None, child, None,
            1 if kind == "run" else None, None, None, None, None, None, None, (),
        )  # fmt: skip
        return replace(own, **more)
