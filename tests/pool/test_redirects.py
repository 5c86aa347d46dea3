"""`redirect_stdout`: in a handler it is its own; elsewhere it takes nothing of theirs; and all ends with the pool."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Callable

import currant_lab as currant
from currant_lab import job
from currant_lab.pool.capture import original_of
from currant_lab.pool.pool import Pool

meet = threading.Barrier(2, timeout=20)


class Own(contextlib.redirect_stdout[io.StringIO]):
    """Somebody's own kind."""


@job
def redirects(kind: str) -> tuple[str, str]:
    outer, inner = io.StringIO(), io.StringIO()
    print("before")
    with (Own if kind == "own" else contextlib.redirect_stdout)(outer):
        meet.wait()
        print("outer")
        meet.wait()
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(inner))
            stack.enter_context(contextlib.redirect_stderr(inner))
            print("inner")
            print("error", file=sys.stderr)
        print("outer again")
    print("after")
    return outer.getvalue(), inner.getvalue()


@job
def prints() -> None:
    meet.wait()
    print("mine")
    meet.wait()


def test_a_handlers_redirect_is_its_own(pool: Pool) -> None:
    for kind in ("plain", "own"):
        before = original_of(sys.stdout)
        e, other = redirects.submit(kind), prints.submit()
        assert e.result(20) == ("outer\nouter again\n", "inner\nerror\n")
        assert e.logs == "before\nafter\n"
        assert other.wait(20).logs == "mine\n"
        assert original_of(sys.stdout) is before


def test_a_redirect_elsewhere_takes_nothing_of_a_handler_and_outlives_the_pool(start: Callable[..., Pool]) -> None:
    known = dict(vars(contextlib.redirect_stdout))
    start()
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer):
        print("here")
        a, b = prints.submit(), prints.submit()
        assert (a.wait(20).logs, b.wait(20).logs) == ("mine\n", "mine\n")
        currant.stop()
        print("still here")
    print("not there")
    assert buffer.getvalue() == "here\nstill here\n"
    assert dict(vars(contextlib.redirect_stdout)) == known
