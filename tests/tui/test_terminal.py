"""The dashboard in a real terminal, tmux, on a database of its own: keys are sent, the screen is read, while pools
come and go and the database is restarted under it."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from currant_lab.database.connect import connect
from currant_lab.database.migrate import migrate
from currant_lab.database.url import parse
from tests.servers import Cluster, clean_environment

HOSTILE = "[/b] [red]x \x1b[31mred\x1b[0m \x07 ‮abc‬ שלום 🍇👩‍👩‍👧 \r\n\t%s \x9b2J"
LONG = "z" * 49_999 + "Ω"
LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE application_name <> 'test' AND query LIKE 'LISTEN%'"
POOL = """
import sys, currant_lab as currant
from currant_lab import job

@job(name="watched:boom", queue="mail")
async def boom(text: str) -> None:
    raise ValueError(text)

with currant.start(workers=3, queues=("mail",), name=sys.argv[1]):
    print("up", flush=True)
    sys.stdin.read()
"""


_NOT_OURS = {"TMUX", "NO_COLOR", "COLUMNS", "LINES"}
"""What would speak for another terminal than the one that is opened."""


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, place: Path, words: list[str], env: dict[str, str], size: tuple[int, int] = (110, 30)) -> None:
        self._socket = str(place / "tmux")
        self._code = place / "code"
        shown = env | {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": str(place)}
        self._env = {name: value for name, value in shown.items() if name not in _NOT_OURS}
        inside = f"{shlex.join(words)}; echo ended $? > {shlex.quote(str(self._code))}; sleep 600"
        geometry = ["-x", str(size[0]), "-y", str(size[1])]
        self._tmux("-f", "/dev/null", "new-session", "-d", *geometry, "sh", "-c", inside)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words], env=self._env, capture_output=True, check=True, encoding="utf-8"
        )
        return done.stdout

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def write(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def resize(self, columns: int, lines: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def until(self, *texts: str, gone: str | None = None, within_s: float = 90) -> str:
        """The screen once it shows all of these."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            screen = self.screen
            if all(text in screen for text in texts) and (gone is None or gone not in screen):
                return screen
            time.sleep(0.05)
        raise AssertionError(f"{texts} {'without ' + gone if gone else ''} not seen in:\n{screen}")

    @property
    def _program(self) -> int:
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    @property
    def is_stopped(self) -> bool:
        return Path(f"/proc/{self._program}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def go_on(self) -> None:
        os.kill(self._program, signal.SIGCONT)

    def code(self) -> str:
        """What the program ended with."""
        end = time.monotonic() + 60
        while not self._code.exists() or not self._code.read_text():
            assert time.monotonic() < end, f"it has not ended:\n{self.screen}"
            time.sleep(0.02)
        return self._code.read_text().strip()

    def close(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    started = Cluster("postgres18")
    yield started
    started.destroy()


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    assert shutil.which("tmux"), "install Debian's: apt-get install tmux"
    begun: list[Terminal] = []

    def open_one(*words: str, env: dict[str, str], size: tuple[int, int] = (110, 30)) -> Terminal:
        place = tmp_path / str(len(begun))
        place.mkdir()
        begun.append(Terminal(place, [sys.executable, "-m", "currant_tui", *words], env, size))
        return begun[-1]

    yield open_one
    for terminal in begun:
        terminal.close()


async def _execute(cluster: Cluster, sql: str, *arguments: Any) -> None:
    conn = await connect(parse(cluster.url), application_name="test")
    try:
        await conn.execute(sql, *arguments)
    finally:
        await conn.close()


async def _listening(cluster: Cluster) -> int:
    """Sessions of a dashboard that LISTEN."""
    conn = await connect(parse(cluster.url), application_name="test")
    try:
        return int(await conn.fetchval(LISTENING))
    finally:
        await conn.close()


async def _migrate(cluster: Cluster) -> None:
    conn = await connect(parse(cluster.url), application_name="test")
    await migrate(conn, "currant")
    await conn.close()


def _pool(name: str, env: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    started = subprocess.Popen([sys.executable, "-c", POOL, name], env=env, stdin=pipe, stdout=pipe, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "up\n"
    return started


@pytest.mark.timeout(300)
def test_a_day_of_a_dashboard(cluster: Cluster, terminals: Callable[..., Terminal], tmp_path: Path) -> None:
    env = clean_environment() | {"CURRANT_DATABASE_URL": cluster.url, "CURRANT_TUI_CONFIG": str(tmp_path / "none")}
    terminal = terminals("--record", str(tmp_path / "day.cur"), env=env)

    # No schema yet: what to do is said, and once it is done the dashboard is there.
    terminal.until("currant migrate", "It is tried again")
    asyncio.run(_migrate(cluster))
    terminal.until("● LIVE", "● REC", "Nothing waits or runs", "currant worker -m my_jobs")

    # Anybody's text in every field.
    submit = "SELECT currant.submit($1, jsonb_build_array($2::text), $3)"
    asyncio.run(_execute(cluster, submit, "watched:boom", "first " + HOSTILE, "mail"))
    asyncio.run(_execute(cluster, submit, HOSTILE, HOSTILE + LONG, HOSTILE))
    screen = terminal.until("no pool listens on `mail`", "␛[31mred")
    assert "\x1b" not in screen
    assert "\x07" not in screen
    assert "[/b] [red]x" in screen

    # A pool comes, works, and is killed; another comes.
    pool = _pool("night", env)
    terminal.press("6")
    terminal.until("night", "alive")
    pool.send_signal(signal.SIGKILL)
    pool.communicate()

    # The mouse, the help, a window that shrinks and grows: until its lease is over the pool is not yet lost.
    place = terminal.screen.splitlines()[1].index("Executions") + 1
    terminal.write(f"\x1b[<0;{place};2M\x1b[<0;{place};2m")
    terminal.until("status:failed queue:mail job:fetch*")
    terminal.press("1")
    terminal.until("Depth, all queues")
    terminal.press("?")
    terminal.until("Esc closes", "app.help")
    terminal.press("Escape")
    terminal.until("Depth, all queues", gone="Esc closes")
    terminal.resize(50, 12)
    terminal.until("80 x 24 show all")
    terminal.resize(80, 24)
    terminal.until("mail", gone="80 x 24 show all")
    terminal.resize(110, 30)
    terminal.until("pool night lost")
    terminal.press("6")
    second = _pool("day", env)
    terminal.until("day", "alive")

    # The database is restarted under it.
    terminal.press("1")
    terminal.until("mail")
    cluster.stop()
    terminal.until("AWAY", "mail")
    cluster.start()
    terminal.until("● LIVE")
    asyncio.run(_execute(cluster, submit, "watched:boom", "second", "mail"))
    second.communicate("")

    # Stopped with Ctrl-Z, it listens no more, since that would hold vacuum back; then it paints all of its screen.
    while asyncio.run(_listening(cluster)) != 1:
        pass
    terminal.press("C-z")
    while asyncio.run(_listening(cluster)) or not terminal.is_stopped:
        pass
    terminal.go_on()
    terminal.until("1 Overview", "● LIVE", "Depth, all queues")
    while asyncio.run(_listening(cluster)) != 1:
        pass

    # The 50,000 characters, and what failed.
    terminal.press("4")
    terminal.until("watched:boom", "failed", "pending", "[/b] [red]x ␛")
    while terminal.screen.count("watched:boom") < 2:  # all three are there: the second is the one with the long text
        time.sleep(0.05)
    terminal.press("g", "j", "Enter")
    terminal.until("z" * 60)
    terminal.press("Escape")
    terminal.until("watched:boom")
    terminal.press("q")
    assert terminal.code() == "ended 0"
    assert "\x1b" not in terminal.screen
    assert (tmp_path / "day.cur").stat().st_size > 1_000

    # And all of it again, from the recording, with no database.
    cluster.stop()
    again = terminals("--replay", str(tmp_path / "day.cur"), env=env)
    again.until("▶ REPLAY", "READ-ONLY")
    again.press("$")
    again.until("‖ REPLAY", "mail", "␛[31mred")
    again.press("0", "Space")
    again.press("q")
    assert again.code() == "ended 0"
