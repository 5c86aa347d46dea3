"""The process that `currant db start` leaves behind: it does nothing but use the embedded server, so that it stays.

Beside the store lies a file `keeper`, locked while it lives, with its process id.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from currant_lab.database.embedded import EmbeddedServer
from currant_lab.database.embedded.locks import FileLock, is_held
from currant_lab.errors import CurrantError, DatabaseUnavailable

__all__ = ["start", "stop"]

_STOP_S = 15.0


def start(server: EmbeddedServer) -> bool:
    """Have a keeper for the store; whether it is a new one.

    Raises:
        CurrantError: it can't be started, and why.
    """
    if is_held(_file(server)):
        return False
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(server.home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with process.stdout:
        answer = process.stdout.readline().decode(errors="replace").strip()
    if answer == "ready":
        process.returncode = 0  # it outlives us: nobody will wait for it
        return True
    process.wait()
    if answer == "taken":
        return False
    raise CurrantError(f"the embedded server could not be kept: {answer or 'its keeper ended'}")


def stop(server: EmbeddedServer) -> bool:
    """End the keeper, if there is one; whether there was.

    Raises:
        CurrantError: it does not end.
    """
    path = _file(server)
    if not path.exists() or not is_held(path):
        return False
    try:
        os.kill(int(path.read_text()), signal.SIGTERM)
    except (OSError, ValueError) as error:
        raise CurrantError(f"the process that keeps the server can't be ended: {error}") from None
    lock = FileLock(path)
    if not lock.acquire(timeout=_STOP_S):
        raise CurrantError(f"the process that keeps the server does not end: see the process id in {path}")
    path.unlink(missing_ok=True)
    lock.release()
    return True


def _file(server: EmbeddedServer) -> Path:
    return server.where / "keeper"


def _keep(home: Path) -> int:
    """Use the server until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    server = EmbeddedServer(home)
    try:
        server.start()
        path = _file(server)
        lock = FileLock(path)
        if not lock.acquire(timeout=0):
            _answer("taken")
            return 1
        path.write_text(str(os.getpid()))
    except (DatabaseUnavailable, OSError) as error:
        _answer(" ".join(str(error).split()))
        return 1
    _answer("ready")
    signal.sigwait({signal.SIGTERM})
    server.stop()
    lock.release()
    return 0


def _answer(text: str) -> None:
    """Tell the one who waits, and let go of its pipe."""
    os.write(1, f"{text}\n".encode())
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)


if __name__ == "__main__":
    sys.exit(_keep(Path(sys.argv[1])))
