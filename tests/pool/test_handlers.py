"""What handlers do, good and bad, and what becomes of their executions: through a real pool and its engine."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.pool import attempt
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import KINDS, PATIENCE, Signals, busily_forever, endless, failure, until, works


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Deadly(Exception):
    def __str__(self) -> str:
        raise SystemExit(7)


class Rooted(BaseException):
    """Not even an Exception."""


ERRORS: dict[str, Callable[[], BaseException]] = {
    "base": lambda: Rooted("deep"),
    "exit": lambda: SystemExit(3),
    "interrupt": lambda: KeyboardInterrupt("now"),
    "unspeakable": Unspeakable,
    "deadly": Deadly,
    "cancelled": lambda: asyncio.CancelledError("by itself"),
    "characters": lambda: ValueError("a\0b\ud800c"),
    "long": lambda: ValueError("x" * 5_000_000),
    "group": lambda: BaseExceptionGroup("two", [ValueError("a"), Rooted("b")]),
    "stop": lambda: StopIteration(3),
}


@job
async def raises(kind: str) -> None:
    error = ERRORS[kind]()
    raise error


@job
def raises_plainly(kind: str) -> None:
    error = ERRORS[kind]()
    raise error


@job
async def exits_in_a_task() -> None:
    async def inner() -> None:
        raise SystemExit(4)

    await asyncio.gather(inner(), return_exceptions=False)


@dataclass
class Explosive:
    """A value that can't even be looked at."""

    name: str = "boom"

    def __getattribute__(self, name: str) -> Any:
        if name == "name":
            raise LookupError("don't look")
        return super().__getattribute__(name)


RESULTS: dict[str, Callable[[], Any]] = {
    "nan": lambda: [1.0, float("nan")],
    "object": object,
    "function": lambda: Signals,
    "large": lambda: "x" * (17 * 1024 * 1024),
    "nul": lambda: {"text": "a\0b"},
    "surrogate": lambda: "\ud800",
    "surrogate key": lambda: {"\ud800": object()},
    "int": lambda: 2**64,
    "keys": lambda: {1: 2},
    "generator": lambda: iter([1]),
    "lock": threading.Lock,
}


@job
async def returns(kind: str) -> Any:
    return RESULTS[kind]()


@job
def returns_plainly(kind: str) -> Any:
    return RESULTS[kind]()


@job
def returns_a_coroutine() -> Any:
    return asyncio.sleep(0)


@job
async def forgets_await() -> Any:
    return asyncio.sleep(0)


# What handlers raise.


@pytest.mark.parametrize("handler", [raises, raises_plainly], ids=["async", "plain"])
def test_whatever_a_handler_raises_fails_its_execution_and_nothing_else(pool: Pool, handler: Any) -> None:
    batch = handler.map(ERRORS)
    results = dict(zip(ERRORS, batch.results(PATIENCE, on_error="return"), strict=True))
    found = {kind: (error.type, error.message) for kind, error in results.items()}
    text = found.pop("long")[1]
    assert 3_000 < len(text) < 5_000
    assert text.startswith("xxx")
    here = "tests.pool.test_handlers"
    is_async = handler is raises
    assert found == {
        "base": (f"{here}.Rooted", "deep"),
        "exit": ("SystemExit", "3"),
        "interrupt": ("KeyboardInterrupt", "now"),
        "unspeakable": (f"{here}.Unspeakable", "<str() of this Unspeakable raised RuntimeError>"),
        "deadly": (f"{here}.Deadly", "<str() of this Deadly raised SystemExit>"),
        "cancelled": ("asyncio.exceptions.CancelledError", "by itself"),
        "characters": ("ValueError", "a\\x00b\\ud800c"),
        "group": ("BaseExceptionGroup", "two (2 sub-exceptions)"),
        "stop": ("RuntimeError", "coroutine raised StopIteration") if is_async else ("StopIteration", "3"),
    }
    for kind, error in results.items():
        assert error.attempt == 1
        if kind != "deadly":
            assert f"in {handler.__name__}" in error.traceback, kind
        if kind != "stop":  # there the interpreter leaves no frame of the handler, so ours is all there is
            assert "currant_lab/pool" not in error.traceback
    assert batch.counts() == {"failed": len(ERRORS)}
    works(pool)


def test_a_system_exit_in_a_task_of_the_handlers_own_does_not_end_the_pool(pool: Pool) -> None:
    assert failure(exits_in_a_task.submit()).type == "SystemExit"
    works(pool)


# What handlers return.


