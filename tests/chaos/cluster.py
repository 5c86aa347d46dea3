"""A cluster whose disk can be full."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from tests.servers import Cluster

CONF = """
deadlock_timeout = 100ms
max_connections = 60
max_wal_size = 64MB
min_wal_size = 32MB
"""

ROOM = "3g"


class ChaosCluster(Cluster):
    """Its data lie on a file system of their own where that can be had, which takes root."""

    def __init__(self) -> None:
        self._is_mounted = False
        super().__init__("postgres18", CONF)

    def _init(self, conf: str, hba: str) -> None:
        self.data.mkdir(mode=0o700)
        if self._user:
            os.chown(self.data, *self._user)
        owner = f",uid={self._user[0]},gid={self._user[1]}" if self._user else ""
        words = ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700{owner}", "currant-chaos", self.data]
        with contextlib.suppress(OSError):
            self._is_mounted = subprocess.run(words, check=False, capture_output=True).returncode == 0
        super()._init(conf, hba)

    def fill_disk(self) -> bool:
        """From now on nothing can grow. False: by a limit on the size of files, as there is no small disk here."""
        if self._is_mounted:
            used = int(subprocess.check_output(["df", "--output=used", "-k", self.data]).split()[-1])
            subprocess.run(["mount", "-o", f"remount,size={used + 64}k", self.data], check=True)
            return True
        self._limit_files()
        return False

    def clear_disk(self) -> None:
        if self._is_mounted:
            subprocess.run(["mount", "-o", f"remount,size={ROOM}", self.data], check=True)
        elif self.is_up:
            self.stop(signal.SIGQUIT)  # one that is started anew has no limit

    def _limit_files(self) -> None:
        """As the server's own user: root in a container may not."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (str(self.pid), *children):
            words = ["prlimit", "--pid", pid, "--fsize=65536:unlimited"]
            subprocess.run(words, check=False, capture_output=True, **self._identity())  # type: ignore[call-overload]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def revive(self) -> None:
        """Start the server if it has fallen over."""
        if not self.is_up:
            self._process = None
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            self.start()

    def destroy(self) -> None:
        self.stop(signal.SIGQUIT)
        if self._is_mounted:
            subprocess.run(["umount", "--lazy", self.data], check=True)
        super().destroy()
