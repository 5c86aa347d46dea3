"""The parts of a pool one by one: errors as data, verdicts, the bounded log, threads that can be interrupted."""

from __future__ import annotations

import logging
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.errors import Cancel, ExecutionTimeout, NotStorable, Retry
from currant_lab.jobs import Backoff, Policy
from currant_lab.pool.capture import HEAD_CHARS, TAIL_CHARS, Capture, Log, current_log
from currant_lab.pool.describe import MAX_MESSAGE, MAX_TRACEBACK, describe, storable_text
from currant_lab.pool.threads import DaemonThreads, HandlerInterrupted, ThreadCall
from currant_lab.pool.verdict import of_error, timed_out

PATIENCE = 20.0

# Errors as data.


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


class Fatal(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


class Odd(Exception):
    def __str__(self) -> str:
        return 7  # type: ignore[return-value]


class Elsewhere(Exception):
    __module__ = "odd\ud800\0module"


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("a"), "ValueError", "a"),
        (KeyError("a"), "KeyError", "'a'"),
        (Mute(), f"{__name__}.Mute", "<str() of this Mute raised RuntimeError>"),
        (Fatal(), f"{__name__}.Fatal", "<str() of this Fatal raised KeyboardInterrupt>"),
        (Odd(), f"{__name__}.Odd", "<str() of this Odd raised TypeError>"),
        (Elsewhere("x"), "odd\\ud800\\x00module.Elsewhere", "x"),
        (ValueError("a\0b\ud800"), "ValueError", "a\\x00b\\ud800"),
        (NotStorable("x"), "NotStorable", "x"),
        (ExceptionGroup("g", [ValueError(1)]), "ExceptionGroup", "g (1 sub-exception)"),
    ],
)
def test_nothing_an_exception_does_keeps_it_from_being_described(error: Exception, kind: str, message: str) -> None:
    info = describe(raised(error))
    assert (info.type, info.message) == (kind, message)
    assert info.traceback
    for text in (info.type, info.message, info.traceback, info.to_json()):
        text.encode()
        assert "\0" not in text


def test_a_long_message_and_a_deep_traceback_are_shortened() -> None:
    def deep(count: int) -> None:
        if count:
            (deep if count % 2 else deeper)(count - 1)
        raise ValueError("x" * 1_000_000)

    def deeper(count: int) -> None:
        deep(count)

    info = describe(raised_by(lambda: deep(200)))
    assert MAX_MESSAGE < len(info.message) < MAX_MESSAGE + 60
    assert MAX_TRACEBACK < len(info.traceback) < MAX_TRACEBACK + 60
    assert "characters left out" in info.message


def raised_by(call: Callable[[], Any]) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("it didn't raise")


def test_causes_are_told_and_own_frames_are_not() -> None:
    def inner() -> None:
        raise OSError("first")

    def outer() -> None:
        try:
            inner()
        except OSError as error:
            raise ValueError("second") from error

    error = raised_by(outer)
    whole, own = describe(error).traceback, describe(error, own_frames=1).traceback
    assert "OSError: first" in whole
    assert "in raised_by" in whole
    assert "in raised_by" not in own
    assert "in outer" in own
    assert "in outer" in describe(error, own_frames=50).traceback


@given(st.text(st.characters()))
def test_any_text_becomes_storable_and_good_text_stays(text: str) -> None:
    stored = storable_text(text)
    stored.encode()
    assert "\0" not in stored
    if "\0" not in text and not any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        assert stored == text


# Verdicts.

ONCE, THRICE = Policy(), Policy(retries=2, backoff=Backoff(base=4, factor=2, jitter=0))

VERDICTS = [
    (ValueError(), ONCE, 1, "failed", 0),
    (ValueError(), THRICE, 1, "retry", 4),
    (ValueError(), THRICE, 2, "retry", 8),
    (ValueError(), THRICE, 3, "failed", 0),
    (timed_out(3), THRICE, 1, "retry", 4),
    (Cancel("why"), THRICE, 1, "cancelled", 0),
    (SystemExit(), THRICE, 1, "failed", 0),
    (KeyboardInterrupt(), THRICE, 1, "failed", 0),
    (NotStorable(), THRICE, 1, "failed", 0),
    (GeneratorExit(), THRICE, 1, "retry", 4),
    (Retry(), THRICE, 2, "retry", 8),
    (Retry(after=0), THRICE, 2, "retry", 0),
    (Retry(after=30), THRICE, 2, "retry", 30),
    (Retry(after=30), THRICE, 3, "failed", 0),
    (Retry(after=30), ONCE, 99, "retry", 30),
    (Retry(after=-5), ONCE, 1, "retry", 0),
    (Retry(after=float("nan")), THRICE, 1, "retry", 4),
    (Retry(after=float("inf")), ONCE, 1, "retry", 100 * 366 * 86_400),
]


@pytest.mark.parametrize(("error", "policy", "failures", "status", "delay"), VERDICTS)
def test_verdicts(error: BaseException, policy: Policy, failures: int, status: str, delay: float) -> None:
    info = describe(error)
    verdict = of_error(error, info, policy, failures)
    assert (verdict.status, verdict.delay, verdict.error) == (status, delay, info)


def test_a_timeout_says_how_long() -> None:
    assert isinstance(timed_out(1.5), ExecutionTimeout)
    assert "1.5 s" in timed_out(1.5).message


