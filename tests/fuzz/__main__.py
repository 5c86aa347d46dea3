"""`python -m tests.fuzz SECONDS`: each target in turn, in a process of its own; exit 1 if one finds an input."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris  # `make fuzz` installs it

with atheris.instrument_imports(include=["currant_lab"]):
    from tests.fuzz.targets import SEEDS, TARGETS


def feed(name: str, options: list[str]) -> None:
    atheris.Setup([name, *options], TARGETS[name])
    atheris.Fuzz()


def run(seconds: int) -> int:
    failed = 0
    for name in TARGETS:
        with tempfile.TemporaryDirectory() as corpus:
            for number, seed in enumerate(SEEDS[name]):
                (Path(corpus) / str(number)).write_bytes(seed)
            options = [corpus, f"-max_total_time={seconds}", "-timeout=5", f"-artifact_prefix={corpus}/"]
            done = subprocess.run(
                [sys.executable, "-m", "tests.fuzz", name, *options], capture_output=True, text=True, check=False
            )
        runs = (re.findall(r"Done (\d+) runs", done.stderr) or ["?"])[-1]
        cover = (re.findall(r" cov: (\d+)", done.stderr) or ["?"])[-1]
        found = "FAILED" if done.returncode else "nothing found"
        print(f"{name:8} {runs:>10} inputs in {seconds} s, {cover} edges seen: {found}", flush=True)
        if done.returncode:
            failed = 1
            print(done.stderr[-3000:])
    return failed


if __name__ == "__main__":
    if sys.argv[1] in TARGETS:
        feed(sys.argv[1], sys.argv[2:])
    else:
        sys.exit(run(int(sys.argv[1])))
