"""File locks that the kernel drops when their holder dies, however it dies.

All are `flock` locks: they belong to the open file, so two threads of a process exclude each other, and a
descriptor that is inherited keeps the lock for the child. A POSIX record lock does neither.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

__all__ = ["FileLock", "is_held", "open_lock"]

_LOOK_AGAIN_S = 0.005


class FileLock:
    """One lock on one file, through a descriptor of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fileno: int | None = None

    def acquire(self, *, shared: bool = False, timeout: float | None = None) -> bool:
        """Take the lock; whether it was had within `timeout` seconds. None waits for ever.

        Looks again and again rather than block in the kernel, so that Ctrl-C and the timeout are heeded.

        Raises:
            OSError: the file can't be opened, or its file system has no such locks.
        """
        descriptor = open_lock(self.path)
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                try:
                    fcntl.flock(descriptor, operation)
                except BlockingIOError:
                    if deadline is not None and time.monotonic() >= deadline:
                        os.close(descriptor)
                        return False
                    time.sleep(_LOOK_AGAIN_S)
                else:
                    self.fileno = descriptor
                    return True
        except BaseException:
            os.close(descriptor)
            raise

    def wait_free(self) -> None:
        """Block in the kernel, at no cost, until nobody holds the lock exclusively."""
        descriptor = open_lock(self.path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let go, also for children that share the descriptor. Harmless when nothing is held."""
        descriptor, self.fileno = self.fileno, None
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def forget(self) -> None:
        """In a forked child: close the descriptor, which leaves the parent's lock as it is."""
        descriptor, self.fileno = self.fileno, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def open_lock(path: Path) -> int:
    """A descriptor of a lock's file, made if need be.

    No link is followed, and the file belongs to whom its directory belongs to, so that either can lock it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def is_held(path: Path, *, timeout: float = 0.0) -> bool:
    """Whether anyone still holds a lock, of either kind, after waiting `timeout` seconds for it to go."""
    lock = FileLock(path)
    if not lock.acquire(timeout=timeout):
        return True
    lock.release()
    return False
