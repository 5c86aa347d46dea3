"""`python -m tests.benchmarks.workflows [--no-peers | --asleep]`: what workflows cost, and the same by dbos and absurd.

Each figure is a median of several runs on one server (fsync and synchronous_commit on). The workflow that is compared
has steps in place and then waits for a signal: peers have no steps that are executions of their own. It is resumed by a
new process, after the one that had it was killed: from its start to the function's return, the signal sent meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import currant_lab as currant
from currant_lab import job, workflow
from currant_lab.client import current
from currant_lab.database.connect import connect
from currant_lab.loop import background
from tests.benchmarks.peers.environments import PEERS, python_of
from tests.benchmarks.peers.servers import fresh_database, postgres

STEPS = 1_000
FAN = 10_000
SLEEPERS = 10_000
RUNS = 3
SIGNALS = 10
IDLE_S = 20.0


@job
async def noop(x: int) -> int:
    return x


def plain(x: int) -> int:
    return x


async def in_place(x: int) -> int:
    return x


@workflow
async def chain(steps: int) -> int:
    return sum([await noop.run(n) for n in range(steps)])


@workflow
async def calls(steps: int, waits: bool) -> list[float]:
    for n in range(steps):
        await currant.step(in_place, n)
    done = time.time()
    if waits:
        await currant.event("go")
    return [done, time.time()]


@workflow
async def children_then(steps: int) -> float:
    for n in range(steps):
        await noop.run(n)
    await currant.event("go")
    return time.time()


@workflow
async def fan(count: int) -> int:
    return sum(await noop.map_run(range(count)))


@workflow
async def sleeper(x: int) -> None:
    await currant.sleep(3_600)


@workflow
async def waiter(x: int) -> Any:
    return await currant.event("go")


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["own"]:
        own(words[1], *map(int, words[2:]))
        return
    with tempfile.TemporaryDirectory(prefix="currant-bench-") as home:
        Path(home).chmod(0o755)
        os.environ["CURRANT_HOME"] = home
        with currant.start(workers=50):
            if "--asleep" in words:
                sleeping()
                coming_back()
                return
            noop.map(range(5_000)).results()
            chain.submit(100).result()
            report(f"a step of a chain of {STEPS:,} executions", median(one_chain) * 1e3, "ms", "asked < 3")
            report("  of calls in place", median(one_of_calls) * 1e3, "ms")
            fan.submit(FAN).result()
            pairs = [(flat(), fanned()) for _ in range(5)]
            report(f"{FAN:,} flat by map", FAN / statistics.median(pair[0] for pair in pairs), "/s")
            report("  fan-out and fan-in in a workflow", FAN / statistics.median(pair[1] for pair in pairs), "/s")
            report("  ratio", statistics.median(one / two for one, two in pairs), "", "asked >= 0.7")
            report(f"resume with {STEPS:,} finished steps", median(one_resume), "s", "asked < 0.5")
            report("signal to a run that is put away", median(one_signal, SIGNALS) * 1e3, "ms")
            sleeping()
            coming_back()
    if "--no-peers" not in words:
        compare()


def report(name: str, value: float, unit: str, note: str = "") -> None:
    print(f"{name:52} {value:12,.2f} {unit:16} {note}", flush=True)


def median(measure: Callable[[], float], runs: int = RUNS) -> float:
    return statistics.median(measure() for _ in range(runs))


def one_chain() -> float:
    started = time.perf_counter()
    chain.submit(STEPS).result()
    return (time.perf_counter() - started) / STEPS


def one_of_calls() -> float:
    started = time.perf_counter()
    calls.submit(STEPS, False).result()
    return (time.perf_counter() - started) / STEPS


def flat() -> float:
    started = time.perf_counter()
    noop.map(range(FAN)).results()
    return time.perf_counter() - started


def fanned() -> float:
    started = time.perf_counter()
    fan.submit(FAN).result()
    return time.perf_counter() - started


def one_resume(steps: int = STEPS) -> float:
    run = children_then.submit(steps)
    while run.status != "waiting":
        time.sleep(0.05)
    started = time.time()
    run.signal("go")
    return run.result() - started


def one_signal() -> float:
    return one_resume(1)


def sleeping() -> None:
    """Many runs that sleep: what they cost a pool that has nothing else to do."""
    pool = currant.pool()
    idle = background.run(idle_for(IDLE_S))
    before = memory_mb()
    started = time.perf_counter()
    runs = sleeper.map(range(SLEEPERS))
    while pool.stats().running or runs.counts().get("scheduled", 0) < SLEEPERS:
        time.sleep(0.2)
    report(f"{SLEEPERS:,} runs begun and put away", time.perf_counter() - started, "s")
    asleep = background.run(idle_for(IDLE_S))
    for name, one in (("an idle pool", idle), (f"  with {SLEEPERS:,} sleeping runs", asleep)):
        report(name, one[0], "transactions/s")
        report("  processor", one[1] * 100, "% of one")
    report("  memory of the process, more than before", memory_mb() - before, "MB")
    runs.cancel()


def coming_back() -> None:
    """Many runs that are away, and a signal to all of them in one statement."""
    pool = currant.pool()
    runs = waiter.map(range(SLEEPERS))
    while pool.stats().running or runs.counts().get("waiting", 0) < SLEEPERS:
        time.sleep(0.2)
    sent = background.run(signal_all())
    runs.results()
    report(f"{SLEEPERS:,} runs signalled at once and ended", time.perf_counter() - sent, "s", "from the commit on")


async def signal_all() -> float:
    conn = await connect(current.get().database.target, application_name="bench")
    try:
        await conn.execute("SELECT currant.signal(id, 'go') FROM currant.executions WHERE job LIKE '%:waiter'")
        return time.perf_counter()
    finally:
        await conn.close()


async def idle_for(seconds: float) -> tuple[float, float]:
    """Transactions a second of all connections but this one, and this process's share of a processor."""
    conn = await connect(current.get().database.target, application_name="bench")
    try:
        count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        await conn.execute("VACUUM ANALYZE")  # else the server does it by itself, meanwhile
        await asyncio.sleep(12)  # connections that rest tell what they have done only after ten seconds
        await conn.execute("SELECT pg_stat_force_next_flush()")
        before, used = await conn.fetchval(count), time.process_time()
        await asyncio.sleep(seconds)
        share = (time.process_time() - used) / seconds
        await conn.execute("SELECT pg_stat_force_next_flush()")
        return max(await conn.fetchval(count) - before - 2, 0) / seconds, share
    finally:
        await conn.close()


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def own(mode: str, steps: int = 0, signals: int = 0) -> None:
    """What the scripts of the peers do."""
    started = time.time()
    with currant.start(workers=50, name="bench"):
        if mode == "steady":
            calls.submit(50, False).result()
            begun = time.time()
            done, _ = calls.submit(steps, False).result()
            run = calls.submit(steps, True)
            while run.status != "waiting":
                time.sleep(0.1)
            sent = time.time()
            run.signal("go")
            back_s = run.result()[1] - sent
            delays = []
            for _ in range(signals):
                run = calls.submit(1, True)
                time.sleep(1)
                sent = time.time()
                run.signal("go")
                delays.append(run.result()[1] - sent)
            median_ms = statistics.median(delays) * 1e3
            found = {"steps_per_s": steps / (done - begun), "signal_ms": median_ms, "back_s": back_s}
            print(json.dumps(found), flush=True)
        elif mode == "leave":
            run = calls.submit(steps, True)
            while run.status != "waiting":
                time.sleep(0.1)
            print("ready", flush=True)
            time.sleep(600)
        else:
            (run,) = (one for one in currant.executions() if one.status == "waiting")
            run.signal("go")
            print(json.dumps({"resume_s": run.result()[1] - started}), flush=True)


