"""A pool's pace: what is counted stays, whatever the time does, and the space is bounded."""

from __future__ import annotations

import pytest

from currant_lab.outcomes import Outcome
from currant_lab.pool.pace import Pace


def outcomes(**counts: int) -> list[Outcome]:
    return [Outcome(b"", 0, 1, status) for status, count in counts.items() for _ in range(count)]


def test_seconds_hold_what_happened_in_them() -> None:
    pace = Pace(100.0)
    pace.working(100.5, 2, 2)
    pace.settled(102.2, outcomes(succeeded=1, failed=1, cancelled=2, retry=3))
    pace.working(102.25, 0)
    slots, step = pace.read(104.0)
    assert step == 1
    assert len(slots) == 5
    assert slots[0][:5] == (2, 0, 0, 0, 0)
    assert slots[2][:5] == (0, 1, 1, 2, 3)
    assert [slot.busy_s for slot in slots] == [1.0, 2.0, 0.5, 0.0, 0.0]


def test_days_fit_and_nothing_is_lost() -> None:
    pace = Pace(0.0)
    for hour in range(0, 3 * 86_400, 3_600):
        pace.working(hour, 4, 10)
        pace.settled(hour + 0.5, outcomes(succeeded=10))
    slots, step = pace.read(3 * 86_400.0)
    assert step == 128
    assert len(slots) <= 3_600
    assert sum(slot.started for slot in slots) == sum(slot.succeeded for slot in slots) == 720
    assert sum(slot.busy_s for slot in slots) == pytest.approx(4 * 3 * 86_400)
    assert max(slot.busy_s for slot in slots) == pytest.approx(4 * 128)


def test_time_stops_at_the_end_and_going_back_does_no_harm() -> None:
    pace = Pace(10.0)
    pace.working(12.0, 1, 1)
    pace.working(11.0, 1, 1)
    pace.end(13.0)
    slots, _ = pace.read(99.0)
    assert len(slots) == 4
    assert sum(slot.started for slot in slots) == 2
    assert sum(slot.busy_s for slot in slots) == 1.0
