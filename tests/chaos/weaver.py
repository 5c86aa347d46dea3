"""A process that submits chains, graphs and workflows without end, sends signals, cancels and retries; and writes down
what was acknowledged, a line each:

    made ID VALUE PARENTS    an execution, what it is worth (`-`: that can't be said), and what it is tied to
    retried ID, cancel ID    it runs again after it failed; it may end cancelled from now on
    signal ID NAME VALUE     taken; `NAME+` for a second one of a name, which was refused
    wrong TEXT               what must not be

On its standard input: `pause`, `go`; it answers on its standard output.
"""

from __future__ import annotations

import heapq
import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncpg

from currant_lab import CurrantError, DatabaseUnavailable, Execution, UnknownExecution
from currant_lab.status import FINAL
from tests.chaos import flows
from tests.chaos.chains import barred, link, weld
from tests.chaos.jobs import answer
from tests.chaos.producer import serve

PAUSE_S = 0.1

TROUBLE = (DatabaseUnavailable, asyncpg.PostgresError)
"""With a statement cancelled by somebody, say, nothing was written: it is submitted again, or not."""


class Weaver:
    """One pattern after the other, and what has become due of those before: all in one thread."""

    def __init__(self, path: Path, seed: int, rate: float) -> None:
        self._chance = random.Random(seed)
        self._xs = itertools.count(seed * 1_000_000)
        self._directory = path.parent
        self._file = path.open("a", buffering=1)
        self._rate = rate
        self._due: list[tuple[float, int, Callable[[], bool]]] = []
        self._order = itertools.count()
        self._worth: dict[Execution, int] = {}
        self.patterns = (self.chain, self.graph, self.fan_in, self.behind_bars, self.dropped, self.errand, self.mended)

    def produce(self, going: threading.Event, paused: threading.Event) -> None:
        while True:
            if not going.is_set():
                while self._due:  # whatever its time
                    self._do_next()
                paused.set()
                going.wait()
            self._worth.clear()
            (pattern,) = self._chance.choices(self.patterns, (3, 2, 2, 2, 1, 5, 2))
            try:
                pattern()
            except TROUBLE as error:  # what was acknowledged of it is written down
                print(f"refused {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                time.sleep(PAUSE_S)
            end = time.monotonic() + self._chance.expovariate(self._rate)
            while self._due and self._due[0][0] < end and going.is_set():
                time.sleep(max(0.0, self._due[0][0] - time.monotonic()))
                self._do_next()
            time.sleep(max(0.0, end - time.monotonic()))

    # What is submitted.

    def chain(self) -> None:
        made = self._link()
        for _ in range(self._chance.randrange(2, 5)):
            made = self._link([made])

    def graph(self) -> None:
        """Random parents, some of them only waited for; the second half in one map."""
        made = [self._link()]
        for _ in range(7):
            values, after = (self._some(made, 3) for _ in range(2))
            made.append(self._link(values, after))
        xs, above = [next(self._xs) for _ in range(6)], [self._some(made, 3) for _ in range(6)]
        for x, parents, child in zip(xs, above, link.map(xs, above), strict=True):
            self._note(child, x, parents)

    def fan_in(self) -> None:
        """All of a map, and all of one that waits for the first."""
        xs = [next(self._xs) for _ in range(8)]
        first = link.map(xs, [[]] * len(xs))
        for x, one in zip(xs, first, strict=True):
            self._note(one, x)
        second = weld.map(xs, [[one] for one in first])
        for x, one, above in zip(xs, second, first, strict=True):
            self._note(one, x, [above])
        x = next(self._xs)
        self._note(link.options(after=[first]).submit(x, [second]), x, list(second), list(first))

    def behind_bars(self) -> None:
        """A parent that fails. It is run again later, or not, and its children with it."""
        x = next(self._xs)
        path = self._directory / f"open-{x}"
        root = barred.submit(x, str(path))
        self._note(root, x)
        child = self._link([root])
        other = self._link([self._link()], [root])
        self._link([child, other])
        xs = [next(self._xs) for _ in range(3)]
        both = link.map(xs, [[root], [], [child]])
        for one_x, one, above in zip(xs, both, ([root], [], [child]), strict=True):
            self._note(one, one_x, above)
        x = next(self._xs)
        self._note(link.submit(x, [both]), x, list(both))
        if self._chance.random() < 0.6:
            self._later(self._chance.uniform(0.0, 1.0), lambda: self._retry(root, path))

    def dropped(self) -> None:
        """A parent that is cancelled before its time, or while it runs."""
        x = next(self._xs)
        root = link.options(delay=self._chance.choice((0.0, 0.3))).submit(x, [])
        self._note(root, x)
        middle = self._link([root])
        self._link([middle], [root])
        self._later(self._chance.uniform(0.0, 0.4), lambda: self._cancel(self._chance.choice((root, middle))))

    def errand(self) -> None:
        x, said = next(self._xs), self._chance.randrange(1_000)
        base = self._some([self._link()], 1)
        run = flows.errand.submit(x, base)
        value = flows.right_errand(x, sum(self._worth[one] for one in base), said)
        self._write("made", run.id, value, _list(base))
        self._worth[run] = value
        self._later(self._chance.uniform(0.0, 1.2), lambda: self._signal(run, "go", said))
        if self._chance.random() < 0.5:
            self._later(self._chance.uniform(0.0, 1.2), lambda: self._signal(run, "maybe", said))
        if self._chance.random() < 0.15:
            self._later(self._chance.uniform(0.0, 1.5), lambda: self._cancel(run))
        elif self._chance.random() < 0.2:
            self._later(self._chance.uniform(0.5, 2.0), lambda: self._fork(run, value, said))
        if self._chance.random() < 0.3:
            self._link([run])

    def mended(self) -> None:
        x = next(self._xs)
        self._write("made", flows.mended.submit(x).id, flows.right_mended(x), "-")

    def _link(self, values: Sequence[Execution] = (), after: Sequence[Execution] = ()) -> Execution:
        x = next(self._xs)
        kind = self._chance.choice((link, weld)).options(after=after, priority=self._chance.choice((0, 0, 5)))
        return self._note(kind.submit(x, list(values)), x, values, after)

    def _note(
        self, made: Execution, x: int, values: Sequence[Execution] = (), after: Sequence[Execution] = ()
    ) -> Execution:
        value = answer(x) + sum(self._worth[one] for one in values)
        self._worth[made] = value
        self._write("made", made.id, value, _list([*values, *after]))
        return made

    def _some(self, made: Sequence[Execution], most: int) -> list[Execution]:
        return self._chance.sample(made, self._chance.randrange(min(most, len(made)) + 1))

    # What is done to it later, again and again until it is known to be done.

    def _later(self, seconds: float, act: Callable[[], bool]) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), act))

    def _do_next(self) -> None:
        _, _, act = heapq.heappop(self._due)
        try:
            is_done = act()
        except TROUBLE:
            is_done = False
        if not is_done:
            time.sleep(PAUSE_S / 5)
            self._later(PAUSE_S, act)

    def _retry(self, root: Execution, path: Path) -> bool:
        path.touch()
        status = root.refresh().status
        if status == "failed":
            root.retry()
        if status != "succeeded":
            return False
        self._write("retried", root.id)
        return True

    def _cancel(self, made: Execution) -> bool:
        self._write("cancel", made.id)
        made.cancel()
        return True

    def _fork(self, run: Execution, value: int, said: int) -> bool:
        """Once it has succeeded, another run goes on from some step of it, and comes to the same."""
        status = run.refresh().status
        if status not in FINAL:
            return False
        if status == "succeeded":
            copy = run.fork(self._chance.randrange(1, len(run.steps) + 2))
            self._write("made", copy.id, value, "-")
            self._later(0.0, lambda: self._signal(copy, "go", said))
        return True

    def _signal(self, run: Execution, name: str, value: int) -> bool:
        try:
            run.signal(name, value)
        except UnknownExecution as error:
            self._write("wrong", error)
            return True
        except TROUBLE:
            raise
        except CurrantError as error:
            if "has had" not in str(error):
                return "has ended" in str(error)
        self._write("signal", run.id, name, value)  # an answer that was lost: it has had this very signal
        if self._chance.random() < 0.3:
            self._later(0.0, lambda: self._signal_again(run, name, value))
        return True

    def _signal_again(self, run: Execution, name: str, value: int) -> bool:
        """The first one counts, and the second is told."""
        try:
            run.signal(name, value + 1)
        except TROUBLE:
            raise
        except CurrantError:
            self._write("signal", run.id, f"{name}+", value + 1)
        else:
            self._write("wrong", f"{run.id} took a second signal {name}")
        return True

    def _write(self, *words: object) -> None:
        self._file.write(" ".join(map(str, words)) + "\n")


def _list(made: Sequence[Execution]) -> str:
    return ",".join(sorted({str(one.id) for one in made})) or "-"


def main() -> None:
    weaver = Weaver(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    serve(weaver.produce)


if __name__ == "__main__":
    main()
