"""Make a cluster, start its server, stop it. The caller holds the store's start lock throughout."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from currant_lab.database.embedded.account import Account, choose, owner_of, settle_in
from currant_lab.database.embedded.binaries import Binaries, clean_environment, find
from currant_lab.database.embedded.locks import FileLock, is_held, open_lock
from currant_lab.database.embedded.store import PORT, Store, machine
from currant_lab.errors import DatabaseUnavailable

__all__ = ["launch", "stop"]

_WATCHER = Path(__file__).with_name("watcher.py")
_DYING_S = 30
_INITDB_S = 300

# Small, safe and quiet. `io_method=sync` saves three processes, and 64 MB of buffers are plenty for a hot table that
# stays small. WAL is kept for crash recovery only: nobody replicates this server.
_CONF = """\
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket_directory}'
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 64MB
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = minimal
max_wal_senders = 0
max_wal_size = 512MB
jit = off
autovacuum = on
logging_collector = off
log_line_prefix = '%m [%p] '
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
"""

_HBA = "# Only a Unix socket in a directory that nobody else can enter leads here.\nlocal all all trust\n"

_REMOTE = ("nfs", "cifs", "smb", "fuse.sshfs", "lustre", "gpfs", "ceph", "afs", "beegfs", "glusterfs", "9p")


def launch(store: Store, binaries: Binaries | None, *, grace: float, patience: float) -> subprocess.Popen[bytes]:
    """Start the server of a store, making the cluster first if there is none. Returns the watcher.

    Args:
        store: its directory exists.
        binaries: for a new cluster; an existing one asks for those of its own major version.
        grace: seconds that the server outlives its last user.
        patience: seconds that it may take to be ready, crash recovery included.

    Raises:
        DatabaseUnavailable: it can't start, and why.
    """
    _refuse_other_machine(store)
    if is_held(store.live, timeout=_DYING_S):
        raise DatabaseUnavailable(f"server processes of {store.path} are still ending after {_DYING_S} s: try again")
    try:
        if store.data.exists():
            account, binaries = _existing(store)
        else:
            account, binaries = choose(store.path, binaries or find(store.major))
            _make_cluster(store, account, binaries)
        return _start(store, account, binaries, grace=grace, patience=patience)
    except OSError as error:
        raise DatabaseUnavailable(f"the embedded database in {store.path} can't start: {_plain(error)}") from None


def stop(store: Store) -> bool:
    """Stop the server by its watcher; whether it is gone, after at most half a minute."""
    watcher = store.watcher_pid()
    if watcher is not None and is_held(store.watch):
        with contextlib.suppress(ProcessLookupError):
            os.kill(watcher, signal.SIGTERM)
    elif (server := _server_pid(store)) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGINT)
    return not is_held(store.live, timeout=_DYING_S)


def _existing(store: Store) -> tuple[Account, Binaries]:
    """The account that a cluster belongs to and the binaries that fit it."""
    major = store.cluster_major()
    if major is None:
        raise DatabaseUnavailable(f"{store.data} is no PostgreSQL cluster: move it away, or set CURRANT_HOME elsewhere")
    account = owner_of(store.data)
    return account, settle_in(account, store.path, find(major))


def _make_cluster(store: Store, account: Account, binaries: Binaries) -> None:
    """Initdb beside the final place, then rename: an interrupted one leaves no half cluster."""
    shutil.rmtree(store.new_data, ignore_errors=True)
    locale = ["--locale=C.UTF-8"]
    if binaries.major >= 17:
        # Built in: no library's collation that an upgrade of the system could change under the indexes.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    try:
        done = account.run(
            binaries.bin / "initdb",
            "-D",
            store.new_data,
            *("-U", "postgres", "-A", "trust", "-E", "UTF8", *locale),
            timeout=_INITDB_S,
        )
    except subprocess.TimeoutExpired:
        shutil.rmtree(store.new_data, ignore_errors=True)
        raise DatabaseUnavailable(
            f"making the embedded database took more than {_INITDB_S} s: is the disk ill?"
        ) from None
    if done.returncode:
        shutil.rmtree(store.new_data, ignore_errors=True)
        raise _failed(store, "be made", (done.stderr or done.stdout).decode(errors="replace"))
    try:
        account.write(store.new_data / "managed.conf", "")
        account.write(store.new_data / "pg_hba.conf", _HBA)
        conf = store.new_data / "postgresql.conf"
        account.write(conf, conf.read_text() + "\ninclude 'managed.conf'  # rewritten at each start\n")
        store.new_data.rename(store.data)
    except OSError as error:
        shutil.rmtree(store.new_data, ignore_errors=True)
        raise _failed(store, "be made", str(error)) from None


def _start(
    store: Store, account: Account, binaries: Binaries, *, grace: float, patience: float
) -> subprocess.Popen[bytes]:
    socket_directory = store.socket_directory(account)
    store.remove_stale(socket_directory)
    conf = _CONF.format(port=PORT, socket_directory=socket_directory)
    if binaries.major >= 18:
        conf += "io_method = sync\n"
    account.write(store.data / "managed.conf", conf)
    store.write_state(account, socket_directory)
    for path in (store.live, store.watch, store.lease, store.lock):
        os.close(open_lock(path))
    log = store.open_log()
    before = os.fstat(log).st_size
    os.close(log)
    plan = {
        "command": account.command(
            binaries.bin / "postgres", "-D", store.data, parents_death=int(signal.SIGINT) if _on_linux() else 0
        ),
        "identity": account.popen_args(),
        "environment": clean_environment(),
        "pid_file": str(store.data / "postmaster.pid"),
        **{name: str(getattr(store, name)) for name in ("live", "watch", "lease", "lock", "log")},
        "remove": [] if socket_directory.parent == store.path else [str(socket_directory)],
        "grace": grace,
        "patience": patience,
    }
    watcher, answer = _watch(plan, patience)
    if "ready" not in answer:
        raise _not_ready(store, str(answer.get("error")), before, patience)
    return watcher


def _watch(plan: dict[str, object], patience: float) -> tuple[subprocess.Popen[bytes], dict[str, object]]:
    """Start the watcher, in a session of its own where no interrupt of this process reaches it, and hear it out."""
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", _WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=clean_environment(),
        start_new_session=True,
    )
    try:
        assert watcher.stdin is not None  # noqa: S101 - pipes were asked for
        assert watcher.stdout is not None  # noqa: S101
        watcher.stdin.write(json.dumps(plan).encode())
        watcher.stdin.close()
        line = watcher.stdout.readline()
        watcher.stdout.close()
        answer = json.loads(line or b"{}")
    except BaseException:
        watcher.terminate()
        raise
    if "ready" not in answer:
        watcher.wait(patience)
    return watcher, answer


def _not_ready(store: Store, error: str, log_start: int, patience: float) -> DatabaseUnavailable:
    if error == "locks":
        return DatabaseUnavailable(
            f"the file system of {store.path} has no locks that child processes inherit (NFS?), and without them two "
            "servers could run on one store: set CURRANT_HOME to a local disk"
        )
    if error == "slow":
        return DatabaseUnavailable(
            f"the embedded database is not ready after {patience:g} s; its log ends with:\n{store.log_tail(log_start)}"
        )
    return _failed(store, "start", store.log_tail(log_start) or error)


def _failed(store: Store, what: str, output: str) -> DatabaseUnavailable:
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return DatabaseUnavailable(
            f"the embedded database can't {what}: the disk of {store.path} is full. Free some space there, or set "
            "CURRANT_HOME to another disk"
        )
    return DatabaseUnavailable(f"the embedded database in {store.path} can't {what}:\n{output.strip()[-2000:]}")


def _plain(error: OSError) -> str:
    place = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{place}"


def _refuse_other_machine(store: Store) -> None:
    """Locks don't reach from one machine to another, so on a shared disk the last machine must have said goodbye."""
    state, here = store.state(), machine()
    if not state.get("host") or state["host"] == here["host"] or state.get("boot") == here["boot"]:
        return
    if is_shared_disk(store.path):
        raise DatabaseUnavailable(
            f"{store.path} is on a disk that several machines share, and {state['host']} has used it last: two servers "
            f"on one store would destroy it. If none runs there, delete {store.path / 'state.json'}; better, set "
            "CURRANT_HOME to a local disk"
        )


def is_shared_disk(path: Path, mounts: str | None = None) -> bool:
    """Whether a path is on a network file system, by the kernel's list of mounts; False where there is none."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text()
        except OSError:
            return False
    best, kind = "", ""
    for line in mounts.splitlines():
        _, point, name, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if path.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, name
    return kind.startswith(_REMOTE)


def _server_pid(store: Store) -> int | None:
    """The postmaster's pid, if a process with that number works in this cluster: Linux shows where."""
    try:
        pid = int((store.data / "postmaster.pid").read_text().splitlines()[0])
        return pid if Path(f"/proc/{pid}/cwd").resolve() == store.data.resolve() else None
    except (OSError, ValueError, IndexError):
        return None


def _on_linux() -> bool:
    return sys.platform == "linux"


def wait_released(lock: FileLock, tries: int = 20) -> bool:
    """Take a lock exclusively that the watcher may hold for a moment; whether nobody holds it for longer."""
    for _ in range(tries):
        if lock.acquire(timeout=0):
            return True
        time.sleep(0.001)
    return False
