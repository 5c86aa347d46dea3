"""Handlers that are bad neighbours."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from pathlib import Path

from tests.chaos.faults.base import Fault

PAGE = resource.getpagesize()


class Group:
    """A control group with a limit to its memory: the kernel's own killer ends what grows beyond it."""

    FILES = (("memory", "memory.limit_in_bytes", "memory.oom_control"), ("", "memory.max", "memory.events"))

    def __init__(self, path: Path, events: str) -> None:
        self.path = path
        self._events = path / events

    @classmethod
    def make(cls, limit: int) -> Group | None:
        for folder, name, events in cls.FILES:
            path = Path("/sys/fs/cgroup") / folder / f"currant-chaos-{time.time_ns()}"
            try:
                path.mkdir()
            except OSError:
                continue
            try:
                (path / name).write_text(str(limit))
                with contextlib.suppress(OSError):
                    (path / "memory.swap.max").write_text("0")
                return cls(path, events)
            except OSError:
                path.rmdir()
        return None

    def kills(self) -> int:
        words = self._events.read_text().split()
        return int(words[words.index("oom_kill") + 1])

    def remove(self) -> None:
        self.path.rmdir()


class GilHeld(Fault):
    """A handler holds the GIL for 20 s: nothing of Python moves in its pool, and its lease goes on."""

    def inject(self) -> None:
        world = self.world
        seconds = max(3.0, 20.0 * world.length)
        (row,) = world.sql(
            "SELECT currant.submit('tests.chaos.jobs:hog', jsonb_build_array(1, $1::float)) AS id", seconds
        )
        world.until("its end", lambda: world.sql("SELECT FROM currant.history WHERE id = $1", row["id"]))
        (end,) = world.sql("SELECT rescues, attempt FROM currant.history WHERE id = $1", row["id"])
        if not world.is_mixed:
            assert (end["rescues"], end["attempt"]) == (0, 1), "a pool that was only slow was robbed"


class DoomedHandler(Fault):
    """A handler kills its process every time: it ends as failed, and those that ran beside it succeed."""

    def inject(self) -> None:
        world = self.world
        world.expected["doomed"] = "failed"
        world.add_pool("cursed", world.cluster.url, queue="cursed")
        world.await_started("cursed")
        world.sql(
            "SELECT currant.submit('tests.chaos.jobs:' || CASE WHEN n IN (0, 9) THEN 'doomed' ELSE 'slow' END,"
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
    """A handler takes more memory than there is, and its pool is killed for it: it ends as failed, its neighbours
    don't. Where memory control groups can be had (as root) the kernel's own killer does it; elsewhere a watcher."""

    LIMIT = 300 * 1024 * 1024

    def inject(self) -> None:
        world = self.world
        world.expected["glutton"] = "failed"
        group = Group.make(self.LIMIT)
        if group is None:
            world.say("NO MEMORY CONTROL GROUPS HERE: a watcher's SIGKILL stands in for the kernel's")
        prefix = ("sh", "-c", f'echo $$ > {group.path}/cgroup.procs && exec "$@"', "sh") if group else ()
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
            world.note_reached("killed by the kernel for memory", group.kills())
            group.remove()
        else:
            watcher.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(0.02):
            pool = self.world.pools.get("fat")
            if pool is None:
                return
            with contextlib.suppress(OSError):
                if int(Path(f"/proc/{pool.pid}/statm").read_text().split()[1]) * PAGE > self.LIMIT:
                    pool.kill()
