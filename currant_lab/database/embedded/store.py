"""What the embedded server keeps on disk: one directory per major version below the home.

::

    HOME/pg18/            0700, the server's own user
        pgdata/           the cluster
        run/              the socket, when its path is short and plain enough
        log, log.old
        lock              held while somebody starts or stops the server
        lease             held, shared, by every process that uses it
        live              held, shared, by every server process: free means that none is left
        watch             held by the watcher; holds its pid
        state.json        where the socket is, and on which machine the server runs
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs

from currant_lab.database.embedded.account import Account
from currant_lab.database.url import Target
from currant_lab.errors import DatabaseUnavailable

__all__ = ["PORT", "Store", "default_home", "machine", "stores"]

PORT = 5432
"""Part of the socket's name; written everywhere, so that a `PGPORT` of the environment never counts."""

_SOCKET = f".s.PGSQL.{PORT}"
_MAX_SOCKET_PATH = 100  # Linux allows 107 bytes, macOS 103
_MAX_LOG_BYTES = 10 * 1024 * 1024

# Characters that some client or conf file would take apart.
_UNSAFE = frozenset(",'\"\\\n\r\t")


def default_home() -> Path:
    """`/var/lib/currant` for root, whose home directory nobody else may enter; else the user's data directory.

    Raises:
        DatabaseUnavailable: this user has no home directory.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/currant")
    try:
        return platformdirs.user_data_path("currant", appauthor=False)
    except (RuntimeError, KeyError):
        raise DatabaseUnavailable("this user has no home directory: say with CURRANT_HOME where to keep data") from None


def stores(home: Path) -> Iterator[Store]:
    """The stores below a home that have a cluster, newest major first."""
    try:
        found = [Store(path) for path in home.glob("pg*") if path.name[2:].isdecimal() and (path / "pgdata").exists()]
    except PermissionError:
        raise DatabaseUnavailable(f"{home} can't be read by this user: set CURRANT_HOME to another directory") from None
    yield from sorted(found, key=lambda store: store.major, reverse=True)


@dataclass(frozen=True)
class Store:
    """The paths of one store, and the little that is written there beside the cluster."""

    path: Path

    @cached_property
    def major(self) -> int:
        return int(self.path.name.removeprefix("pg"))

    @property
    def data(self) -> Path:
        return self.path / "pgdata"

    @property
    def new_data(self) -> Path:
        return self.path / "pgdata.new"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def lease(self) -> Path:
        return self.path / "lease"

    @property
    def live(self) -> Path:
        return self.path / "live"

    @property
    def watch(self) -> Path:
        return self.path / "watch"

    @property
    def _state_file(self) -> Path:
        return self.path / "state.json"

    def cluster_major(self) -> int | None:
        """The major version that the cluster itself names; None where there is no whole cluster."""
        try:
            return int((self.data / "PG_VERSION").read_text())
        except (OSError, ValueError):
            return None

    def state(self) -> dict[str, Any]:
        """What the one who started the server last has written; empty when unreadable."""
        try:
            loaded = json.loads(self._state_file.read_text())
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def write_state(self, account: Account, socket_directory: Path) -> None:
        """Say where the server of this store listens, and on which machine it runs."""
        account.write(self._state_file, json.dumps({"socket_directory": str(socket_directory), **machine()}))

    def target(self) -> Target | None:
        """How to reach the server, if one has ever been started."""
        directory = self.state().get("socket_directory")
        if not isinstance(directory, str):
            return None
        return Target(hosts=((directory, PORT),), user="postgres", database="postgres", sslmode="disable")

    def answers(self) -> bool:
        """Whether a server listens on the socket. One connect, no round trip."""
        target = self.target()
        if target is None:
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(Path(target.hosts[0][0]) / _SOCKET))
            except OSError:
                return False
        return True

    def watcher_pid(self) -> int | None:
        """The process that watches the server; meaningful only while `watch` is held."""
        try:
            return int(self.watch.read_text())
        except (OSError, ValueError):
            return None

    def remove_stale(self, socket_directory: Path) -> None:
        """Remove what a dead server has left. Only when `live` is free: then no pid in these files means anything,
        be it a stranger's or a zombie's."""
        stale = (self.data / "postmaster.pid", socket_directory / _SOCKET, socket_directory / f"{_SOCKET}.lock")
        for path in stale:
            path.unlink(missing_ok=True)

    def open_log(self) -> int:
        """A descriptor that appends to the log; an old long one is set aside."""
        if self.log.exists() and self.log.lstat().st_size > _MAX_LOG_BYTES:
            self.log.replace(self.path / "log.old")
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:
            owner = self.path.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        return descriptor

    def log_tail(self, since: int = 0, lines: int = 6) -> str:
        """The last lines of the log after byte `since`."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(since, self.log.stat().st_size - 20_000))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def socket_directory(self, account: Account) -> Path:
        """A directory for the socket that only the account can enter, made if need be.

        It is the store's own unless its path is too long or has characters that clients take apart; then one
        in the user's runtime directory or the directory for temporary files. It is named after the user and the
        store, and trusted only as the account's own real directory with mode 0700: else one of a random name is made.

        Raises:
            OSError: it can't be made.
        """
        own = self.path / "run"
        if len(os.fsencode(own / _SOCKET)) <= _MAX_SOCKET_PATH and not _UNSAFE & set(str(own)) and _is_text(own):
            return own if _make_private(own, account) else Path(_random_private(self.path, account))
        name = f"currant-{account.uid}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}"
        for parent in _runtime_directories(account):
            if _make_private(parent / name, account):
                return parent / name
        return Path(_random_private(Path(tempfile.gettempdir()), account))


def machine() -> dict[str, str]:
    """What tells this machine, and this run of it, from others that may share its disk."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return {"host": socket.gethostname(), "boot": boot}


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return str(path).isprintable()


def _runtime_directories(account: Account) -> Iterator[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and not account.switch and account.inside is None and os.access(runtime, os.W_OK | os.X_OK):
        yield Path(runtime)
    temporary = Path(tempfile.gettempdir())
    if len(os.fsencode(temporary)) < 50 and not _UNSAFE & set(str(temporary)):
        yield temporary
    yield Path("/tmp")  # noqa: S108 - what is made there is checked


def _make_private(path: Path, account: Account) -> bool:
    """Make the directory, or find it as it should be; False when somebody else has taken the name."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError:
        return False
    else:
        if account.switch:
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == account.uid and not status.st_mode & 0o077


def _random_private(parent: Path, account: Account) -> str:
    made = tempfile.mkdtemp(prefix=f"currant-{account.uid}-", dir=parent)
    if account.switch:
        os.chown(made, account.uid, account.gid, follow_symlinks=False)
    return made
