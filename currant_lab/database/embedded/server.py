"""`EmbeddedServer`: a PostgreSQL of one's own, shared by the processes that hold a lease on its store."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

from currant_lab.database.embedded.binaries import find_binaries, major_of
from currant_lab.database.embedded.store import Store, server_account
from currant_lab.database.url import Target, parse
from currant_lab.errors import DatabaseUnavailable

__all__ = ["EmbeddedServer"]

_CONF = """\
# Written anew at each start. Only a Unix socket, and the store's directory lets nobody else in.
listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
unix_socket_directories = '{socket}'
shared_buffers = 64MB
max_connections = 100
fsync = on
synchronous_commit = on
wal_level = minimal
max_wal_senders = 0
max_wal_size = 512MB
jit = off
timezone = UTC
lc_messages = C
logging_collector = off
"""

_leases: dict[Path, int] = {}
_lock = threading.Lock()


class EmbeddedServer:
    """The server of one home. Harmless to make; `start` does the work.

    Args:
        home: where the store is; None means the platform's place for it.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._store = Store.in_home(home)

    @property
    def where(self) -> Path:
        """The store."""
        return self._store.path

    @property
    def is_running(self) -> bool:
        """Whether the server answers."""
        return self._store.data.exists() and self._ctl("status").returncode == 0

    def start(self) -> Target:
        """Start the server if it doesn't run, and keep a lease on it until this process ends. Blocks.

        Raises:
            DatabaseUnavailable: it can't start, and why.
        """
        self._store.prepare()
        self._take_lease()
        with self._store.locked("lock"):
            if not self._store.data.exists():
                self._initialize()
            self._check_major()
            if self._ctl("status").returncode != 0:
                self._launch()
        return parse(f"postgresql://postgres@/postgres?host={self._quoted()}&port=5432&sslmode=disable")

    def stop(self) -> None:
        """Stop the server if no other process holds a lease. Harmless when it doesn't run."""
        if not self._store.path.exists():
            return
        with self._store.locked("lock"):
            self._drop_lease()
            with self._store.locked("lease", wait=False) as last:
                if last is not None and self._ctl("status").returncode == 0:
                    self._ctl("stop", "-m", "fast", "-w")

    def _take_lease(self) -> None:
        with _lock:
            if self._store.path not in _leases:
                descriptor = os.open(self._store.path / "lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(descriptor, fcntl.LOCK_SH)
                _leases[self._store.path] = descriptor

    def _drop_lease(self) -> None:
        with _lock:
            descriptor = _leases.pop(self._store.path, None)
            if descriptor is not None:
                os.close(descriptor)

    def _initialize(self) -> None:
        new = self._store.path / "pgdata.new"
        shutil.rmtree(new, ignore_errors=True)
        binaries = find_binaries()
        provider = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if major_of(binaries) >= 17
            else ["--locale=C.UTF-8"]
        )
        done = self._run(binaries / "initdb", "-D", str(new), "-U", "postgres", "-A", "trust", "-E", "UTF8", *provider)
        if done.returncode != 0:
            raise DatabaseUnavailable(f"the embedded server's store could not be made: {_last_words(done)}")
        with (new / "postgresql.conf").open("a") as conf:
            conf.write("include 'managed.conf'\n")
        new.rename(self._store.data)

    def _check_major(self) -> None:
        stored = int((self._store.data / "PG_VERSION").read_text().strip())
        if major_of(find_binaries()) != stored:
            find_binaries(stored)  # raises, and says which version is missing

    def _launch(self) -> None:
        socket = str(self._store.path).replace("'", "''")
        conf = _CONF.format(socket=f'"{socket}"' if "," in socket else socket)
        if self._major() >= 18:
            conf += "io_method = sync\n"
        (self._store.data / "managed.conf").write_text(conf)
        started = self._ctl("start", "-w", "-t", "60", "-l", str(self._store.log))
        if started.returncode != 0:
            log = self._store.log.read_text(errors="replace")[-2000:] if self._store.log.exists() else ""
            raise DatabaseUnavailable(f"the embedded server did not start: {log.strip() or _last_words(started)}")

    def _major(self) -> int:
        return int((self._store.data / "PG_VERSION").read_text().strip())

    def _ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run(find_binaries(self._major()) / "pg_ctl", *words, "-D", str(self._store.data))

    def _run(self, program: Path, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.run(
            [program, *words],
            env=environment | {"LC_ALL": "C"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if "start" not in words else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if "start" not in words else subprocess.DEVNULL,
            text=True,
            check=False,
            start_new_session=True,
            **_as_server(),
        )

    def _quoted(self) -> str:
        from urllib.parse import quote

        return quote(str(self._store.path), safe="")


def _as_server() -> dict[str, Any]:
    account = server_account()
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stdout or "").strip()[-1000:] or f"exit code {done.returncode}"


