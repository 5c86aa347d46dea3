"""The directory of an embedded server: its data, socket, log and lock files, all for its owner alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from currant_lab.errors import DatabaseUnavailable

__all__ = ["Store", "server_account"]


@dataclass(frozen=True, slots=True)
class Store:
    """One major version's store below a home."""

    path: Path

    @classmethod
    def in_home(cls, home: Path | None) -> Store:
        """The store below `home`, by default the platform's place for data; root's is under /var/lib."""
        if home is None:
            home = Path("/var/lib/currant") if os.geteuid() == 0 else Path(platformdirs.user_data_dir("currant"))
        return cls(home.absolute() / "pg18")

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "pgdata"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.path / "server.log"

    def prepare(self) -> None:
        """Make the directory, 0700, and give a root's to the server's account.

        Raises:
            DatabaseUnavailable: it is somebody else's, or can't be made.
        """
        account = server_account()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if account is not None and self.path.stat().st_uid == 0:
                os.chown(self.path, account.pw_uid, account.pw_gid)
            status = self.path.lstat()
        except OSError as error:
            raise DatabaseUnavailable(f"the embedded server's store {self.path} can't be used: {error}") from None
        owner = os.geteuid() if account is None else account.pw_uid
        if status.st_uid != owner or status.st_mode & 0o077:
            raise DatabaseUnavailable(
                f"the embedded server's store {self.path} belongs to user {status.st_uid} with mode "
                f"{status.st_mode & 0o777:o}: it must be its owner's alone. Set CURRANT_HOME to another place"
            )

    @contextlib.contextmanager
    def locked(self, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[int | None]:
        """Hold a lock file of the store; yields its descriptor, or None where `wait` is false and it is taken.

        A new descriptor each time: threads of one process exclude each other too.
        """
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield None
            else:
                yield descriptor
        finally:
            os.close(descriptor)


def server_account() -> pwd.struct_passwd | None:
    """The account that runs the server for root, since PostgreSQL refuses root; None for everybody else."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise DatabaseUnavailable("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it")
