"""Stays beside the server as its parent, and stops it once nobody uses it: `watcher.py`, a plan in JSON on stdin.

A script, run by its path with the standard library alone, so that it starts in 20 ms and stays small. It sleeps in
the kernel: no timer runs while the server is in use.

- The server ends: so does the watcher; lease holders see `watch` go free, and start both again.
- The last lease goes: after the grace time, if there is still none, it stops the server and ends.
- SIGTERM: it stops the server and ends.
- The watcher is killed: the server gets SIGINT from the kernel (Linux), which is a fast shutdown.

It answers on stdout with one line of JSON: {"ready": pid} or {"error": why}.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)
_UNUSED = 0  # what the lease thread says in place of a signal's number
_PR_SET_PDEATHSIG = 1
_FAST_STOP_S = 20
_READY_POLL_S = 0.005


class Watcher:
    """The server's parent."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.server: subprocess.Popen[bytes] | None = None
        self.read_end, self.write_end = os.pipe()
        self.parted = threading.Event()  # the lease thread may look again

    def run(self) -> None:
        """Start, answer, watch."""
        self._listen()
        watch = self._take_watch()
        try:
            self._start()
            self._wait_until_ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who waits is told
            self._stop()
            self._clean()
            answer({"error": str(error)})
            return
        if not self._locks_are_inherited():
            self._stop()
            self._clean()
            answer({"error": "locks"})
            return
        answer({"ready": self._pid})
        self._watch()
        self._clean()
        os.close(watch)

    def _listen(self) -> None:
        """Signals arrive as bytes in a pipe, so that none is missed between two waits."""
        os.set_blocking(self.write_end, False)
        signal.set_wakeup_fd(self.write_end, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _next(self, limit: float | None = None) -> int | None:
        """The next signal, `_UNUSED`, or None after `limit` seconds."""
        readable, _, _ = select.select([self.read_end], [], [], limit)
        return os.read(self.read_end, 1)[0] if readable else None

    @property
    def _pid(self) -> int:
        assert self.server is not None  # noqa: S101 - it has been started
        return self.server.pid

    def _take_watch(self) -> int:
        descriptor = open_lock(self.plan["watch"])
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return descriptor

    def _start(self) -> None:
        live = open_lock(self.plan["live"])
        fcntl.flock(live, fcntl.LOCK_SH)
        log = os.open(self.plan["log"], os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        try:
            self.server = subprocess.Popen(
                self.plan["command"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.plan["environment"],
                cwd="/",
                pass_fds=(live,),  # every server process keeps it, so the lock lives as long as any of them
                preexec_fn=prepare_child,
                **self.plan["identity"],
            )
        finally:
            os.close(live)
            os.close(log)

    def _wait_until_ready(self) -> None:
        """postmaster.pid's eighth line says so, as for pg_ctl. Crash recovery may take minutes."""
        deadline = time.monotonic() + self.plan["patience"]
        while time.monotonic() < deadline:
            if self._next(_READY_POLL_S) == signal.SIGTERM:
                raise RuntimeError("interrupted")
            if self._has_ended():
                raise RuntimeError("ended")
            with contextlib.suppress(OSError):
                lines = Path(self.plan["pid_file"]).read_bytes().splitlines()
                if len(lines) >= 8 and lines[7].strip() == b"ready":
                    return
        raise RuntimeError("slow")

    def _locks_are_inherited(self) -> bool:
        """On NFS a flock is a record lock of this process: the server would seem dead while it lives."""
        probe = open_lock(self.plan["live"])
        try:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def _watch(self) -> None:
        threading.Thread(target=self._wait_for_leases, daemon=True).start()
        while True:
            received = self._next()
            left_alone = received == _UNUSED and self._is_left_alone()
            if left_alone or received == signal.SIGTERM:
                self._stop()
            if self._has_ended():
                return
            if received == _UNUSED:
                self.parted.set()

    def _wait_for_leases(self) -> None:
        """Block in the kernel till nobody holds a lease, say so, and again when told."""
        while True:
            descriptor = open_lock(self.plan["lease"])
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.close(descriptor)
            self.parted.clear()
            os.write(self.write_end, bytes([_UNUSED]))
            self.parted.wait()

    def _is_left_alone(self) -> bool:
        """Whether nobody uses the server after the grace time either. Then the start lock stays taken till the end,
        so that whoever comes next waits for the stop and starts anew."""
        received = self._next(self.plan["grace"])
        while received is None:
            lock = open_lock(self.plan["lock"])
            if try_lock(lock):
                lease = open_lock(self.plan["lease"])
                alone = try_lock(lease)
                os.close(lease)
                if not alone:
                    os.close(lock)
                return alone
            os.close(lock)
            # Somebody starts or stops at this moment; a stop ends with a SIGTERM to this process.
            received = self._next(0.05)
        return received == signal.SIGTERM

    def _has_ended(self) -> bool:
        return self.server is None or self.server.poll() is not None

    def _stop(self) -> None:
        """A fast shutdown; less gently if it takes too long."""
        for how, patience in ((signal.SIGINT, _FAST_STOP_S), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if self._has_ended():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                os.kill(self._pid, how)
                self.server.wait(patience)  # type: ignore[union-attr] # it has not ended

    def _clean(self) -> None:
        """Remove the socket's directory where it isn't in the store."""
        for path in self.plan["remove"]:
            with contextlib.suppress(OSError):
                os.rmdir(path)  # noqa: PTH106


def prepare_child() -> None:
    """Have the kernel end the server should the watcher be killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))


def open_lock(path: str) -> int:
    """The lock's file, which the launcher has made; no link is followed."""
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW)


def try_lock(descriptor: int) -> bool:
    """Take the lock exclusively if it is free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def answer(what: dict[str, Any]) -> None:
    """Tell the one who waits, and let go of its pipe."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(what).encode() + b"\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)


if __name__ == "__main__":
    Watcher(json.load(sys.stdin)).run()
