"""The background loop: which one it is, and how exact its short waits are."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from currant_lab.errors import CurrantError
from currant_lab.loop import BackgroundLoop, background


def test_short_waits_end_when_they_should() -> None:
    async def waits() -> list[float]:
        taken = []
        for _ in range(200):
            begun = time.perf_counter()
            await asyncio.sleep(0.0011)
            taken.append(time.perf_counter() - begun)
        return taken

    assert min(background.run(waits(), 60)) < 0.0019, "not only at the next whole millisecond"


def test_uvloop_runs_it_where_that_is_asked_for() -> None:
    told = (
        "import asyncio; from currant_lab.loop import background\n"
        "async def which(): return type(asyncio.get_running_loop()).__module__\n"
        "print(background.run(which()))"
    )
    env = os.environ | {"CURRANT_LOOP": "uvloop"}
    done = subprocess.run([sys.executable, "-c", told], env=env, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "uvloop"


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURRANT_LOOP", "gevent")
    with pytest.raises(CurrantError, match="CURRANT_LOOP is asyncio or uvloop, not 'gevent'"):
        _ = BackgroundLoop().loop


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURRANT_LOOP", "uvloop")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(CurrantError, match=r"pip install 'currant-lab\[uvloop\]'"):
        _ = BackgroundLoop().loop
