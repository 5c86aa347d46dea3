"""What the model has found, played by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from currant_lab.ids import new_ids
from currant_lab.loop import background
from currant_lab.status import Record, Status
from tests.conftest import Leased
from tests.model.base import Claim, Life, Step
from tests.model.machine import Machine


@pytest.fixture
def machine(leased: Leased) -> Iterator[Machine]:
    conn = background.run(leased.connect())
    yield Machine(conn, leased.schema, [0])
    background.run(conn.close())


def check(machine: Machine) -> None:
    machine.the_books_say_what_the_model_says()
    machine.so_do_ties_and_records()
    machine.what_is_put_away_is_found_by_what_it_awaits()


def one(machine: Machine) -> bytes:
    (id,) = machine.submit(1, "one", 0, 5, 0.0)
    return id


def tied(machine: Machine, *parents: bytes) -> bytes:
    id: bytes = machine.submit_tied(parents=list(parents), maps=[], queue="one", delay=0.0)
    return id


def claimed(machine: Machine) -> Claim:
    """The oldest that is pending, claimed by a new pool."""
    machine.claim(pool=machine.begin_pool(), count=1, queue="one", is_alone=True)
    return machine.given[-1]


def with_step(machine: Machine) -> tuple[Claim, Claim]:
    """A run and the execution that its first step is, both running."""
    one(machine)
    run = claimed(machine)
    (child,) = new_ids(1)
    step = Step("run", "go", child)
    assert machine._write(run, 1, step, "one", 0.0)
    machine.steps[run.id].append(step)
    machine.lives[child] = Life(Record(Status.PENDING), "one", 0)
    return run, claimed(machine)


def rerun(machine: Machine, id: bytes, step: int) -> None:
    machine.rerun_from(id, step)
    check(machine)


@pytest.mark.parametrize("outcome", ["retry now", "retry later", "succeeded", "failed", "cancelled"])
def test_a_run_ends_cancelled_together_with_the_outcome_of_its_step(machine: Machine, outcome: str) -> None:
    """Where the step was to be tried again the statement failed for ever, and held up all its pool had to settle."""
    run, child = with_step(machine)
    machine.settle_all({run: "cancelled", child: outcome})
    check(machine)


def test_children_come_back_with_a_run_that_goes_on(machine: Machine) -> None:
    run, child = with_step(machine)
    waits = tied(machine, run.id)
    machine.settle_all({child: "failed", run: "failed"})
    assert machine.lives[waits].is_blamed
    rerun(machine, run.id, 1)
    assert machine.lives[waits].record.status == Status.WAITING
    machine.settle_all({claimed(machine): "succeeded"})
    assert machine.lives[waits].record.status == Status.PENDING
    check(machine)


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_fork_that_is_cancelled_leaves_alone_what_it_was_given(machine: Machine, is_begun: bool) -> None:
    """Once it had begun a step of its own, it took the steps of the other run along."""
    run, child = with_step(machine)
    copy: bytes = machine.fork_at(run.id, 2)
    if is_begun:
        call = Step("call", "go", is_over=True)
        claim = claimed(machine)
        assert machine._write(claim, 2, call, "one", 0.0)
        machine.steps[copy].append(call)
        machine.settle_all({claim: "cancelled"})
    else:
        machine.cancel(chosen=[copy])
    assert machine.lives[copy].record.status == Status.CANCELLED
    assert machine.holds(child)
    assert not machine.lives[child.id].record.cancelling
    check(machine)


def test_a_parent_that_succeeds_twice_counts_once(machine: Machine) -> None:
    """Its child began before its other parent had ended."""
    one(machine)
    first = claimed(machine)
    other = one(machine)
    second = claimed(machine)
    assert second.id == other
    waits = tied(machine, first.id, other)
    machine.settle_all({first: "succeeded"})
    rerun(machine, first.id, 1)
    machine.settle_all({claimed(machine): "succeeded"})
    assert machine.lives[waits].record.status == Status.WAITING
    check(machine)
    machine.settle_all({second: "succeeded"})
    assert machine.lives[waits].record.status == Status.PENDING
    check(machine)


def test_what_waits_for_its_parents_is_not_begun_by_a_rerun(machine: Machine) -> None:
    one(machine)
    parent = claimed(machine)
    waits = tied(machine, parent.id)
    rerun(machine, waits, 1)
    assert machine.lives[waits].record.status == Status.WAITING
    machine.settle_all({parent: "failed"})
    assert machine.lives[waits].is_blamed
    rerun(machine, waits, 1)
    assert machine.lives[waits].is_blamed


def test_a_run_whose_parent_has_failed_since_ends_cancelled_when_it_is_retried(machine: Machine) -> None:
    """It has steps, and waited for ever."""
    parent_id = one(machine)
    parent = claimed(machine)
    run_id = tied(machine, parent_id)
    machine.settle_all({parent: "succeeded"})
    run = claimed(machine)
    assert run.id == run_id
    step = Step("call", "go", is_over=True)
    assert machine._write(run, 1, step, "one", 0.0)
    machine.steps[run_id].append(step)
    machine.settle_all({run: "failed"})
    rerun(machine, parent_id, 1)
    machine.settle_all({claimed(machine): "failed"})
    machine.retry(chosen=[run_id])
    check(machine)
    assert machine.lives[run_id].is_blamed
