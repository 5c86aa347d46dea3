"""An environment of its own for each peer, built from the package index, and what could not be built."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PEERS", "Peer", "Unavailable", "python_of"]

_HOME = Path(__file__).resolve().parents[3] / "target" / "peers"


@dataclass(frozen=True)
class Peer:
    """One peer.

    Attributes:
        name: its distribution.
        packages: what is installed.
        needs: of Python, as (3, 12).
        is_on_redis: its jobs are in redis, not in PostgreSQL.
        script: the file beside this one that runs it.
    """

    name: str
    packages: tuple[str, ...]
    needs: tuple[int, int] = (3, 11)
    is_on_redis: bool = False

    @property
    def script(self) -> Path:
        return Path(__file__).with_name(f"{self.name.partition('-')[0]}_peer.py")


PEERS = (
    Peer("pgqueuer", ("pgqueuer[asyncpg]",)),
    Peer("awa-pg", ("awa-pg",)),
    Peer("chancy", ("chancy",)),
    Peer("oban", ("oban",), needs=(3, 12)),
    Peer("absurd", ("absurd-sdk", "absurdctl")),
    Peer("dbos", ("dbos",)),
    Peer("procrastinate", ("procrastinate",)),
    Peer("streaq", ("streaq",), is_on_redis=True),
    Peer("saq", ("saq[redis]", "typing-extensions"), is_on_redis=True),
    Peer("arq", ("arq",), is_on_redis=True),
    Peer("celery", ("celery[redis]",), is_on_redis=True),
)


class Unavailable(Exception):
    """A peer can't be had here; the message says why."""


@functools.cache
def python_of(peer: Peer) -> tuple[Path, str]:
    """The interpreter of a peer's environment, which is built if need be, and the version of the peer.

    Raises:
        Unavailable: with the last line of what the installer said.
    """
    place = _HOME / peer.name
    python = place / "bin" / "python"
    if not python.exists():
        _run([_interpreter(peer) or sys.executable, "-m", "venv", place])
    _run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *peer.packages])
    name = peer.packages[0].partition("[")[0]
    code = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
    return python, _run([python, "-c", code]).strip()


def _interpreter(peer: Peer) -> str | None:
    """Another Python than this one, where the peer needs it: from the search path, or of pyenv's."""
    if sys.version_info[:2] >= peer.needs:
        return None
    minors = range(peer.needs[1], peer.needs[1] + 4)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    places = [place for minor in minors for place in pyenv.glob(f"3.{minor}.*/bin/python3")]
    for candidate in (*(f"python3.{minor}" for minor in minors), *map(str, places)):
        try:  # one that is found may be a shim of a version that isn't chosen
            _run([candidate, "-c", ""])
        except (OSError, Unavailable):
            continue
        return candidate
    raise Unavailable(f"needs Python {'.'.join(map(str, peer.needs))} or newer, and there is none here")


def _run(words: list[str | Path]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(said[-1] if said else f"{words[0]} ended with {done.returncode}")
    return done.stdout
