"""The server goes away, or throws everybody out."""

from __future__ import annotations

import signal

from tests.chaos.faults.base import Fault


class ConnectionsTerminated(Fault):
    """`pg_terminate_backend` on every connection, again and again."""

    def inject(self) -> None:
        for _ in range(3):
            self.world.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            self.world.sleep(0.7)


class ImmediateRestart(Fault):
    """`pg_ctl restart -m immediate`: no shutdown, and a recovery."""

    leaves_server = False

    def inject(self) -> None:
        self.world.cluster.stop(signal.SIGQUIT)
        self.world.cluster.revive()
        self.world.sleep(1)


class ServerDown(Fault):
    """The server is down for 30 s."""

    leaves_server = False

    def inject(self) -> None:
        self.world.cluster.stop(signal.SIGINT)
        self.world.sleep(30)

    def heal(self) -> None:
        self.world.cluster.revive()
