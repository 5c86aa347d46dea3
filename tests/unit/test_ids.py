"""Ids: UUIDv7, in order, apart from those of other processes."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
import time
from uuid import UUID

import pytest

from currant_lab import ids
from currant_lab.ids import new_id, new_ids, parse_id


def test_they_are_uuid_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    made = new_ids(3)
    after = time.time_ns() // 1_000_000
    for one in made:
        uuid = UUID(bytes=one)
        assert uuid.version == 7
        assert uuid.variant == "specified in RFC 4122"
        assert before <= uuid.int >> 80 <= after


def test_they_ascend_and_those_of_one_call_are_contiguous() -> None:
    seen: list[bytes] = []
    for count in (1, 1, 10_000, 1, 3, 0, 500) * 20:
        made = new_ids(count)
        numbers = [int.from_bytes(one, "big") for one in made]
        assert numbers == list(range(numbers[0], numbers[0] + count)) if count else made == []
        seen += made
    assert all(earlier < later for earlier, later in itertools.pairwise(seen))


def test_they_ascend_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_000_000_000)
    assert first < new_id() < new_id()


def test_random_bits_never_run_into_the_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids.os, "urandom", lambda size: b"\xff" * size)
    last = new_id()
    for _ in range(3):
        made = new_ids(100_000)
        assert last < made[0] < made[-1]
        assert {UUID(bytes=one).version for one in (made[0], made[-1])} == {7}
        assert {UUID(bytes=one).variant for one in (made[0], made[-1])} == {"specified in RFC 4122"}
        last = made[-1]


def test_a_run_that_would_carry_into_the_variant_begins_a_new_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    full = int.from_bytes(new_id(), "big") | (2**62 - 1)
    monkeypatch.setattr(ids, "_last", full - 5)
    made = new_ids(10)
    assert int.from_bytes(made[0], "big") > full
    assert {UUID(bytes=one).version for one in made} == {7}
    assert {UUID(bytes=one).variant for one in made} == {"specified in RFC 4122"}


def test_threads_never_get_the_same() -> None:
    made: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: made.append([new_id() for _ in range(2_000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in made)
    assert len({one for mine in made for one in mine}) == 8_000


def _in_child(writing: int) -> None:
    os.write(writing, b"".join(new_id() for _ in range(50)))


def test_a_forked_child_makes_others() -> None:
    new_id()
    ids._lock.acquire()  # as another thread might hold it at the moment of the fork
    reading, writing = os.pipe()
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(writing,))
    try:
        child.start()
    finally:
        ids._lock.release()
    child.join(20)
    os.close(writing)
    data = b""
    while part := os.read(reading, 4096):
        data += part
    os.close(reading)
    theirs = {data[i : i + 16] for i in range(0, len(data), 16)}
    assert len(theirs) == 50
    assert not theirs & {new_id() for _ in range(50)}


def test_parsing() -> None:
    one = new_id()
    uuid = UUID(bytes=one)
    for form in (uuid, str(uuid), uuid.hex, f"{{{uuid}}}", uuid.urn, one):
        assert parse_id(form) == one
    for wrong in ("", "7", "x" * 36, b"short", None, 3, "\ud800"):
        with pytest.raises(ValueError, match="execution id"):
            parse_id(wrong)  # type: ignore[arg-type]