@pytest.mark.parametrize("handler", [returns, returns_plainly], ids=["async", "plain"])
def test_a_result_that_is_not_data_fails_its_execution_and_its_batch_goes_on(pool: Pool, handler: Any) -> None:
    batch = handler.map(RESULTS)
    errors = dict(zip(RESULTS, batch.results(PATIENCE, on_error="return"), strict=True))
    for kind, error in errors.items():
        assert error.type == "NotStorable", (kind, error)
        assert error.message.startswith("result"), (kind, error)
        error.message.encode()
    assert "result[1]: nan" in errors["nan"].message
    assert "17,825,794 bytes" in errors["large"].message
    assert "CURRANT_PAYLOAD_LIMIT" in errors["large"].message
    assert "result['text']" in errors["nul"].message
    works(pool)


def test_a_result_that_raises_when_it_is_looked_at_fails_its_execution(pool: Pool) -> None:
    @job
    async def explosive() -> Any:
        return Explosive()

    assert failure(explosive.submit()).type in ("LookupError", "NotStorable")
    works(pool)


@pytest.mark.parametrize("handler", [returns_a_coroutine, forgets_await], ids=["plain", "async"])
def test_a_returned_coroutine_is_named_as_what_it_is(pool: Pool, handler: Any) -> None:
    error = failure(handler.submit())
    assert error.type == "NotStorable"
    assert "must await it" in error.message
    works(pool)


def test_data_that_json_lacks_comes_back_by_its_annotation(pool: Pool) -> None:
    @job
    def price(when: datetime, amount: decimal.Decimal) -> tuple[datetime, decimal.Decimal]:
        assert isinstance(when, datetime)
        return when, amount * 2

    when = datetime(2026, 1, 2, tzinfo=UTC)
    assert price.submit(when, decimal.Decimal("1.10")).result(PATIENCE) == (when, decimal.Decimal("2.20"))


# What is printed. The pool starts inside the test: pytest puts its own streams in place before each.


def test_a_hundred_megabytes_of_print_stay_bounded(start: Callable[..., Pool]) -> None:
    start()

    @job
    def prints_much() -> str:
        line = "x" * 999_999
        for _ in range(100):
            print(line)
        print("the end")
        return "done"

    e = prints_much.submit()
    assert e.result(PATIENCE) == "done"
    assert e.logs is not None
    assert len(e.logs) < 65_000
    assert e.logs.endswith("the end\n")
    assert "characters left out" in e.logs


@pytest.mark.parametrize("is_async", [True, False])
def test_unstorable_characters_in_the_output_are_escaped(start: Callable[..., Pool], is_async: bool) -> None:
    start()

    @job(name=f"odd output {is_async}")
    def plain() -> int:
        print("a\0b\ud800c")
        return 1

    @job(name=f"odd output {is_async}")
    async def on_loop() -> int:
        print("a\0b\ud800c")
        return 1

    e = (on_loop if is_async else plain).submit()
    assert e.result(PATIENCE) == 1
    assert e.logs == "a\\x00b\\ud800c\n"


# Retry, Cancel and their like.


def test_retries_3_runs_four_times_and_says_each_failure(pool: Pool, signals: Signals) -> None:
    @job(retries=3, backoff=0)
    async def never() -> None:
        signals.seen.append(currant.current().attempt)
        raise OSError("not today")

    error = failure(never.submit())
    assert (error.attempt, error.type) == (4, "OSError")
    assert signals.seen == [1, 2, 3, 4]


@pytest.mark.parametrize("after", [None, 0, 0.01, -3.0, float("nan")])
def test_retry_runs_again_even_without_a_policy(pool: Pool, signals: Signals, after: float | None) -> None:
    @job(backoff=0)
    def again() -> int:
        signals.seen.append(1)
        if len(signals.seen) < 3:
            raise currant.Retry(after)
        return len(signals.seen)

    e = again.submit()
    assert e.result(PATIENCE) == 3
    assert e.attempt == 3


def test_retry_keeps_to_the_policy_and_fails_in_the_end(pool: Pool, signals: Signals) -> None:
    @job(retries=1)
    async def again() -> None:
        signals.seen.append(1)
        raise currant.Retry(after=0)

    assert failure(again.submit()).type == "Retry"
    assert len(signals.seen) == 2


@pytest.mark.parametrize("after", [3600, float("inf"), 1e300])
def test_retry_after_is_scheduled(pool: Pool, signals: Signals, after: float) -> None:
    @job
    async def later() -> None:
        signals.started.set()
        raise currant.Retry(after=after)

    e = later.submit()
    assert signals.started.wait(PATIENCE)
    until(lambda: e.status == "scheduled")
    assert e.cancel()
    with pytest.raises(currant.ExecutionCancelled):
        e.result(PATIENCE)


