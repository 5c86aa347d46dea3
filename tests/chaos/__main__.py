"""`python -m tests.chaos --rounds N --seed S`: a long run; ends with 1 when the books are wrong."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading

from tests.chaos.driver import run
from tests.chaos.faults import FAULTS


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="the same seed: the same faults in the same order")
    parser.add_argument("--only", nargs="*", default=None, choices=[kind.__name__ for kind in FAULTS])
    parser.add_argument("--length", type=float, default=1.0, help="below 1 shortens what a fault waits for")
    words = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # with all that is to be cleared away
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: interrupted.set() or print("this round is the last", flush=True))
    seed = random.randrange(2**31) if words.seed is None else words.seed
    print(f"seed {seed}", flush=True)
    kinds = [kind for kind in FAULTS if words.only is None or kind.__name__ in words.only]
    report = run(words.rounds, seed, kinds=kinds, length=words.length, is_loud=True, is_enough=interrupted.is_set)
    print(report.text(), flush=True)
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
