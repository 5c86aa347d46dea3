"""A process that uses the embedded server at a test's word: `Agent` here, its other half in `main`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import currant_lab
from tests.servers import clean_environment

_PATH = ":".join([str(Path(currant_lab.__file__).parent.parent), *filter(os.path.isdir, sys.path)])


def reachable_python(identity: dict[str, Any]) -> str:
    """This interpreter, or the system's of the same version where another user can't get at this one."""
    for python in (sys.executable, "/usr/bin/python3"):
        check = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
        with contextlib.suppress(OSError):
            if subprocess.run([python, "-I", "-S", "-c", check], cwd="/", **identity).returncode == 0:
                return python
    raise RuntimeError(
        f"this test needs a Python {sys.version_info.major}.{sys.version_info.minor} that other users can run: "
        "put the checkout's interpreter outside of /root"
    )


class Agent:
    """A Python process with an `EmbeddedServer`; told what to do by a pipe, so that a test knows when it is done."""

    def __init__(
        self, home: Path, *, grace: float = 30.0, uid: int | None = None, env: dict[str, str] | None = None
    ) -> None:
        identity = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        python = sys.executable if uid is None else reachable_python(identity)
        self._process = subprocess.Popen(
            [python, __file__, str(home), str(grace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env=clean_environment() | {"PYTHONPATH": _PATH} | (env or {}),
            start_new_session=True,
            **identity,
        )
        self.pid = self._process.pid

    def send(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the agent has died"
        return json.loads(line)

    def ask(self, word: str) -> Any:
        self.send(word)
        return self.hear()

    def start(self) -> str:
        """Start or attach; the server's version and the postmaster's pid are in `facts`."""
        answer = self.ask("start")
        assert "url" in answer, answer
        return answer["url"]

    def exit(self) -> None:
        """End cleanly, as a kernel that is shut down."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(40) == 0
        self._process.stdout.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def interrupt_group(self) -> None:
        """Ctrl-C: every process of the agent's session gets it."""
        os.killpg(self.pid, signal.SIGINT)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None


def main() -> None:
    import asyncio

    from currant_lab.database.connect import connect
    from currant_lab.database.embedded import EmbeddedServer
    from currant_lab.errors import CurrantError

    server = EmbeddedServer(sys.argv[1], grace=float(sys.argv[2]))
    target = None

    async def facts() -> dict[str, Any]:
        conn = await connect(server.start())
        settings = await conn.fetch("SELECT name, setting FROM pg_settings")
        ports = {"pid": int(Path(f"{server.where}/pgdata/postmaster.pid").read_text().split()[0])}
        await conn.close()
        return {row["name"]: row["setting"] for row in settings} | ports

    signal.signal(signal.SIGINT, lambda *_: print(json.dumps("interrupted"), flush=True))
    for line in sys.stdin:
        word = line.strip()
        began = time.perf_counter()
        answer: Any
        try:
            if word == "start":
                target = server.start()
                answer = {"url": target.url()}
            elif word == "stop":
                answer = {"stopped": server.stop()}
            elif word == "ready":
                answer = {}
            elif word == "fork":
                answer = _fork_and_exit()
            else:
                answer = asyncio.run(facts())
        except CurrantError as error:
            answer = {"error": str(error), "type": type(error).__name__}
        if isinstance(answer, dict):
            answer["seconds"] = time.perf_counter() - began
        print(json.dumps(answer), flush=True)


def _fork_and_exit() -> dict[str, int]:
    child = os.fork()
    if child == 0:
        sys.exit(0)  # runs the exit handlers, as a forked child of a library may
    return {"status": os.waitpid(child, 0)[1]}


if __name__ == "__main__":
    main()