@pytest.mark.parametrize("is_async", [True, False])
def test_cancel_ends_it_for_a_reason(pool: Pool, is_async: bool) -> None:
    @job(name=f"declines {is_async}", retries=3)
    def plain() -> None:
        raise currant.Cancel("the page is gone")

    @job(name=f"declines {is_async}", retries=3)
    async def on_loop() -> None:
        raise currant.Cancel("the page is gone")

    e = (on_loop if is_async else plain).submit()
    with pytest.raises(currant.ExecutionCancelled, match="the page is gone"):
        e.result(PATIENCE)
    assert (e.status, e.attempt) == ("cancelled", 1)


def test_a_backoff_of_any_size_is_kept_to(pool: Pool, signals: Signals) -> None:
    @job(retries=5, backoff=currant.Backoff(base=1e-300, factor=1e10, maximum=0.001))
    async def never() -> None:
        raise OSError

    assert failure(never.submit()).attempt == 6


# Timeouts, and cancels from outside.


@KINDS
def test_a_timeout_ends_the_handler(pool: Pool, signals: Signals, kind: str) -> None:
    error = failure(endless(signals, kind, timeout=0.5).submit())
    assert isinstance(error, currant.ExecutionTimeout)
    assert "0.5 s" in error.message
    assert signals.ended.wait(PATIENCE)
    works(pool)
    assert pool.stats().running == 0


@KINDS
def test_a_timeout_is_retried_like_a_failure(pool: Pool, signals: Signals, kind: str) -> None:
    assert failure(endless(signals, kind, timeout=0.02, retries=2, backoff=0).submit()).attempt == 3


def test_a_plain_handler_that_swallows_its_interruption_keeps_its_result(pool: Pool, signals: Signals) -> None:
    @job(timeout=0.5)
    def stubborn() -> str:
        try:
            busily_forever(signals)
        except BaseException as error:
            return type(error).__name__
        return "not interrupted"

    assert stubborn.submit().result(PATIENCE) == "HandlerInterrupted"
    works(pool)


def test_a_pending_execution_is_cancelled_at_once(start: Callable[..., Pool], signals: Signals) -> None:
    start(workers=1)
    handler = endless(signals, "async")
    running, waiting = handler.submit(), handler.submit()
    assert signals.started.wait(PATIENCE)
    assert waiting.cancel()
    with pytest.raises(currant.ExecutionCancelled):
        waiting.result(PATIENCE)
    assert waiting.status == "cancelled"
    assert running.status == "running"
    assert running.cancel()
    with pytest.raises(currant.ExecutionCancelled):
        running.result(PATIENCE)


@KINDS
def test_a_running_execution_is_cancelled(pool: Pool, signals: Signals, kind: str) -> None:
    e = endless(signals, kind, retries=3).submit()
    assert signals.started.wait(PATIENCE)
    assert e.cancel()
    with pytest.raises(currant.ExecutionCancelled):
        e.result(PATIENCE)
    assert signals.ended.wait(PATIENCE)
    assert (e.status, e.attempt) == ("cancelled", 1)
    assert not e.cancel()
    works(pool)


@KINDS
def test_a_running_execution_is_cancelled_from_another_process(
    pool: Pool, signals: Signals, kind: str, leased: Leased
) -> None:
    from tests.pool.test_pool import run

    e = endless(signals, kind).submit()
    assert signals.started.wait(PATIENCE)
    run(leased, f"assert currant.get({str(e.id)!r}).cancel()")
    with pytest.raises(currant.ExecutionCancelled):
        e.result(PATIENCE)
    assert signals.ended.wait(PATIENCE)
    works(pool)


@KINDS
def test_a_handler_that_ignores_its_end_does_not_keep_its_worker(
    start: Callable[..., Pool],
    signals: Signals,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(attempt, "GIVE_UP_S", 0.1)
    pool = start(workers=1)

    @job(timeout=0.5)
    async def stubborn() -> str:
        while not signals.go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        signals.ended.set()
        return "too late"

    @job(timeout=0.5)
    def in_c() -> str:
        try:
            signals.go_on.wait()
        finally:
            signals.ended.set()
        return "too late"

    execution = (stubborn if kind == "async" else in_c).submit()
    assert failure(execution).type == "ExecutionTimeout"
    works(pool)
    assert "was told to end (timeout) 0.1 s ago and goes on: its worker goes on without it" in caplog.text
    signals.go_on.set()
    assert signals.ended.wait(PATIENCE)
    works(pool)
    assert execution.refresh().status == "failed"
