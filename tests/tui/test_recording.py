"""Recordings: a replay shows what was there, a damaged file shows what is whole, a full one keeps the newest."""

from __future__ import annotations

import asyncio
import random
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from currant_lab.database.inspect import QueueCount
from currant_lab.errors import CurrantError
from currant_lab.events import Event, Tally
from currant_lab.latency import bucket_of
from currant_lab.settings import load
from currant_lab.watch.live import Live
from currant_lab.watch.recording import Recorder
from currant_lab.watch.replay import Replay
from currant_lab.watch.snapshot import Snapshot
from currant_lab.watch.state import State
from currant_lab.watch.tape import frames_of
from tests.conftest import Leased
from tests.watch.test_live import POOL

T0 = 1_800_000_000.0


def encode(state: State) -> bytes:
    """A state to compare: nan is equal to nan in it, and 0 to 0.0."""
    return msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _event(number: int) -> Event:
    tally = Tally(claims=1, claimed=5, outcomes={"succeeded": 5}, wait_us=[(bucket_of(100 + number), 5)])
    return Event(v=1, pool=1, name="lab", workers=4, queues={"mail": tally})


def _snapshot(now: float, pending: int) -> Snapshot:
    count = QueueCount(name="mail", pending=pending, running=0, scheduled=0, exact=True, paused_at=None)
    return Snapshot(at=now, queues=(count,))


async def _record(path: Path, seconds: int, *, limit: int = 2**26) -> tuple[Recorder, list[bytes]]:
    """A recording of `seconds` with an event in each; and the whole state at each."""
    clock = Clock()
    recorder = Recorder(path, limit=limit, clock=clock)
    board = recorder.board
    board.describe(database="postgresql://here/lab", server_version="18.1", schema="currant")
    states: list[bytes] = []
    for number in range(seconds):
        now = T0 + number
        if number % 2 == 0:
            board.reconcile(_snapshot(now, number))
        board.fold(_event(number), now)
        if number == 20:
            board.lost("gone", now)
        if number == 25:
            board.dropped(3, now)
        board.advance(now)
        states.append(encode(board.state))
        await recorder.flush()
        clock.now += 1.0
    clock.now -= 1.0
    await recorder.close()
    return recorder, states


async def test_a_replay_is_what_was_there_at_every_second(tmp_path: Path) -> None:
    recorder, states = await _record(tmp_path / "run.cur", 150)
    assert recorder.trouble is None
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600
    replay = Replay(recorder.path)
    assert (replay.duration_s, replay.damaged) == (149.0, 0)
    places = list(range(150))
    random.Random(7).shuffle(places)
    for second in [0, 149, *places[:60], 149]:
        replay.seek(second)
        assert encode(replay.board.state) == states[second], f"at {second} s"
    await replay.close()


async def test_it_plays_at_its_speed_and_stands_at_the_end(tmp_path: Path) -> None:
    recorder, states = await _record(tmp_path / "run.cur", 90)
    clock = Clock()
    replay = Replay(recorder.path, clock=clock)
    playing = replay.changes()
    await anext(playing)
    replay.speed = 10.0
    clock.now += 4.0
    await anext(playing)
    assert (replay.position_s, encode(replay.board.state)) == (40.0, states[40])
    replay.paused = True
    clock.now += 9.0
    await anext(playing)
    assert replay.position_s == 40.0
    replay.paused = False
    clock.now += 100.0
    await anext(playing)
    assert (replay.position_s, replay.paused, encode(replay.board.state)) == (89.0, True, states[89])
    await replay.close()
    with pytest.raises(StopAsyncIteration):
        await anext(playing)


async def test_a_live_database_is_recorded(leased: Leased, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run.cur")
    live = Live(load(database=leased.url, schema=leased.schema), recorder.board)
    await live.open()
    recorder.start()
    env = leased.env
    with subprocess.Popen([sys.executable, "-c", POOL], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as pool:
        async for _ in live.changes():
            if live.board.totals().run.count >= 200 and (snapshot := live.board.snapshot) and snapshot.pools:
                break
        pool.communicate()
    await live.close()
    await recorder.close()
    replay = Replay(recorder.path)
    replay.seek(replay.duration_s)
    replay.board.advance(live.board.now)
    live.board.advance(replay.board.now)
    assert encode(replay.board.state) == encode(live.board.state)
    assert replay.board.totals().run.count >= 200
    assert [pool.name for pool in replay.board.pools()] == ["watched"]
    await replay.close()


async def test_a_file_cut_or_changed_anywhere_replays_what_is_whole(tmp_path: Path) -> None:
    recorder, states = await _record(tmp_path / "run.cur", 70)
    whole = recorder.path.read_bytes()
    frames, _ = frames_of(recorder.path)
    told = [frame.at for frame in frames]

    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, len(whole) - 1), st.booleans(), st.integers(1, 255))
    def damaged(place: int, is_cut: bool, flip: int) -> None:
        path = tmp_path / "damaged.cur"
        changed = bytes([whole[place] ^ flip])
        path.write_bytes(whole[:place] + (b"" if is_cut else changed + whole[place + 1 :]))
        try:
            replay = Replay(path)
        except CurrantError as error:
            assert place < frames[1].offset
            assert str(path) in str(error)  # noqa: PT017
            return
        assert replay.damaged or (is_cut and place in [frame.offset + frame.size for frame in frames])
        for at in [frame.at for frame in frames if frame.offset + frame.size <= place][-3:]:
            replay.seek(at)
            assert encode(replay.board.state) == states[int(at)]
        replay.seek(replay.duration_s)
        if not is_cut and place < frames[-9].offset and replay.duration_s == told[-1]:
            assert encode(replay.board.state) == states[-1], "from the next whole state on, all is there again"
        asyncio.run(replay.close())

    await asyncio.to_thread(damaged)


async def test_a_full_file_keeps_the_newest(tmp_path: Path) -> None:
    limit = 40_000
    recorder, states = await _record(tmp_path / "run.cur", 400, limit=limit)
    assert recorder.trouble is None
    assert recorder.path.stat().st_size == recorder.size <= limit
    assert [path.name for path in tmp_path.iterdir()] == ["run.cur"]
    replay = Replay(recorder.path)
    assert 60 < replay.duration_s < 380
    replay.seek(0)
    assert encode(replay.board.state) == states[399 - int(replay.duration_s)]
    replay.seek(replay.duration_s)
    assert encode(replay.board.state) == states[399]
    await replay.close()


async def test_a_file_that_cannot_hold_one_state_ends_the_recording_with_a_word(tmp_path: Path) -> None:
    recorder, _ = await _record(tmp_path / "run.cur", 5, limit=1_000)
    assert recorder.trouble == "the recording has ended: 1,000 bytes are too few for a recording of this database"


def test_what_is_no_recording_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "run.cur"
    with pytest.raises(CurrantError, match="No such file"):
        Replay(path)
    path.write_bytes(b"id,job\n1,a\n")
    with pytest.raises(CurrantError, match="is no recording"):
        Replay(path)
    with pytest.raises(CurrantError, match="stays as it is"):
        Recorder(path)
    assert path.read_bytes() == b"id,job\n1,a\n"
    path.write_bytes(b"CURRANT RECORDING 2\n")
    with pytest.raises(CurrantError, match="version 2"):
        Replay(path)
    path.write_bytes(b"CURRANT RECORDING 1\n")
    with pytest.raises(CurrantError, match="cut off before its first state"):
        Replay(path)
    with pytest.raises(CurrantError, match="can't be written"):
        Recorder(tmp_path / "nowhere" / "run.cur")
