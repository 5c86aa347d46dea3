"""The embedded server as its users see it: start it or attach to it, and it goes when nobody is left."""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
import threading
from pathlib import Path

from currant_lab.database.embedded import launcher
from currant_lab.database.embedded.binaries import VARIABLE, Binaries, find
from currant_lab.database.embedded.locks import FileLock, is_held
from currant_lab.database.embedded.store import Store, default_home, stores
from currant_lab.database.url import Target
from currant_lab.errors import DatabaseUnavailable

__all__ = ["GRACE_S", "EmbeddedServer"]

GRACE_S = 60.0
"""Seconds that the server outlives the last process that used it and did not say goodbye: a kernel that was killed
is usually back by then."""

_PATIENCE_S = 60.0
_log = logging.getLogger("currant")


class EmbeddedServer:
    """A PostgreSQL server of this user's own, shared by all processes that use the same home.

    Each process that has called `start` holds a lease until it exits or calls `stop`; however it ends, the kernel
    drops the lease. While it is held, a server that dies is started again.

    Args:
        home: where the store is; None means `default_home()`.
        grace: seconds that the server stays after its last lease was lost without a goodbye; the process that
            starts the server decides.
    """

    def __init__(self, home: Path | str | None = None, *, grace: float = GRACE_S) -> None:
        self.home = (Path(home).expanduser() if home is not None else default_home()).absolute()
        self._grace = grace

    @property
    def where(self) -> Path:
        """The store's directory, whether it exists yet or not."""
        return self._store()[0].path

    @property
    def is_running(self) -> bool:
        """Whether a server answers. Takes no lease, changes nothing."""
        return any(store.answers() for store in stores(self.home))

    def start(self) -> Target:
        """Take a lease, and start the server unless it runs. Blocks; costs one connect when it runs.

        Raises:
            DatabaseUnavailable: it can't start, and what to do about it.
        """
        store, binaries = self._store()
        _make_directory(store)
        return _lease_on(store).start(binaries, self._grace)

    def stop(self) -> bool:
        """Let go of this process's lease, and stop the server unless others use it. Returns whether it is stopped.

        Blocks until it is. Harmless when nothing runs.
        """
        store, _ = self._store()
        return not store.path.exists() or _lease_on(store).stop()

    def _store(self) -> tuple[Store, Binaries | None]:
        """The store that exists, or the one to make with these binaries.

        An existing one is never passed over for an empty one of another major version: its executions would
        seem to be gone.
        """
        existing = next(stores(self.home), None)
        if existing is None:
            binaries = find(None)
            return Store(self.home / f"pg{binaries.major}"), binaries
        found = existing.cluster_major()
        if found is not None and found != existing.major:
            raise DatabaseUnavailable(
                f"{existing.path} holds a cluster of PostgreSQL {found}, not {existing.major}: rename the directory "
                f"to pg{found}, or set CURRANT_HOME elsewhere"
            )
        if os.environ.get(VARIABLE) and not existing.answers():
            find(existing.major)  # says so when the programs that were asked for can't read this store
        return existing, None


class _Lease:
    """The part of this process in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._guard = threading.Lock()
        self._lease = FileLock(store.lease)
        self._watcher: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None
        self._grace = GRACE_S

    def start(self, binaries: Binaries | None, grace: float) -> Target:
        with self._guard:
            self._grace = grace
            if self._lease.fileno is None or not self._is_well():
                self._take(binaries)
            target = self.store.target()
            if target is None:
                raise DatabaseUnavailable(
                    f"{self.store.path} has lost its state.json: stop all that uses it, try again"
                )
            if self._keeper is None or not self._keeper.is_alive():
                self._keeper = threading.Thread(target=self._keep, name="currant embedded server", daemon=True)
                self._keeper.start()
            return target

    def stop(self) -> bool:
        with self._guard:
            lock = self._start_lock()
            try:
                self._lease.release()
                last = FileLock(self.store.lease)
                if not launcher.wait_released(last):
                    return False
                try:
                    stopped = not is_held(self.store.live) or launcher.stop(self.store)
                finally:
                    last.release()
                self._reap(10)
                return stopped
            finally:
                lock.release()

    def forget(self) -> None:
        """In a forked child: the lease is the parent's."""
        self._lease.forget()

    def _take(self, binaries: Binaries | None) -> None:
        """Under the start lock: have a lease, a server and its watcher."""
        lock = self._start_lock()
        try:
            if self._lease.fileno is None:
                self._lease.acquire(shared=True)
            if not self._is_well():
                if is_held(self.store.live) and not launcher.stop(self.store):
                    raise DatabaseUnavailable(f"the server of {self.store.path} neither answers nor stops")
                self._reap(1)
                self._watcher = launcher.launch(self.store, binaries, grace=self._grace, patience=_PATIENCE_S)
        except BaseException:
            self._lease.release()
            raise
        finally:
            lock.release()

    def _is_well(self) -> bool:
        """The server answers, and somebody will stop it one day."""
        return self.store.answers() and is_held(self.store.watch)

    def _start_lock(self) -> FileLock:
        lock = FileLock(self.store.lock)
        try:
            if lock.acquire(timeout=_PATIENCE_S):
                return lock
        except OSError as error:
            raise DatabaseUnavailable(
                f"the embedded database's store {self.store.path} can't be used by this user: {error.strerror}. "
                "Set CURRANT_HOME to a directory of your own"
            ) from None
        raise DatabaseUnavailable(f"another process has been starting the server of {self.store.path} for a minute")

    def _keep(self) -> None:
        """Start the server again whenever it goes while it is used. Sleeps in the kernel meanwhile."""
        pause = threading.Event()
        wait = 0.0
        while True:
            try:
                self.store_watch().wait_free()
                pause.wait(wait)
                with self._guard:
                    if self._lease.fileno is None:
                        return
                    if self._is_well():
                        wait = 0.0
                        continue
                    _log.warning("the embedded database has gone, starting it again")
                    self._take(None)
                wait = 0.0
            except (DatabaseUnavailable, OSError) as error:
                wait = min(30.0, 2 * wait + 1)
                _log.warning("the embedded database is away, next try in %g s: %s", wait, error)
                if not self.store.path.exists():
                    return

    def store_watch(self) -> FileLock:
        return FileLock(self.store.watch)

    def _reap(self, patience: float) -> None:
        """Collect the watcher, if it was this process that started it."""
        if self._watcher is not None:
            try:
                self._watcher.wait(patience)
            except subprocess.TimeoutExpired:
                return
            self._watcher = None


_leases: dict[Path, _Lease] = {}
_registry = threading.Lock()


def _lease_on(store: Store) -> _Lease:
    with _registry:
        if store.path not in _leases:
            _leases[store.path] = _Lease(store)
        return _leases[store.path]


def _make_directory(store: Store) -> None:
    """The store's directory; the directories above are made where they are missing and otherwise left alone."""
    try:
        store.path.parent.mkdir(parents=True, exist_ok=True)
        store.path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"the embedded database can't be kept in {store.path}: {error.strerror}. Set CURRANT_HOME to a directory "
            "that this user may write to"
        ) from None


def _goodbye() -> None:
    """At exit: the last one turns the server off."""
    for lease in list(_leases.values()):
        if lease._lease.fileno is not None:
            try:
                lease.stop()
            except (DatabaseUnavailable, OSError) as error:
                _log.warning("the embedded database was not stopped: %s", error)


def _forget() -> None:
    global _registry
    _registry = threading.Lock()
    for lease in _leases.values():
        lease.forget()
    _leases.clear()


atexit.register(_goodbye)
os.register_at_fork(after_in_child=_forget)
