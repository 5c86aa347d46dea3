"""Processes that are killed, frozen, restarted, or whose clock jumps."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from pathlib import Path

from tests.chaos.faults.base import Fault
from tests.chaos.world import World


class Killed(Fault):
    """SIGKILL of a pool in the middle of its work; a service manager starts it again."""

    def inject(self) -> None:
        world = self.world
        name = world.rng.choice(("a", "b"))
        world.until("something that runs", lambda: world.sql(
            "SELECT FROM currant.executions JOIN currant.pools ON pools.id = claimed_by"
            " WHERE pid = $1 AND job LIKE '%slow'",
            world.pools[name].pid,
        ))  # fmt: skip
        world.kill(world.pools[name])
        world.sleep(1)


class Held:
    """An execution whose handler runs until it may end, begun by now in a queue of its own."""

    def __init__(self, world: World, queue: str) -> None:
        self._world = world
        self._file = world.directory / f"let-go-{time.time_ns()}"
        (row,) = world.sql(
            "SELECT currant.submit('tests.chaos.jobs:patient', jsonb_build_array(1, $1::text), $2) AS id",
            str(self._file), queue,
        )  # fmt: skip
        self.id: bytes = row["id"]
        world.until("the begin", lambda: f"begin {self.id.hex()} " in world.tail("trace"))

    def until_rescued(self) -> None:
        self._world.until("the rescue", lambda: self._world.sql(
            "SELECT FROM public.moves WHERE id = $1 AND was = 'running' AND now = 'pending'", self.id
        ))  # fmt: skip

    def let_go(self) -> None:
        self._file.touch()

    def until_ended_by_another(self) -> None:
        """It ends, and not by its first attempt, which had lost its claim."""
        world = self._world
        world.until("the end", lambda: world.sql("SELECT FROM currant.history WHERE id = $1", self.id))
        (row,) = world.sql("SELECT token FROM currant.history WHERE id = $1", self.id)
        assert row["token"] >= 2, f"the stale attempt's outcome was accepted: token {row['token']}"


class Frozen(Fault):
    """SIGSTOP for longer than the lease, then SIGCONT: what the frozen one held is given to others, its outcomes are
    refused. In the short form the lease is aged by hand instead of waiting for a minute."""

    def inject(self) -> None:
        world = self.world
        world.add_pool("frozen", world.cluster.url, queue="frozen")
        world.await_started("frozen")
        pool = world.pools["frozen"]
        world.sql(  # runs of a workflow too: their steps are written by a process that has lost them
            "SELECT currant.submit('tests.chaos.flows:part', jsonb_build_array(n), 'frozen')"
            " FROM generate_series(1, 5) AS n"
        )
        held = Held(world, "frozen")
        os.kill(pool.pid, signal.SIGSTOP)
        if world.length < 1:
            world.age_lease("frozen")
        held.until_rescued()
        held.let_go()
        world.sleep(1)
        os.kill(pool.pid, signal.SIGCONT)
        # The same process, under another id by now, runs it again.
        held.until_ended_by_another()
        world.until(
            "the end of the frozen queue",
            lambda: not world.sql("SELECT FROM currant.executions WHERE queue = 'frozen'"),
        )
        world.drop_pool("frozen")


class KernelRestart(Fault):
    """A notebook's kernel is killed and started again, and its pool begins under the same name."""

    def inject(self) -> None:
        from jupyter_client.manager import start_new_kernel

        world = self.world
        start = (
            "import sys, currant_lab as currant; from tests.chaos import chains, flows, jobs; "
            "currant.start(workers=4, name='kernel', queues=['default'])"
        )
        with (world.directory / "kernel").open("ab") as log:
            manager, client = start_new_kernel(env=world.env(world.cluster.url), stdout=log, stderr=log)
            try:
                assert client.execute_interactive(start, timeout=60)["content"]["status"] == "ok"
                world.sleep(1)
                world.deaths[int(manager.provisioner.pid)] = time.time()
                manager.restart_kernel(now=True)
                client.wait_for_ready(timeout=60)
                assert client.execute_interactive(start, timeout=60)["content"]["status"] == "ok"
                world.sleep(1)
                world.deaths[int(manager.provisioner.pid)] = time.time()
            finally:
                client.stop_channels()
                manager.shutdown_kernel(now=True)


class ClockJump(Fault):
    """The clock of a pool and of a producer jumps an hour ahead, then two back, while they work."""

    def inject(self) -> None:
        world = self.world
        clock = world.directory / f"clock-{time.time_ns()}"
        clock.write_bytes(struct.pack("q", 0))
        env = {"LD_PRELOAD": str(_library(world.directory)), "CHAOS_CLOCK": str(clock)}
        world.add_pool("jumping", world.cluster.url, **env)
        world.await_started("jumping")
        for shift in (3600, -3600):
            with clock.open("r+b") as file:
                file.write(struct.pack("q", shift))
            # A new one each time: within a process ids only grow, whatever the clock does.
            world.add_producer("jumping", **env)
            claims, acks = self._claims(), self._acks(shift)
            world.until("claims under another clock", lambda claims=claims: self._claims() > claims + 10)  # type: ignore[misc]
            world.until("ids of another clock", lambda acks=acks, shift=shift: self._acks(shift) > acks)  # type: ignore[misc]
            world.drop_producer("jumping")
        world.drop_pool("jumping")

    def _claims(self) -> int:
        pool = self.world.pools["jumping"]
        (row,) = self.world.sql(
            "SELECT count(*) AS n FROM public.moves WHERE now = 'running'"
            " AND pool IN (SELECT id FROM currant.pools WHERE pid = $1)", pool.pid
        )  # fmt: skip
        return int(row["n"])

    def _acks(self, shift: int) -> int:
        """Acknowledged ids that are of another hour."""
        lines = self.world.tail("acks", 30_000).splitlines()[1:]
        seconds = [int(line[:8] + line[9:13], 16) / 1000 for line in lines]
        return sum(abs(second - time.time() - shift) < 600 for second in seconds)


def _library(directory: Path) -> Path:
    """The library that shifts a process's clock, compiled with the compiler that Rust links with."""
    made = directory / "clock.so"
    if not made.exists():
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return made
