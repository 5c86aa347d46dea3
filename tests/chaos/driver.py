"""Rounds of faults in a world, each followed by an audit of its books; all from one seed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import asyncpg

from currant_lab.loop import background
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.world import World, world
from tests.chaos.woven import Woven

MIXED = 0.5
"""The share of rounds with more than one fault, once each has been seen alone."""


@dataclass
class Report:
    """What a run has found."""

    seed: int
    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    executions: int = 0
    claims: int = 0
    stale: int = 0
    refused: int = 0
    rescued: int = 0
    spent: int = 0
    lost: int = 0
    twice: int = 0
    wrong: list[str] = field(default_factory=list)
    woven: Woven = field(default_factory=Woven)
    longest_alone_s: float = 0.0
    longest_s: float = 0.0
    took_s: float = 0.0

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.twice or self.wrong)

    def text(self) -> str:
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        reached = "".join(f"; {what}: {count}" for what, count in sorted(self.reached.items()))
        wrong = "".join(f"\n  wrong: {one}" for one in self.wrong[:20])
        return (
            f"seed {self.seed}: {self.rounds} rounds in {self.took_s:.0f} s, {self.executions:,} executions,"
            f" {self.claims:,} claims, {self.faults.total()} faults injected; lost {self.lost},"
            f" settled twice {self.twice}, wrong {len(self.wrong)};"
            f" {self.rescued} rescued, the longest after {self.longest_alone_s:.1f} s when only its pool was killed"
            f" ({self.longest_s:.1f} s with the server away as well); {self.spent} ended failed, having lost all the"
            f" pools they may; {self.refused} submits refused while the database was away{reached}\n"
            f"  {self.woven.text()}\n"
            f"  {kinds}{wrong}"
        )


class Strikes:
    """Small faults that fall at any moment while a larger one is at work."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._next = 0.0
        self.count: Counter[str] = Counter()

    def __call__(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        is_first = self._next == 0.0
        self._next = now + self._world.rng.uniform(0.5, 8)
        if is_first:
            return
        kind = self._world.rng.choice(("kill", "cut", "terminate"))
        if kind == "kill":
            victim = self._world.pools[self._world.rng.choice(("a", "b"))]
            if victim.poll() is None:
                self._world.kill(victim)
        elif kind == "cut":
            background.run(self._world.wire.cut())
            self._world.wire.is_cut = False
        else:
            try:
                self._world.sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND application_name NOT LIKE 'chaos%'"
                )
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return  # the server is away
        self.count[f"strike: {kind}"] += 1


def plan(rng: random.Random, kinds: Sequence[type[Fault]]) -> Iterator[list[type[Fault]]]:
    """Endless rounds: each fault alone once, then alone or mixed as it comes."""
    first = list(kinds)
    rng.shuffle(first)
    yield from ([kind] for kind in first)
    while True:
        if rng.random() > MIXED:
            yield [rng.choice(kinds)]
            continue
        lasting = [kind for kind in kinds if kind.is_lasting and rng.random() < 0.5]
        others = [kind for kind in kinds if not kind.is_lasting]
        yield lasting + rng.sample(others, min(len(others), rng.choice((1, 2, 3))))


def run(
    rounds: int,
    seed: int,
    *,
    kinds: Sequence[type[Fault]] = FAULTS,
    length: float = 1.0,
    is_loud: bool = False,
    is_enough: Callable[[], bool] = bool,
) -> Report:
    """Run so many rounds; stops early when the books are wrong, or when `is_enough` says so."""
    report, started = Report(seed), time.monotonic()
    with world(seed, length=length) as broken:
        broken.await_started("a")
        broken.await_started("b")
        for faults in plan(random.Random(seed), kinds):
            if report.rounds == rounds or not report.is_good or is_enough():
                break
            began = time.monotonic()
            _round(broken, faults, report)
            if is_loud:
                names = " + ".join(kind.__name__ for kind in faults) + (" + strikes" if broken.is_mixed else "")
                print(f"round {report.rounds:3} {names}: {time.monotonic() - began:.1f} s", flush=True)
        report.refused = broken.refused
        report.reached = broken.reached
    report.took_s = time.monotonic() - started
    return report


def _round(world: World, kinds: Sequence[type[Fault]], report: Report) -> None:
    world.is_mixed = len(kinds) > 1
    books = world.books
    rescues = len(books.rescues_s)
    faults: list[Fault] = []
    strikes = Strikes(world)
    if world.is_mixed:
        world.on_tick = strikes
    try:
        for kind in kinds:
            faults.append(kind(world))
            faults[-1].inject()
            report.faults[kind.__name__] += 1
            if not kind.is_lasting:
                faults.pop().heal()
    finally:
        world.on_tick = lambda: None
        for fault in reversed(faults):
            fault.heal()
    world.rest()
    report.faults += strikes.count
    report.rounds += 1
    report.executions, report.claims, report.rescued = books.executions, books.claims, books.rescued
    report.lost, report.twice, report.wrong, report.spent = books.lost, books.twice, books.wrong, books.spent
    report.woven = books.woven
    took = books.rescues_s[rescues:]
    report.longest_s = max([report.longest_s, *took])
    if not world.is_mixed and kinds[0].leaves_server:
        report.longest_alone_s = max([report.longest_alone_s, *took])
