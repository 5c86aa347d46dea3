"""The life of an execution: as a table, and as a machine that does whatever may be done in any order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from currant_lab.status import FINAL, MINIMUM_RESCUES, Action, Record, Status, TransitionError, rescue_limit, step

TABLE = {
    (Status.SCHEDULED, Action.PROMOTE): Status.PENDING,
    (Status.SCHEDULED, Action.CANCEL): Status.CANCELLED,
    (Status.WAITING, Action.CANCEL): Status.CANCELLED,
    (Status.WAITING, Action.READY): Status.PENDING,
    (Status.WAITING, Action.READY_LATER): Status.SCHEDULED,
    (Status.PENDING, Action.CANCEL): Status.CANCELLED,
    (Status.PENDING, Action.CLAIM): Status.RUNNING,
    (Status.RUNNING, Action.RELEASE): Status.PENDING,
    (Status.RUNNING, Action.PUT_AWAY): Status.WAITING,
    (Status.RUNNING, Action.PUT_AWAY_LATER): Status.SCHEDULED,
    (Status.WAITING, Action.BRING_BACK): Status.PENDING,
    (Status.SCHEDULED, Action.BRING_BACK): Status.PENDING,
    (Status.RUNNING, Action.RESCUE): Status.PENDING,
    (Status.RUNNING, Action.SUCCEED): Status.SUCCEEDED,
    (Status.RUNNING, Action.FAIL): Status.FAILED,
    (Status.RUNNING, Action.RETRY_LATER): Status.SCHEDULED,
    (Status.RUNNING, Action.RETRY_NOW): Status.PENDING,
    (Status.RUNNING, Action.SETTLE_CANCELLED): Status.CANCELLED,
    (Status.RUNNING, Action.CANCEL): Status.RUNNING,
    (Status.FAILED, Action.REVIVE): Status.PENDING,
    (Status.CANCELLED, Action.REVIVE): Status.PENDING,
}

WHILE_CANCELLING = {
    Action.RELEASE: Status.CANCELLED,
    Action.PUT_AWAY: Status.CANCELLED,
    Action.PUT_AWAY_LATER: Status.CANCELLED,
    Action.RESCUE: Status.CANCELLED,
    Action.RETRY_LATER: Status.CANCELLED,
    Action.RETRY_NOW: Status.CANCELLED,
    Action.SUCCEED: Status.SUCCEEDED,
    Action.FAIL: Status.FAILED,
    Action.SETTLE_CANCELLED: Status.CANCELLED,
    Action.CANCEL: Status.RUNNING,
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", Status)
def test_every_action_in_every_status(status: Status, action: Action) -> None:
    before = Record(status, attempt=2, token=5, rescues=1, retries=3)
    if (status, action) not in TABLE:
        with pytest.raises(TransitionError, match=f"{status} cannot {action}"):
            step(before, action)
        return
    after = step(before, action)
    assert after.status == TABLE[status, action]
    expected = {
        Action.CLAIM: {"attempt": 3, "token": 6},
        Action.RELEASE: {"attempt": 1},
        Action.PUT_AWAY: {"attempt": 1},
        Action.PUT_AWAY_LATER: {"attempt": 1},
        Action.RESCUE: {"rescues": 2},
        Action.REVIVE: {"attempt": 0, "rescues": 0},
    }.get(action, {})
    if (status, action) == (Status.RUNNING, Action.CANCEL):
        expected = {"cancelling": True}
    assert after == replace(before, status=after.status, **expected)


@pytest.mark.parametrize(("action", "status"), WHILE_CANCELLING.items())
def test_what_is_being_cancelled_never_waits_again(action: Action, status: Status) -> None:
    assert step(Record(Status.RUNNING, 1, 1, cancelling=True), action).status == status


@pytest.mark.parametrize("retries", [0, 1, 3, 7])
def test_rescues_end_with_the_retries_but_not_before_three(retries: int) -> None:
    record = Record(Status.PENDING, retries=retries)
    for _ in range(max(retries, MINIMUM_RESCUES)):
        record = step(step(record, Action.CLAIM), Action.RESCUE)
        assert record.status == Status.PENDING
    assert record.rescues == rescue_limit(retries)
    assert step(step(record, Action.CLAIM), Action.RESCUE).status == Status.FAILED


class Life(RuleBasedStateMachine):
    """Every sequence of actions keeps the books right."""

    @initialize(status=st.sampled_from([Status.SCHEDULED, Status.PENDING, Status.WAITING]), retries=st.integers(0, 5))
    def submit(self, status: Status, retries: int) -> None:
        self.record = Record(status, retries=retries)
        self.claims = self.given_back = 0

    @precondition(lambda self: hasattr(self, "record"))
    @rule(action=st.sampled_from(Action))
    def act(self, action: Action) -> None:
        before = self.record
        if (before.status, action) not in TABLE:
            with pytest.raises(TransitionError):
                step(before, action)
            return
        after = self.record = step(before, action)
        self.claims += action is Action.CLAIM
        self.given_back += action in (Action.RELEASE, Action.PUT_AWAY, Action.PUT_AWAY_LATER)
        if action is Action.REVIVE:
            self.given_back = self.claims
        assert after.token == self.claims
        assert after.attempt == self.claims - self.given_back
        if before.status in FINAL:
            assert action is Action.REVIVE
        if before.cancelling and after.status != Status.RUNNING:
            assert after.status in FINAL or action is Action.REVIVE

    @invariant()
    def books(self) -> None:
        if hasattr(self, "record"):
            record = self.record
            assert 0 <= record.rescues <= min(record.attempt, rescue_limit(record.retries))
            assert record.attempt <= record.token
            assert record.status in (Status.RUNNING, *FINAL) or not record.cancelling


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_any_life = Life.TestCase
