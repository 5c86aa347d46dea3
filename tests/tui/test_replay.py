"""Looking at a recording: the header and the bar say where it stands, keys and mouse go through it, nothing acts."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from currant_tui.app import CurrantApp
from currant_tui.command import main
from currant_tui.replaying import ReplayBar, position_line
from currant_tui.view import Lab
from currant_tui.views import VIEWS
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.settings import load
from currant_lab.watch.live import Live
from currant_lab.watch.recording import Recorder
from currant_lab.watch.replay import Replay
from tests.conftest import Leased
from tests.tui.looking import screen_of, shown, submit

LIVELY = Path(__file__).parent / "fixtures" / "lively.cur"


def _app(at: float = 0.0, *, view: str = "overview", paused: bool = True) -> tuple[CurrantApp, Replay]:
    replay = Replay(LIVELY)
    replay.seek(at)
    replay.paused = paused
    return CurrantApp(Lab(replay, load(), read_only=True), view=view), replay


async def test_keys_go_through_a_recording() -> None:
    app, replay = _app(30.0)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await shown(app, pilot, lambda text: "‖ REPLAY" in text and "billing" in text)
        assert "db.example/jobs" in screen
        assert "READ-ONLY" in screen
        assert "LIVE" not in screen
        assert "0:30" in screen
        await pilot.press("right")
        assert replay.position_s == pytest.approx(35.0)
        await pilot.press("left", "left", "left")
        assert replay.position_s == pytest.approx(20.0)
        await pilot.press("L")
        assert replay.position_s == pytest.approx(80.0)
        await shown(app, pilot, lambda text: "pool reports lost" in text and "1:20" in text)
        await pilot.press("H", "H")
        assert replay.position_s == 0.0
        await shown(app, pilot, lambda text: "pool reports lost" not in text)
        await pilot.press("greater_than_sign", "greater_than_sign", "greater_than_sign")
        assert replay.speed == 10.0
        await shown(app, pilot, lambda text: "10x" in text)
        await pilot.press("less_than_sign")
        assert replay.speed == 5.0
        await pilot.press("space")
        await shown(app, pilot, lambda text: "▶ REPLAY" in text)
        await pilot.press("z", "dollar_sign")
        assert (replay.paused, replay.position_s) == (True, replay.duration_s)
        replay.speed = 0.25
        await pilot.press("space")
        assert (replay.paused, replay.position_s < replay.duration_s / 2) == (False, True), "at the end, it begins anew"


async def test_the_bar_is_scrubbed_by_the_mouse() -> None:
    app, replay = _app(30.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "billing" in text)
        _, begin, cells = position_line(app.query_one(ReplayBar).data, 80)
        await pilot.click(ReplayBar, offset=(begin + (cells - 1) // 2, 0))
        assert replay.position_s == pytest.approx(replay.duration_s / 2, rel=0.03)
        await pilot.mouse_down(ReplayBar, offset=(begin, 0))
        await pilot.hover(ReplayBar, offset=(begin + cells - 1, 0))
        await pilot.mouse_up(ReplayBar, offset=(begin + cells - 1, 0))
        assert replay.position_s == replay.duration_s


@pytest.mark.parametrize("one", VIEWS, ids=[one.id for one in VIEWS])
async def test_every_view_bears_a_recording(one: object) -> None:
    app, replay = _app(50.0, view=one.id)  # type: ignore[attr-defined]
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(app, pilot, lambda text: "REPLAY" in text)
        for _ in range(3):
            await pilot.press("right")
            await pilot.pause()
        assert app.view is not None
        assert app.view.id == one.id  # type: ignore[attr-defined]
        assert replay.position_s == pytest.approx(65.0)
        assert "Traceback" not in screen_of(app)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.integers(10, 240))
def test_the_bar_fits_its_line(position: float, duration: float, width: int) -> None:
    from currant_tui.drawing.lines import length
    from currant_tui.replaying import Position

    line, begin, cells = position_line(Position(min(position, duration), duration, 60.0, True), width)
    assert length(line) == max(width, length(line) - cells + 1)
    assert begin + cells <= length(line)


async def test_what_is_recorded_by_the_app_is_replayed_without_a_database(leased: Leased, tmp_path: Path) -> None:
    await submit(leased, 77, queue="mail")
    recorder = Recorder(tmp_path / "run.cur")
    live = Live(load(database=leased.url, schema=leased.schema), recorder.board)
    app = CurrantApp(Lab(live, live.settings, recorder=recorder))
    async with app.run_test(size=(100, 30)) as pilot:
        await shown(app, pilot, lambda text: "● REC" in text and "● LIVE" in text and "77" in text)
        await submit(leased, 11, queue="mail")
        await shown(app, pilot, lambda text: "88" in text)
    app = CurrantApp(Lab(Replay(tmp_path / "run.cur"), load(), read_only=True))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("dollar_sign")
        screen = await shown(app, pilot, lambda text: "88" in text)
        assert "REC" not in screen.replace("REPLAY", "")


async def test_a_recording_that_cannot_go_on_is_told(leased: Leased, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.cur", limit=1_000)
    live = Live(load(database=leased.url, schema=leased.schema), recorder.board)
    app = CurrantApp(Lab(live, live.settings, recorder=recorder))
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await shown(app, pilot, lambda text: "the recording has ended: 1,000 bytes are too few" in text)
        assert "● REC" not in screen


def test_one_picture_of_a_recording(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--replay", str(LIVELY), "--at", "1:20", "--once"]
    assert main([*words, "--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert {pool["name"]: pool["state"] for pool in read["pools"]} == {
        "crawler": "alive", "newsletter": "alive", "reports": "lost",
    }  # fmt: skip
    assert main([*words, "--svg", "--size", "80x24"]) == 0
    svg = capsys.readouterr().out
    ET.fromstring(svg)
    assert "db.example/jobs" in svg
    assert main(words) == 0
    assert "pool reports lost" in capsys.readouterr().out


def test_words_that_are_wrong_and_files_that_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--replay", str(tmp_path / "none.cur")]) == 1
    assert "No such file" in capsys.readouterr().err
    for words in (["--at", "3"], ["--svg"], ["--write"], ["--record", "a", "--replay", "b"], ["--once", "--web"]):
        assert main(words) == 2, words
    for words in (["--record-limit", "3"], ["--at", "soon"], ["--size", "big"]):
        with pytest.raises(SystemExit, match="2"):
            main(words)


async def test_a_database_that_is_not_there_is_told_and_leaves_no_recording(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.cur")
    live = Live(load(database="postgresql://nobody@127.0.0.1:1/nothing"), recorder.board)
    app = CurrantApp(Lab(live, live.settings, recorder=recorder))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(app, pilot, lambda text: "It is tried again" in text)
        assert "CURRANT_DATABASE_URL" in screen
        assert "CONNECTING" in screen
        await pilot.press("6")
        await pilot.pause()
        assert "It is tried again" in screen_of(app)
    assert app.failure is not None
    assert not (tmp_path / "run.cur").exists()
