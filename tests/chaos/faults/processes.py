"""Processes that are killed, frozen, restarted, or whose clock jumps."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.chaos.faults.base import Fault

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
LEASE_S = 60
"""After so long a lease is dead whatever the lock says (`native/src/rescue.rs`)."""


class Killed(Fault):
    """SIGKILL of a pool in the middle of its work; a service manager starts it again."""

    def inject(self) -> None:
        world = self.world
        world.sleep(1)
        world.kill(world.pools[world.rng.choice(("a", "b"))])
        world.sleep(1)


class Frozen(Fault):
    """SIGSTOP for longer than the lease, then SIGCONT: what the frozen one held is given to others, its outcomes are
    refused. In the short form the lease is aged by hand instead of waiting for a minute: nobody else renews it."""

    def inject(self) -> None:
        world = self.world
        held = world.directory / f"let-go-{time.time_ns()}"
        world.add_pool("frozen", world.cluster.url, queue="frozen")
        world.await_started("frozen")
        pool = world.pools["frozen"]
        id = str(world.sql(
            "SELECT currant.submit('tests.chaos.jobs:patient', jsonb_build_array(1, $1::text), 'frozen') AS id", str(held)
        )[0]["id"].hex())  # fmt: skip
        world.until("the begin", lambda: f"begin {id} 1" in (world.directory / "trace").read_text())
        os.kill(pool.pid, signal.SIGSTOP)
        if world.length < 1:
            world.sql("UPDATE currant.pools SET seen_at = seen_at - $1 * interval '1 s' WHERE pid = $2", LEASE_S, pool.pid)
        world.until("the rescue", lambda: world.sql(
            "SELECT FROM public.moves WHERE id = $1 AND was = 'running' AND now = 'pending'", bytes.fromhex(id)
        ))  # fmt: skip
        held.touch()
        world.sleep(1)
        os.kill(pool.pid, signal.SIGCONT)
        # The same pool, under another id by now, runs it again: its first attempt had lost its claim.
        world.until("the end", lambda: world.sql("SELECT FROM currant.history WHERE id = $1", bytes.fromhex(id)))
        token = world.sql("SELECT token FROM currant.history WHERE id = $1", bytes.fromhex(id))[0]["token"]
        assert token == 2, f"the stale attempt's outcome was accepted: token {token}"
        world.drop_pool("frozen")


class KernelRestart(Fault):
    """A notebook's kernel is killed and started again, and its pool begins under the same name."""

    def inject(self) -> None:
        from jupyter_client.manager import start_new_kernel

        world = self.world
        start = (
            "import sys, currant_lab as currant; from tests.chaos import jobs; "
            "currant.start(workers=4, name='kernel', queues=['default'])"
        )
        with (world.directory / "kernel").open("ab") as log:
            manager, client = start_new_kernel(env=world.env(world.cluster.url), stdout=log, stderr=log)
            try:
                assert client.execute_interactive(start, timeout=60)["content"]["status"] == "ok"
                world.sleep(1)
                pid = int(manager.provisioner.pid)
                world.deaths[pid] = time.time()
                manager.restart_kernel(now=True)
                client.wait_for_ready(timeout=60)
                assert client.execute_interactive(start, timeout=60)["content"]["status"] == "ok"
                world.sleep(1)
                world.deaths[int(manager.provisioner.pid)] = time.time()
            finally:
                client.stop_channels()
                manager.shutdown_kernel(now=True)


class ClockJump(Fault):
    """A pool's clock jumps an hour ahead, then two back, while it works."""

    def inject(self) -> None:
        world = self.world
        assert Path(FAKETIME).exists(), "libfaketime is needed by this fault: `apt-get install faketime`"
        clock = world.directory / "clock"
        clock.write_text("+0\n")
        world.add_pool(
            "jumping", world.cluster.url,
            LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1", DONT_FAKE_MONOTONIC="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )  # fmt: skip
        world.await_started("jumping")
        for jump in ("+3600\n", "-3600\n"):
            clock.write_text(jump)
            before = self._claims()
            world.until("claims under another clock", lambda before=before: self._claims() > before + 10)  # type: ignore[misc]
        world.drop_pool("jumping")

    def _claims(self) -> int:
        pool = self.world.pools["jumping"]
        found = self.world.sql(
            "SELECT count(*) AS n FROM public.moves WHERE now = 'running'"
            " AND pool = (SELECT id FROM currant.pools WHERE pid = $1)", pool.pid
        )  # fmt: skip
        return int(found[0]["n"])
