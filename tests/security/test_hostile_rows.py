"""Whoever can write the database writes what it likes: the row suffers, the pool goes on."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.ids import new_id
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, works


@job
async def take(x: Any = None, **more: Any) -> str:
    return type(x).__name__


@job
def take_plainly(x: Any = None, **more: Any) -> str:
    return type(x).__name__


def envelope(value: object, parts: list[Any], data: bytes = b"") -> bytes:
    body = json.dumps({"value": value, "parts": parts}).encode()
    return b"\x01" + len(body).to_bytes(4, "big") + body + data


NPY = (
    b"\x93NUMPY\x01\x00"
    + struct.pack("<H", 118)
    + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117)
    + b"\n"
)

PAYLOADS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"\x00\xff\xfe",
    "a bare text": b'"x"',
    "a number": b"3",
    "not a mapping of names": b'[{"x"]',
    "other names": b'{"*": 3}',
    "an argument too many": b"[1, 2, 3]",
    "100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "100,000 deep in a part": envelope([None], [{"at": [0] * 50_000, "kind": "bytes", "size": 0}]),
    "cut short": b"\x01\xff\xff\xff\xff{}",
    "a size below nothing": envelope([None], [{"at": [0], "kind": "bytes", "size": -5}]),
    "a size beyond its end": envelope([None], [{"at": [0], "kind": "bytes", "size": 2**62}]),
    "a part nowhere": envelope([None], [{"at": [7, "x"], "kind": "bytes", "size": 0}]),
    "a part of no kind": envelope([None], [{"at": [0], "kind": "pickle", "size": 3}], b"\x80\x04."),
    "an array of pickled objects": envelope([None], [{"at": [0], "kind": "numpy.ndarray", "size": len(NPY)}], NPY),
    "an array that isn't there": envelope(
        [None], [{"at": [0], "kind": "numpy.ndarray", "size": 2**20}], b"\x93NUMPY" + bytes(2**20 - 6)
    ),
    "a frame that is none": envelope([None], [{"at": [0], "kind": "pyarrow.Table", "size": 8}], b"ARROW1\0\0"),
    "a handle cut short": envelope([None], [{"at": [0], "kind": "execution", "size": 3}], b"abc"),
    "a batch cut short": envelope([None], [{"at": [0], "kind": "batch", "size": 9}], bytes(9)),
    "the result of nothing": envelope([None], [{"at": [0], "kind": "execution", "size": 16}], bytes(16)),
    "larger than is allowed": b'["' + b"x" * (16 * 1024 * 1024) + b'"]',
}

COLUMNS: dict[str, dict[str, str]] = {
    "options of another type": {"options": "'[1, 2]'"},
    "a timeout that is text": {"options": """'{"timeout": "soon"}'"""},
    "a timeout beyond all bounds": {"options": """'{"timeout": 1e300}'"""},
    "a timeout below nothing": {"options": """'{"timeout": -1}'"""},
    "a backoff of nonsense": {"options": """'{"backoff": {"base": "x", "factor": []}}'"""},
    "retries below nothing": {"retries": "-32768"},
    "attempts without end": {"attempt": "2147483646", "token": "2147483646"},
    "a fake attempt": {"attempt": "-5", "token": "-7"},
    "attempts of another type": {"attempts": "'7'"},
    "rescued without end": {"rescues": "32767"},
    "submitted before time": {"created_at": "'-infinity'"},
    "submitted after time": {"created_at": "'infinity'"},
    "due before time": {"due_at": "'-infinity'"},
    "a batch that isn't there": {"batch": "-1"},
    "a note of control characters": {"progress_note": "E'\\x1b[2J\\x07 [/red]'", "progress": "'NaN'"},
}


SHOUTS = (
    *("", "+", "!", "!cancel", "!cancel x", "!cancel 999999999999999999999", "\x1b[2J"),
    *("@" * 7000, "+" + "q" * 7000, "[" * 7000, "{", "[]"),
    *('{"v": 1}', '{"v": 99, "pool": 1}', '{"v": 1, "pool": -1}', '{"v": 1, "pool": 1e99, "queues": 3}'),
)


async def forge(leased: Leased, name: str, args: bytes = b"[1]", **columns: str) -> UUID:
    """Write a row that no client would."""
    own = new_id()
    names, values = "".join(f", {n}" for n in columns), "".join(f", {v}" for v in columns.values())
    conn = await leased.connect()
    await conn.execute(
        f"INSERT INTO {leased.schema}.executions (id, job, args{names}) VALUES ($1, $2, $3{values})", own, name, args
    )
    await conn.execute(f"SELECT pg_notify('{leased.schema}_wake', '+default')")
    await conn.close()
    return UUID(bytes=own)


def name_of(handler: Any) -> str:
    return str(handler.submit().job)


@pytest.mark.parametrize("handler", [take, take_plainly], ids=["async", "plain"])
async def test_a_payload_that_is_none_fails_its_own_execution(pool: Pool, leased: Leased, handler: Any) -> None:
    name = name_of(handler)
    forged = {what: await forge(leased, name, payload) for what, payload in PAYLOADS.items()}
    for what, id in forged.items():
        execution = currant.get(id)
        execution.wait(PATIENCE)
        execution.refresh()
        assert execution.status == "failed", what
        assert execution.error is not None, what
    works(pool)


async def test_columns_of_nonsense_harm_nobody(pool: Pool, leased: Leased) -> None:
    name = name_of(take)
    forged = {what: await forge(leased, name, **columns) for what, columns in COLUMNS.items()}
    for what, id in forged.items():
        execution = currant.get(id)
        execution.wait(PATIENCE)
        execution.refresh()
        assert execution.status in ("succeeded", "failed"), what
        assert repr(execution), what
    works(pool)


async def test_what_a_stranger_shouts_on_the_channels_changes_nothing(pool: Pool, leased: Leased) -> None:
    conn = await leased.connect()
    for channel in ("wake", "events"):
        for text in SHOUTS:
            await conn.execute("SELECT pg_notify($1, $2)", f"{leased.schema}_{channel}", text)
    await conn.close()
    works(pool)


async def test_a_shouted_cancel_ends_nothing(pool: Pool, leased: Leased, signals: Any) -> None:
    """A shout alone cancels nothing: only the row says what is to be cancelled."""

    @job
    async def shouted_at() -> str:
        signals.started.set()
        while not signals.go_on.is_set():
            await asyncio.sleep(0.001)
        return "done"

    execution = shouted_at.submit()
    assert signals.started.wait(PATIENCE)
    conn = await leased.connect()
    ((own,),) = await conn.fetch(f"SELECT id FROM {leased.schema}.pools")
    await conn.execute("SELECT pg_notify($1, $2)", f"{leased.schema}_wake", f"!cancel {own}")
    await conn.close()
    works(pool)
    signals.go_on.set()
    assert execution.result(PATIENCE) == "done"


def test_results_of_a_stranger_are_told_as_unreadable(pool: Pool, leased: Leased, call: Callable[..., Any]) -> None:
    execution = take.submit(1)
    execution.wait(PATIENCE)
    call(f"UPDATE {leased.schema}.history SET result = $1", b"\x01\xff\xff\xff\xff")
    with pytest.raises(currant.NotStorable, match="can't be read"):
        currant.get(execution.id).result(PATIENCE)


@pytest.fixture
def call(leased: Leased) -> Callable[..., Any]:
    def run(sql: str, *args: object) -> Any:
        async def do() -> Any:
            conn = await leased.connect()
            try:
                return await conn.fetch(sql, *args)
            finally:
                await conn.close()

        return asyncio.run(do())

    return run
