"""The network between a pool and the server: cut, slow, half-open, or split between two hosts."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from currant_lab.loop import background
from tests.chaos.faults.base import Fault
from tests.chaos.faults.processes import Held
from tests.chaos.world import World
from tests.client.proxy import Wire


class ConnectionsCut(Fault):
    """All connections of a pool and of the producer are cut, and none is taken for a while."""

    leaves_server = False

    def inject(self) -> None:
        wire = self.world.wire
        for _ in range(3):
            background.run(wire.cut())
            self.world.sleep(0.5)
            wire.is_cut = False
            self.world.sleep(1)

    def heal(self) -> None:
        self.world.wire.is_cut = False


class ConnectionsDelayed(Fault):
    """Each message takes 50 ms, each way."""

    leaves_server = False
    is_lasting = True

    def inject(self) -> None:
        self.world.wire.delay_s = 0.05
        self.world.sleep(3)

    def heal(self) -> None:
        self.world.wire.delay_s = 0.0


class HalfOpen(Fault):
    """What is sent gets lost, and nobody is told. Then new connections go through, and the old ones stay as they are:
    their server processes hold locks for a client that has gone."""

    leaves_server = False

    def inject(self) -> None:
        self.world.wire.is_dead = True
        self.world.sleep(12)
        self.world.wire.is_dead = False
        self.world.sleep(2)

    def heal(self) -> None:
        self.world.wire.is_dead = False


class NetworkSplit(Fault):
    """A pool on another host (namespaces of its own for network, processes and host name) is cut off for longer than
    its lease: what it held runs elsewhere, and what it brings when it is back is refused.

    Where the kernel grants no namespaces the pool is behind a wire that has died, which is not the same: the driver
    says so.
    """

    leaves_server = False

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._link: Link | None = None

    def inject(self) -> None:
        world = self.world
        self._link = link = Link.make(world)
        world.add_pool("far", link.url, queue="split", prefix=link.prefix)
        world.await_started("far")
        held = Held(world, "split")
        link.down()
        if world.length < 1:
            world.age_lease("far")
        held.until_rescued()
        world.add_pool("near", world.cluster.url, queue="split")
        held.let_go()
        held.until_ended_by_another()
        link.up()
        # It comes back, finds itself declared lost, and works on under another id.
        (row,) = world.sql("SELECT count(*) AS n FROM currant.pools WHERE name = 'far'")
        if not link.is_pretended:
            world.until(
                "the return of the one that was cut off",
                lambda: world.sql("SELECT count(*) AS n FROM currant.pools WHERE name = 'far'")[0]["n"] > row["n"],
            )
        world.drop_pool("near")
        world.drop_pool("far")

    def heal(self) -> None:
        if self._link is not None:
            self._link.remove()


class Link:
    """A cable to another host that can be pulled."""

    is_pretended = False

    def __init__(self, world: World) -> None:
        self._number = os.getpid() % 200
        self._space = f"currant{self._number}"
        self._near, self._far = f"cn{self._number}", f"cf{self._number}"
        _ip("netns", "add", self._space)
        _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._space)
        _ip("address", "add", f"10.213.{self._number}.1/24", "dev", self._near)
        _ip("link", "set", self._near, "up")
        _ip("-n", self._space, "address", "add", f"10.213.{self._number}.2/24", "dev", self._far)
        _ip("-n", self._space, "link", "set", self._far, "up")
        self._wire = background.run(Wire(world.cluster.port, f"10.213.{self._number}.1").open())
        self.url = f"postgresql://postgres@10.213.{self._number}.1:{self._wire.port}/postgres?sslmode=disable"
        self.prefix = (
            "ip", "netns", "exec", self._space,
            "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts",
            "sh", "-c", 'hostname far && exec "$@"', "sh",
        )  # fmt: skip

    @classmethod
    def make(cls, world: World) -> Link:
        try:
            return cls(world)
        except (OSError, subprocess.CalledProcessError) as error:
            world.say(f"NO NETWORK NAMESPACES HERE ({error}): a dead wire stands in for the split between hosts")
            return PretendedLink(world)

    def down(self) -> None:
        """Pull it: packets vanish, and nobody is told."""
        _ip("-n", self._space, "link", "set", self._far, "down")

    def up(self) -> None:
        _ip("-n", self._space, "link", "set", self._far, "up")

    def remove(self) -> None:
        background.run(self._wire.close())
        _ip("netns", "delete", self._space)
        deadline = time.monotonic() + 10
        while os.path.exists(f"/sys/class/net/{self._near}") and time.monotonic() < deadline:  # noqa: PTH110
            time.sleep(0.02)


class PretendedLink(Link):
    is_pretended = True

    def __init__(self, world: World) -> None:
        self._wire = background.run(Wire(world.cluster.port).open())
        self.url = f"postgresql://postgres@127.0.0.1:{self._wire.port}/postgres?sslmode=disable"
        self.prefix = ()

    def down(self) -> None:
        self._wire.is_dead = True

    def up(self) -> None:
        self._wire.is_dead = False

    def remove(self) -> None:
        background.run(self._wire.close())


def _ip(*words: str) -> None:
    program = shutil.which("ip") or "/usr/sbin/ip"
    subprocess.run([program, *words], check=True, capture_output=True)
