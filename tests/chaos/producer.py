"""A process that submits without end, and writes down what was acknowledged: `ID JOB X`, a line each.

On its standard input: `pause`, `go`; it answers on its standard output.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.chaos import jobs

KINDS = (jobs.quick, jobs.plain, jobs.slow, jobs.flaky)


def produce(path: Path, seed: int, rate: float, going: threading.Event, paused: threading.Event) -> None:
    rng = random.Random(seed)
    x = seed * 1_000_000
    with path.open("a", buffering=1) as acks:
        while True:
            if not going.is_set():
                paused.set()
                going.wait()
            kind = rng.choices(KINDS, (10, 3, 1, 1))[0]
            chosen = kind.options(priority=rng.choice((0, 0, 0, 5, -5)), delay=rng.choice((0, 0, 0, 0.2)))
            many = rng.choice((1, 1, 1, 20))
            try:
                made = [chosen.submit(x)] if many == 1 else list(chosen.map(range(x, x + many)))
            except Exception as error:  # not acknowledged; whether it was written is not known
                print(f"refused {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                time.sleep(0.1)
                x += many
                continue
            acks.write("".join(f"{one.id} {kind.name} {x + n}\n" for n, one in enumerate(made)))
            x += many
            time.sleep(many / rate)


def serve(produce: Callable[[threading.Event, threading.Event], None]) -> None:
    """Produce in a thread; hear what the driver says, who must hear of it when that fails."""
    going, paused = threading.Event(), threading.Event()
    going.set()

    def until_it_fails() -> None:
        try:
            produce(going, paused)
        finally:
            print(repr(traceback.format_exc()), flush=True)
            os._exit(1)

    threading.Thread(target=until_it_fails, daemon=True).start()
    for line in sys.stdin:
        if line == "pause\n":
            paused.clear()
            going.clear()
            paused.wait()
        else:
            going.set()
        print(line, end="", flush=True)


def main() -> None:
    path, seed, rate = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    serve(functools.partial(produce, path, seed, rate))


if __name__ == "__main__":
    main()
