"""What is fed with anything at all, and may answer with the errors it declares, never with another.

`make fuzz` lets atheris look for an input that breaks it: see `__main__`.
The test beside this file feeds the same functions by Hypothesis, briefly, in every run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from currant_lab.database.url import parse as parse_url
from currant_lab.errors import CurrantError
from currant_lab.events import decode as decode_event
from currant_lab.values import decode as decode_value
from currant_lab.values import decode_args
from currant_lab.watch.board import Board
from currant_lab.watch.filters import parse as parse_filter

__all__ = ["SEEDS", "TARGETS"]


def url(data: bytes) -> None:
    """A database URL: a target, or an error that doesn't repeat a password."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        target = parse_url(text)
    except CurrantError:
        return
    shown = f"{target} {target!r}"
    if target.password and len(target.password) > 8 and text.count(target.password) == 1:
        assert target.password not in shown, "a password is shown"


def event(data: bytes) -> None:
    """An event: decoded or None, and a board folds whatever was decoded."""
    found = decode_event(data.decode("utf-8", "surrogateescape"))
    if found is not None:
        board = Board()
        board.fold(found, 1.0)
        assert board.queues() is not None
        assert board.claims() is not None


def value(data: bytes) -> None:
    """A stored payload: a value, or the error that says it is none."""
    for read in (decode_value, decode_args):
        with contextlib.suppress(CurrantError):
            read(data)


def filter_line(data: bytes) -> None:
    """A filter line: a filter, or an error that says where it is wrong."""
    with contextlib.suppress(CurrantError):
        parse_filter(data.decode("utf-8", "surrogateescape"))


TARGETS: dict[str, Callable[[bytes], None]] = {"url": url, "event": event, "value": value, "filter": filter_line}

SEEDS: dict[str, list[bytes]] = {
    "url": [
        b"postgresql://u:secret-word@[::1]:5432,host:5433/db?sslmode=verify-full&sslrootcert=/x&target_session_attrs=any",
        b"postgres:///db?host=%2Ftmp&port=5432&user=u&connect_timeout=3&application_name=a",
    ],
    "event": [
        b'{"v":1,"pool":7,"name":"lab","sent_at":1.8e9,"running":3,"workers":4,"statements":9,"queues":{"a":{"claims":1,'
        b'"claimed":2,"sizes":[[1,2]],"claim_us":[[5,1]],"wakes":{"notify":1},"outcomes":{"succeeded":2},"wait_us":[[9,2]],'
        b'"run_us":[[7,2]]}},"jobs":{"m:f":{"outcomes":{"failed":1},"run_us":[[3,1]]}}}'
    ],
    "value": [
        b'{"*":[1,2.5,null],"x":{"y":"z"}}',
        b'\x01\x00\x00\x00\x3d{"value":[null],"parts":[{"at":[0],"kind":"bytes","size":3}]}abc',
    ],
    "filter": [b'status:failed,cancelled queue:mail job:fetch* age>5m attempt>=3 "some text" word'],
}
"""Inputs that are right, to begin from."""
