"""`--web` in a real browser: it shows the dashboard, only looks, and answers nobody but its own page."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import Leased
from tests.notebook.browser import chromium
from tests.tui.looking import execute, submit

_CODES = re.compile(r"\x1b\[[0-9;?<>]*[a-zA-Z]|\x1b\][^\x07]*\x07")


@contextmanager
def _served(leased: Leased, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The dashboard on a free port: its address, its process."""
    command = [sys.executable, "-m", "currant_tui", "--web", *words]
    with subprocess.Popen(command, env=leased.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as web:
        assert web.stdout is not None
        try:
            said = web.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found, said
            yield found[0], web
        finally:
            if web.poll() is None:
                web.send_signal(signal.SIGINT)
                said, _ = web.communicate(timeout=40)
                assert (web.returncode, said) == (0, "")


class _Tab:
    """A page that shows the dashboard, and all that it was sent."""

    def __init__(self, browser: Any, address: str) -> None:
        self.page = browser.new_page(viewport={"width": 1200, "height": 700})
        self.sent = ""
        self.answers: list[str] = []
        self.page.on("response", lambda response: self.answers.append(response.url))
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._hear))
        self.page.goto(address)

    def _hear(self, frame: Any) -> None:
        data = frame if isinstance(frame, bytes) else frame.encode()
        self.sent += _CODES.sub("", data.decode(errors="replace"))

    def until(self, text: str) -> None:
        for _ in range(1_000):
            if text in self.sent:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{text!r} was not shown: {self.sent[-300:]}")


@contextmanager
def _called(address: str, **headers: str) -> Iterator[int]:
    """A WebSocket, or what comes in its place: the answer's status."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=40)
    socket = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    try:
        connection.request("GET", "/ws", headers=socket | {"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="} | headers)
        yield connection.getresponse().status
    finally:
        connection.close()


def _watching(leased: Leased) -> int:
    counting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'currant-watch'"
    with ThreadPoolExecutor() as thread:  # this one has the browser's loop
        return int(thread.submit(asyncio.run, execute(leased, counting)).result()[0][0])


def _descendants(pid: int) -> list[str]:
    words = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                words.append((stat.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return words


def test_a_browser_shows_it_and_only_looks(leased: Leased) -> None:
    asyncio.run(submit(leased, 1_204, queue="mail"))
    secret = leased.url.replace("postgres@", "postgres:geheim@")
    with _served(leased, "--database", secret) as (address, web), chromium() as browser:
        tab = _Tab(browser, address)
        tab.until("1,204")
        tab.until("READ-ONLY")
        tab.page.wait_for_selector("body.-first-byte")
        tab.page.focus(".xterm-helper-textarea")
        tab.page.keyboard.press("6")
        tab.until("No pool is there")
        assert all(url.startswith(address) for url in tab.answers), tab.answers
        assert "currant_tui" in "".join(_descendants(web.pid))
        assert "geheim" not in "".join(_descendants(web.pid)) + tab.sent
        assert _watching(leased) > 0
        tab.page.close()
        while _watching(leased):
            pass


def test_it_answers_nobody_but_its_own_page(leased: Leased) -> None:
    with _served(leased) as (address, _):
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            with _called(address, **headers) as status:
                assert status == 403


def test_its_tabs_end_with_it_even_when_it_is_killed(leased: Leased) -> None:
    with _served(leased) as (address, web), _called(address, Origin=address) as status:
        assert status == 101
        while not _watching(leased):
            pass
        os.kill(web.pid, signal.SIGKILL)
        web.wait()
        while _watching(leased):
            pass
