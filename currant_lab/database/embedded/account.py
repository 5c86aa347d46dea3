"""Whom the server runs as. Never root, which PostgreSQL refuses; and no file that isn't the store's is changed."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from currant_lab.database.embedded.binaries import Binaries, clean_environment, copy_to
from currant_lab.errors import DatabaseUnavailable

__all__ = ["Account", "choose", "owner_of", "settle_in"]

_SYSTEM_USERS = ("postgres", "nobody")
_SCRIPT = Path(__file__).with_name("namespace.py")


@dataclass(frozen=True, slots=True)
class Account:
    """A way to run a program: as this user, as another one (root only), or in a user namespace.

    Attributes:
        uid: whom the store's files belong to.
        gid: their group.
        switch: become `uid` before the program starts.
        inside: in a namespace, the user's number there; None without one.
    """

    uid: int
    gid: int
    switch: bool = False
    inside: int | None = None

    def command(self, program: Path, *arguments: str | Path, parents_death: int = 0) -> list[str]:
        """The command line. `parents_death` is the signal to get when the starting process dies; it counts in a
        namespace only, where the starting process can't see to it itself."""
        words = [str(program), *map(str, arguments)]
        if self.inside is None:
            return words
        return [sys.executable, "-I", "-S", str(_SCRIPT), str(self.inside), str(parents_death), *words]

    def popen_args(self) -> dict[str, Any]:
        """What `subprocess` needs to know for it."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def run(self, program: Path, *arguments: str | Path, timeout: float) -> subprocess.CompletedProcess[bytes]:
        """Run one of PostgreSQL's programs to its end.

        Raises:
            OSError, subprocess.SubprocessError: it could not even be started, or took too long.
        """
        return subprocess.run(
            self.command(program, *arguments),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            cwd="/",
            timeout=timeout,
            check=False,
            **self.popen_args(),
        )

    def write(self, path: Path, text: str) -> None:
        """Write a file as this account, so that root never follows a link that the account has laid.

        Raises:
            OSError: it can't be written.
        """
        if not self.switch:
            path.write_text(text, encoding="utf-8", errors="surrogateescape")
            return
        done = subprocess.run(
            ["/bin/sh", "-c", 'umask 077; cat > "$1"', "sh", str(path)],
            input=text.encode(errors="surrogateescape"),
            capture_output=True,
            check=False,
            **self.popen_args(),
        )
        if done.returncode:
            raise OSError(done.stderr.decode(errors="replace").strip())

    def reaches(self, program: Path, *arguments: str | Path) -> bool:
        """Whether the program runs, tried out: the modes of ten directories above it don't tell the truth."""
        try:
            return self.run(program, *arguments, timeout=20).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False


def owner_of(directory: Path) -> Account:
    """The account that an existing store keeps.

    Raises:
        DatabaseUnavailable: it belongs to somebody else.
    """
    status = directory.stat()
    me = os.geteuid()
    if me == 0 and status.st_uid != 0:
        return Account(status.st_uid, status.st_gid, switch=True)
    if status.st_uid != me:
        raise DatabaseUnavailable(
            f"the embedded database in {directory} belongs to another user (uid {status.st_uid}): "
            "set CURRANT_HOME to a directory of your own"
        )
    if me == 0 or not _has_name(me):
        return _in_namespace()
    return Account(me, os.getegid())


def choose(directory: Path, binaries: Binaries) -> tuple[Account, Binaries]:
    """Whom a new store shall belong to, and the binaries that this user can run.

    Args:
        directory: the store's directory, new and still this user's own; handed over to the account.
        binaries: what to run; copied into the store where the account can't reach them.

    Raises:
        DatabaseUnavailable: there is no way; what can be done.
    """
    if os.geteuid() == 0:
        for account in _system_accounts():
            os.chown(directory, account.uid, account.gid)
            if account.reaches(Path("/bin/sh"), "-c", 'cd "$1" && test -w .', "sh", directory):
                return account, settle_in(account, directory, binaries)
        os.chown(directory, 0, 0)
    account = owner_of(directory)
    return account, settle_in(account, directory, binaries)


def settle_in(account: Account, directory: Path, binaries: Binaries) -> Binaries:
    """The binaries, or a copy of them in the store where the account can't reach the original.

    Raises:
        DatabaseUnavailable: they don't run in either place.
    """
    if account.reaches(binaries.bin / "postgres", "--version"):
        return binaries
    if account.inside is not None:
        raise _no_way()
    try:
        # Beside the store, not in it: root writes nothing where another user could have laid a link.
        programs = directory.parent / f"programs{binaries.major}"
        programs.mkdir(mode=0o755, exist_ok=True)
        copied = copy_to(binaries, programs)
    except OSError as error:
        raise DatabaseUnavailable(f"PostgreSQL's programs can't be copied to {directory}: {error}") from None
    if account.reaches(copied.bin / "postgres", "--version"):
        return copied
    raise DatabaseUnavailable(f"{binaries} doesn't run here as user {account.uid}")


def _system_accounts() -> list[Account]:
    accounts = []
    for name in _SYSTEM_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        accounts.append(Account(entry.pw_uid, entry.pw_gid, switch=True))
    return accounts


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _in_namespace() -> Account:
    """Any user with a passwd entry will do inside; the overflow user would hide whose files are whose."""
    inside = next((entry.pw_uid for entry in pwd.getpwall() if 0 < entry.pw_uid < 65534), None)
    if inside is None or sys.platform != "linux":
        raise _no_way()
    return Account(os.geteuid(), os.getegid(), inside=inside)


def _no_way() -> DatabaseUnavailable:
    if os.geteuid() == 0:
        why = "PostgreSQL doesn't run as root, neither user postgres nor nobody can reach the store"
    else:
        why = f"PostgreSQL's initdb needs a user with a name, and uid {os.geteuid()} has none"
    return DatabaseUnavailable(
        f"the embedded database can't run as this user: {why}, and user namespaces aren't allowed here. "
        "Run as an ordinary user, set CURRANT_HOME to a directory others may pass through, or give a database's "
        "URL in CURRANT_DATABASE_URL"
    )