# The log.


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50), max_size=30))
def test_a_short_log_is_kept_whole(parts: list[str]) -> None:
    log = Log()
    for part in parts:
        log.write(part)
    assert (log.text() or "") == "".join(parts)


@pytest.mark.parametrize("size", [1, 7, 999, 70_000, 1_000_000])
def test_a_long_log_keeps_its_head_and_its_tail(size: int) -> None:
    log = Log()
    whole = "".join(f"{number:08d}" for number in range(40_000))
    for start in range(0, len(whole), size):
        log.write(whole[start : start + size])
    text = log.text()
    assert text is not None
    assert text.startswith(whole[:HEAD_CHARS])
    assert text.endswith(whole[-TAIL_CHARS:])
    left_out = len(whole) - HEAD_CHARS - TAIL_CHARS
    assert f"{left_out:,} characters left out" in text
    assert len(text) < HEAD_CHARS + TAIL_CHARS + 60


def test_a_hundred_megabytes_cost_little_memory() -> None:
    log, line = Log(), "x" * 99 + "\n"
    tracemalloc.start()
    try:
        for _ in range(1_000):
            log.write(line * 1_000)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert log.written == 100_000_000
    assert kept < 500_000
    assert peak < 2_000_000


def test_what_a_handler_writes_goes_to_its_log_and_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, log = Capture(), Log()
    before = sys.stdout, sys.stderr

    def handler() -> None:
        current_log.set(log)
        print("out", flush=True)
        print("err", file=sys.stderr)
        logging.getLogger("somebody").warning("careful %s", "now")
        assert not sys.stdout.isatty()

    capture.install()
    capture.install()  # twice is once
    try:
        print("outside")
        copy_context().run(handler)
    finally:
        capture.remove()
    assert log.text() == "out\nerr\nWARNING somebody: careful now\n"
    assert capsys.readouterr().out == "outside\n"
    assert (sys.stdout, sys.stderr) == before
    capture.remove()


def test_what_somebody_else_has_put_in_place_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = Capture()
    capture.install()
    other = sys.__stdout__
    monkeypatch.setattr(sys, "stdout", other)
    capture.remove()
    assert sys.stdout is other


# Threads.


def test_a_call_is_interrupted_between_two_bytecodes() -> None:
    began, call_of = threading.Event(), Future[BaseException]()

    def loops() -> None:
        began.set()
        while True:
            pass

    call = ThreadCall(loops)
    threading.Thread(target=lambda: call_of.set_result(raised_by(call)), daemon=True).start()
    assert began.wait(PATIENCE)
    call.interrupt()
    call.interrupt()
    assert isinstance(call_of.result(PATIENCE), HandlerInterrupted)
    call.interrupt()  # too late: nobody is hit


def test_a_call_that_was_interrupted_before_it_began_does_not_begin() -> None:
    call = ThreadCall(lambda: pytest.fail("it began"))
    call.interrupt()
    with pytest.raises(HandlerInterrupted):
        call()


def test_an_interruption_hits_its_own_call_or_nobody() -> None:
    """Calls that end at the very moment they are interrupted: the thread's next call never gets it."""
    threads, hit, whole = DaemonThreads("race", limit=1), 0, 0

    def short() -> int:
        return sum(range(50))

    for number in range(1_500):
        call = ThreadCall(short)
        running = threads.submit(call)
        if number % 3:
            time.sleep(0)
        call.interrupt()
        following = threads.submit(lambda: sum(range(200)))
        error = running.exception(PATIENCE)
        assert error is None or isinstance(error, HandlerInterrupted)
        hit, whole = hit + (error is not None), whole + (error is None)
        assert following.result(PATIENCE) == 19_900
    assert hit + whole == 1_500
    threads.shutdown()


def test_a_swallowed_interruption_is_the_end_of_it() -> None:
    began = threading.Event()

    def swallows() -> str:
        try:
            began.set()
            while True:
                pass
        except HandlerInterrupted:
            return "swallowed"

    threads = DaemonThreads("swallowing")
    call = ThreadCall(swallows)
    future = threads.submit(call)
    assert began.wait(PATIENCE)
    call.interrupt()
    assert future.result(PATIENCE) == "swallowed"
    threads.shutdown()


def test_threads_are_made_as_needed_and_never_more_than_the_limit() -> None:
    threads, barrier = DaemonThreads("few", limit=3), threading.Barrier(3)
    for future in [threads.submit(barrier.wait, PATIENCE) for _ in range(6)]:  # three at a time
        future.result(PATIENCE)
    assert len(threads._threads) == 3
    assert all(thread.daemon for thread in threads._threads)
    assert threads.submit(lambda: 1).result(PATIENCE) == 1
    assert len(threads._threads) == 3
    threads.shutdown()
    assert not threads._threads
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(int)


def test_a_thread_survives_whatever_its_call_raises() -> None:
    threads = DaemonThreads("tough", limit=1)
    for error in (SystemExit, KeyboardInterrupt, HandlerInterrupted):

        def raises(error: type[BaseException] = error) -> None:
            raise error

        assert isinstance(threads.submit(raises).exception(PATIENCE), error)
    assert threads.submit(int, "3").result(PATIENCE) == 3
    threads.shutdown()