def compare() -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    peers = [peer for peer in PEERS if peer.name in ("dbos", "absurd")]
    scripts = {"Currant Lab": [sys.executable, "-m", "tests.benchmarks.workflows", "own"]}
    for peer in peers:
        python, version = python_of(peer)
        scripts[f"{peer.name} {version}"] = [str(python), str(peer.script.with_name(f"{peer.name}_workflow.py"))]
    with postgres() as target:
        for turn in range(RUNS):
            for name, words in scripts.items():
                url = fresh_database(target, "peer")
                is_own = name == "Currant Lab"
                env = os.environ | {"CURRANT_DATABASE_URL": url}
                if is_own:
                    subprocess.run(
                        [sys.executable, "-m", "currant_lab", "migrate"], env=env, check=True, capture_output=True
                    )
                run = measured(words, env, [] if is_own else [url])
                found.setdefault(name, []).append(run)
                print(f"round {turn + 1}: {name}: {run}", file=sys.stderr, flush=True)
    print("| | steps/s | signal, ms | back with 1,000 steps, s | in a new process, s |\n|---|--:|--:|--:|--:|")
    for name, runs in found.items():
        kept = runs[0].keys()
        column = {key: statistics.median(run[key] for run in runs) for key in kept}
        back = f"{column['back_s']:.3f}" if "back_s" in kept else "never leaves memory"
        print(f"| {name} | {column['steps_per_s']:,.0f} | {column['signal_ms']:,.1f} | {back} ", end="")
        print(f"| {column['resume_s']:.2f} |")


def measured(words: list[str], env: dict[str, str], url: list[str]) -> dict[str, Any]:
    def last_line(*more: str) -> Any:
        done = subprocess.run([*words, *more], env=env, check=True, stdout=subprocess.PIPE, text=True, timeout=300)
        return json.loads(done.stdout.strip().splitlines()[-1])

    found = last_line("steady", *url, str(STEPS), str(SIGNALS))
    with subprocess.Popen([*words, "leave", *url, str(STEPS)], env=env, stdout=subprocess.PIPE, text=True) as left:
        assert left.stdout is not None
        assert "ready" in left.stdout.readline()
        left.kill()
    resumed: dict[str, Any] = found | last_line("resume", *url)
    return resumed


if __name__ == "__main__":
    main()
