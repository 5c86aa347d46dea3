"""Handlers that are bad neighbours."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

from tests.chaos.faults.base import Fault

CGROUP = Path("/sys/fs/cgroup/memory")


class GilHeld(Fault):
    """A handler holds the GIL for 20 s: nothing of Python moves in its pool, and its lease goes on."""

    def inject(self) -> None:
        world = self.world
        seconds = max(3.0, 20.0 * world.length)
        (row,) = world.sql("SELECT currant.submit('tests.chaos.jobs:hog', jsonb_build_array(1, $1::float)) AS id", seconds)
        world.until("its end", lambda: world.sql("SELECT FROM currant.history WHERE id = $1", row["id"]))
        (end,) = world.sql("SELECT rescues, attempt FROM currant.history WHERE id = $1", row["id"])
        assert (end["rescues"], end["attempt"]) == (0, 1), "a pool that was only slow was robbed"


class DoomedHandler(Fault):
    """A handler kills its process every time: it ends as failed, and those that ran beside it succeed."""

    def inject(self) -> None:
        world = self.world
        world.expected["doomed"] = "failed"
        world.add_pool("cursed", world.cluster.url, queue="cursed")
        world.await_started("cursed")
        world.sql(
            "SELECT currant.submit('tests.chaos.jobs:' || CASE n WHEN 0 THEN 'doomed' WHEN 9 THEN 'doomed' ELSE 'slow' END,"
            " jsonb_build_array(n), 'cursed') FROM generate_series(0, 12) AS n"
        )  # fmt: skip
        world.until(
            "the end of the cursed queue",
            lambda: not world.sql("SELECT FROM currant.executions WHERE queue = 'cursed'"),
        )
        ends = world.sql("SELECT DISTINCT attempt FROM currant.history WHERE job = 'tests.chaos.jobs:doomed'")
        assert {row["attempt"] for row in ends} == {4}, ends
        world.drop_pool("cursed")


class OutOfMemory(Fault):
    """A handler takes more memory than there is. Where memory control groups can be had (as root) the kernel's own
    killer ends the pool; elsewhere a watcher kills it when it has grown too large."""

    LIMIT = 300 * 1024 * 1024

    def inject(self) -> None:
        world = self.world
        world.expected["glutton"] = "failed"
        group = self._group()
        prefix = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh") if group else ()
        world.add_pool("fat", world.cluster.url, queue="fat", prefix=prefix)
        world.await_started("fat")
        world.sql(
            "SELECT currant.submit('tests.chaos.jobs:' || CASE n WHEN 1 THEN 'glutton' ELSE 'plain' END,"
            " jsonb_build_array(n), 'fat') FROM generate_series(0, 3) AS n"
        )  # fmt: skip
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,))
        if not group:
            watcher.start()
        world.until("its end", lambda: not world.sql("SELECT FROM currant.executions WHERE queue = 'fat'"))
        done.set()
        world.drop_pool("fat")
        if group:
            killed = int((group / "memory.oom_control").read_text().partition("oom_kill ")[2] or 0)
            world.faults["(killed by the kernel for memory)"] += killed
            group.rmdir()
        else:
            watcher.join()

    def _group(self) -> Path | None:
        group = CGROUP / f"currant-chaos-{time.time_ns()}"
        try:
            group.mkdir()
            (group / "memory.limit_in_bytes").write_text(str(self.LIMIT))
        except OSError:
            return None
        return group

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(0.02):
            pool = self.world.pools["fat"]
            size = subprocess.run(["ps", "-o", "rss=", "-p", str(pool.pid)], capture_output=True, text=True, check=False)
            if int(size.stdout.strip() or 0) * 1024 > self.LIMIT:
                pool.kill()
