"""What goes in comes back equal, or is refused by name; what was never written by us is read without harm."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.errors import CurrantError, InvalidArguments, NotStorable
from currant_lab.jobs import JobSpec, Policy
from currant_lab.values import (
    decode,
    decode_args,
    encode_args,
    encode_calls,
    encode_result,
    return_converter,
)


def spec(function: Any) -> JobSpec:
    return JobSpec(function, Policy())


def there_and_back(value: Any) -> Any:
    return decode(encode_result(value))


def fetch(url: str, options: Any = None) -> None: ...


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | finite | text
plain = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)
mixed = st.recursive(scalars | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(plain)
def test_json_comes_back_equal_and_is_stored_as_json(value: Any) -> None:
    payload = encode_result(value)
    assert msgspec.json.decode(payload) == value
    assert decode(payload) == value


@given(mixed)
def test_bytes_anywhere_inside_come_back_equal(value: Any) -> None:
    assert there_and_back(value) == value


@given(st.lists(mixed, max_size=2))
def test_arguments_come_back_as_they_were_given(values: list[Any]) -> None:
    given_spec = spec(lambda a=None, b=None: None)
    args, kwargs = decode_args(encode_args(given_spec, tuple(values), {}))
    assert (args, kwargs) == (values, {})


@given(st.binary())
def test_nonsense_is_refused_and_nothing_worse(payload: bytes) -> None:
    for data in (payload, b"\x01" + payload):
        with contextlib.suppress(NotStorable):
            decode(data)


@given(
    st.recursive(
        st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
def test_whatever_is_accepted_comes_back_equal(value: Any) -> None:
    try:
        payload = encode_result(value)
    except NotStorable:
        return
    assert decode(payload) == value


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        ([None, {"x": -math.inf}], "['x']"),
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ("a\0b", "NUL"),
        ({"a\0": 1}, "NUL"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({1: 2}, "key 1"),
        ({None: 2}, "key None"),
        ({(1, 2): 3}, "key (1, 2)"),
        ({"a": {b"x": 1}}, "['a']"),
        (object(), "object"),
        (lambda: 1, "code"),
        (print, "code"),
        (int, "code"),
        (1j, "complex"),
        (range(3), "list(...)"),
        ((i for i in "ab"), "list(...)"),
        (ValueError("x"), "ValueError"),
        (np.array([object()]), "dtype"),
        (np.ma.masked_array([1], [True]), "mask"),
        (np.datetime64("2024-01-01", "ns"), "precision"),
        (pd.NaT, "NaT"),
        (pd.Timestamp("2024-01-01 00:00:00.000000001"), "nanosecond"),
        (pd.DataFrame({"a": [1, object()]}), "Arrow"),
        (pl.DataFrame({"a": [1]}).lazy(), "collect"),
        (pl.DataFrame({"a": [object()]}), "dtype"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isprintable() else type(value).__name__,
)
def test_a_refused_result_says_result_and_why(value: Any, word: str) -> None:
    with pytest.raises(NotStorable) as caught:
        encode_result(value)
    assert str(caught.value).startswith("result")
    assert word in str(caught.value)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("args", "kwargs", "name"),
    [
        ((object(),), {}, "url"),
        (("u", {"x": [1, 2, 3, object()]}), {}, "options['x'][3]"),
        (("u",), {"options": object()}, "options"),
        (("u" * (17 * 2**20),), {}, "url"),
        (("u", b"x" * (17 * 2**20)), {}, "options"),
    ],
)
def test_a_refused_argument_is_named(args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> None:
    with pytest.raises(NotStorable) as caught:
        encode_args(spec(fetch), args, kwargs)
    assert str(caught.value).startswith(f"{name}:")


def test_arguments_after_a_star_are_named_by_their_number() -> None:
    def many(first: int, *rest: int, last: object = None, **more: object) -> None: ...

    for args, kwargs, name in [
        ((1, 2, object()), {}, "rest[1]"),
        ((1, 2, object()), {"last": 1}, "rest[1]"),
        ((1,), {"last": object()}, "last"),
        ((1,), {"other": [object()]}, "other[0]"),
    ]:
        with pytest.raises(NotStorable) as caught:
            encode_args(spec(many), args, kwargs)
        assert str(caught.value).startswith(f"{name}:")


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"url": 2}), ((1,), {"nothing": 2}), ((), {"options": 1})]
)
def test_arguments_that_do_not_bind(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments, match="fetch") as caught:
        encode_args(spec(fetch), args, kwargs)
    assert isinstance(caught.value, TypeError)


def test_positional_arguments_are_an_array_and_named_ones_an_object() -> None:
    def both(a: int, /, b: int, *rest: int, c: int = 0, **more: int) -> None: ...

    def named(a: int, b: int = 2, *, c: int = 0) -> None: ...

    assert encode_args(spec(fetch), ("u",), {"options": 1}) == b'["u",1]'
    assert encode_args(spec(named), (1,), {"c": 3}) == b'{"a":1,"c":3}'
    payload = encode_args(spec(both), (1, 2, 3), {"c": 4, "d": 5})
    assert msgspec.json.decode(payload) == {"*": [1, 2, 3], "c": 4, "d": 5}
    assert decode_args(payload) == ([1, 2, 3], {"c": 4, "d": 5})
    with pytest.raises(InvalidArguments):
        encode_args(spec(both), (1, 2), {"*": 3})


def test_arguments_that_contain_themselves() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotStorable, match="url: .*contains itself"):
        encode_args(spec(fetch), (endless,), {})


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Page:
    url: str
    at: datetime
    body: bytes = b""
    frame: Any = None


class Row(msgspec.Struct, tag="row", rename="camel"):
    some_key: int
    colour: Colour = Colour.RED


class Model(pydantic.BaseModel):
    when: date
    many: list[int] = []


TYPED = [
    (datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), datetime),
    (datetime(2024, 1, 2), datetime),
    (date(2024, 1, 2), date),
    (time(1, 2, 3, 4), time),
    (timedelta(days=-3, microseconds=7), timedelta),
    (UUID(int=2**100), UUID),
    (Decimal("1.10"), Decimal),
    (Colour.RED, Colour),
    ((1, "a"), tuple[int, str]),
    ({3, 1, 2}, set[int]),
    (frozenset({"b", "a"}), frozenset[str]),
    (Page("u", datetime(2024, 1, 1, tzinfo=UTC), b"\x00\xff", None), Page),
    (Row(3), Row),
    (Model(when=date(2024, 1, 1), many=[1]), Model),
    ([Model(when=date(2024, 1, 1))], list[Model]),
    ({"a": [UUID(int=1)]}, dict[str, list[UUID]]),
    (None, datetime | None),
    (Decimal(1), Decimal | None),
]


@pytest.mark.parametrize(("value", "annotation"), TYPED, ids=lambda value: type(value).__name__)
def test_typed_values_come_back_as_annotated(value: Any, annotation: Any) -> None:
    def handler(value):  # type: ignore[no-untyped-def]
        return None

    handler.__annotations__ = {"value": annotation, "return": annotation}
    job = spec(handler)
    args, _ = decode_args(encode_args(job, (value,), {}), job)
    assert args == [value]
    assert type(args[0]) is type(value)
    back = decode(encode_result(value), return_converter(job))
    assert back == value
    assert type(back) is type(value)
    by_name = b'{"value":' + encode_result(value) + b"}"
    if by_name[9] != 1:  # without binary parts
        assert decode_args(by_name, job)[1] == {"value": value}


def test_an_annotation_that_does_not_fit_changes_nothing() -> None:
    def handler(when: datetime, count: int, page: Page = None) -> tuple[int, int]: ...  # type: ignore[assignment]

    job = spec(handler)
    assert decode_args(b'["no date","no number",null]', job)[0] == ["no date", "no number", None]
    assert decode(b'"other"', return_converter(job)) == "other"
    assert decode(b"[1,2]", return_converter(job)) == (1, 2)


def test_plain_annotations_convert_nothing() -> None:
    def handler(a: int, b: str | None, c: list[dict[str, float]], d: "Missing", e: Any) -> dict[str, Any]: ...  # type: ignore[name-defined]  # noqa: F821, UP037

    job = spec(handler)
    assert return_converter(job) is None
    assert decode_args(b'[1,"x",[{"a":1}],{},2]', job)[0] == [1, "x", [{"a": 1}], {}, 2]


def test_equal_sets_are_stored_as_equal_bytes() -> None:
    assert encode_result(set("abcdefgh")) == encode_result(set("hgfedcba"))
    assert there_and_back({1, "a"}) in ([1, "a"], ["a", 1])


ARRAYS = [
    np.arange(12).reshape(3, 4),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.zeros((0, 3)),
    np.array(3),
    np.array(["a", "bb"]),
    np.zeros(3, dtype=[("x", "i4"), ("y", "f8")]),
    np.arange(10)[::2],
    np.array(["2024-01-01"], dtype="M8[ns]"),
    np.array([math.nan, math.inf]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays_come_back_with_shape_and_type(array: Any) -> None:
    back = there_and_back({"deep": [array]})["deep"][0]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


def test_numpy_scalars_are_plain_numbers() -> None:
    back = there_and_back([np.int64(3), np.float64(1.5), np.bool_(True), np.str_("x")])
    assert back == [3, 1.5, True, "x"]
    assert [type(value) for value in back] == [int, float, bool, str]


def test_pandas_comes_back_equal() -> None:
    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["x", None], "c": pd.to_datetime(["2024-01-01", None]), "d": pd.Categorical(["p", "q"])},
        index=pd.Index(["i", "j"], name="key"),
    )
    pd.testing.assert_frame_equal(there_and_back(frame), frame)
    pd.testing.assert_frame_equal(there_and_back([1, (frame,)])[1][0], frame)
    pd.testing.assert_series_equal(there_and_back(frame["a"]), frame["a"])
    pd.testing.assert_series_equal(there_and_back(pd.Series([1.5])), pd.Series([1.5]))


def test_polars_and_arrow_come_back_equal() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None], "c": [[1], None]})
    assert there_and_back(frame).equals(frame)
    assert there_and_back(frame["b"]).equals(frame["b"], null_equal=True)
    table = pa.table({"a": [1, 2], "b": [None, None]})
    assert there_and_back(table).equals(table)
    assert there_and_back(table.to_batches()[0]).equals(table.to_batches()[0])
    assert there_and_back(table.slice(0, 0).combine_chunks().to_batches() or [table])[0] is not None


def test_a_frame_inside_a_dataclass() -> None:
    def handler(page: Page) -> None: ...

    frame = pl.DataFrame({"a": [1]})
    job = spec(handler)
    (page,), _ = decode_args(encode_args(job, (Page("u", datetime(2024, 1, 1), b"x", frame),), {}), job)
    assert isinstance(page, Page)
    assert page.body == b"x"
    assert page.frame.equals(frame)


def test_a_model_that_cannot_be_dumped_is_refused() -> None:
    class Broken(pydantic.BaseModel):
        @pydantic.model_serializer
        def dump(self) -> dict[str, Any]:
            raise RuntimeError("no")

    with pytest.raises(NotStorable, match="result: model_dump"):
        encode_result(Broken())


def test_limits_are_settable() -> None:
    assert encode_result("x" * 10, 12) == b'"xxxxxxxxxx"'
    with pytest.raises(NotStorable, match="result: 12 bytes, and 11 are allowed"):
        encode_result("x" * 10, 11)
    with pytest.raises(NotStorable, match="result"):
        encode_result(np.zeros(1000), 1000)


def envelope(value: Any, parts: list[dict[str, Any]], data: bytes = b"") -> bytes:
    head = msgspec.json.encode({"value": value, "parts": parts})
    return b"\x01" + len(head).to_bytes(4, "big") + head + data


def npy(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def array_of(shape: str, descr: str = "<f8") -> bytes:
    data = npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")
    return envelope(None, [{"at": [], "kind": "numpy.ndarray", "size": len(data)}], data)


HOSTILE = {
    "cut": b"\x01\x00\x00",
    "no envelope": b"\x01\xff\xff\xff\xff{}",
    "size too large": envelope(None, [{"at": [], "kind": "bytes", "size": 5}], b"abc"),
    "size negative": envelope(
        [None, None], [{"at": [0], "kind": "bytes", "size": -1}, {"at": [1], "kind": "bytes", "size": 4}], b"abc"
    ),
    "rest": envelope(None, [], b"abc"),
    "no place": envelope({"a": 1}, [{"at": ["b", "c"], "kind": "bytes", "size": 0}]),
    "place taken": envelope({"a": 1}, [{"at": ["a"], "kind": "bytes", "size": 0}]),
    "wrong step": envelope([None], [{"at": ["a"], "kind": "bytes", "size": 0}]),
    "unknown kind": envelope(None, [{"at": [], "kind": "pickle", "size": 0}]),
    "no array": envelope(None, [{"at": [], "kind": "numpy.ndarray", "size": 3}], b"abc"),
    "objects": array_of("(1,)", "|O"),
    "huge array": array_of("(1000000000000,)"),
    "negative array": array_of("(-1,)"),
    "no table": envelope(None, [{"at": [], "kind": "pyarrow.Table", "size": 8}], b"\xff\xff\xff\xff\xff\xff\xff\x7f"),
    "no frame": envelope(None, [{"at": [], "kind": "polars.DataFrame", "size": 8}], b"ARROW1\0\0"),
    "deep": b"[" * 100_000,
    "no JSON": b"{",
    "empty": b"",
    "not UTF-8": b'"\xff"',
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_payloads_are_refused(payload: bytes) -> None:
    with pytest.raises(NotStorable):
        decode(payload)


@pytest.mark.parametrize("payload", [b"1", b'"x"', b"null", b'{"*": 1}'])
def test_arguments_that_are_neither_array_nor_object(payload: bytes) -> None:
    with pytest.raises(CurrantError):
        decode_args(payload)


@pytest.mark.parametrize("kind", ["pyarrow.Table", "polars.DataFrame"])
def test_tables_that_would_blow_up_are_refused(kind: str) -> None:
    def stream(table: Any, **options: Any) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    compressed = stream(pa.table({"a": np.zeros(1_000_000)}), compression="zstd")
    assert len(compressed) < 100_000
    nulls = stream(pa.table({"a": pa.nulls(2**31 - 2)}))
    for data in (compressed, nulls):
        with pytest.raises(NotStorable, match="compressed|claims"):
            decode(envelope(None, [{"at": [], "kind": kind, "size": len(data)}], data))


@given(st.data())
def test_a_broken_table_is_refused_and_nothing_worse(data: st.DataObject) -> None:
    whole = bytearray(encode_result(pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})))
    position = data.draw(st.integers(100, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(NotStorable):
        decode(bytes(whole))


@given(st.lists(st.tuples(plain, plain), max_size=5))
def test_many_plain_calls_are_encoded_at_once_and_alike(calls: list[tuple[Any, ...]]) -> None:
    own = spec(lambda a, b: None)
    many = encode_calls(own, calls)
    assert many == [encode_args(own, call, {}) for call in calls]
    assert [decode(one) for one in many] == [list(call) for call in calls]


@given(st.lists(st.tuples(mixed), min_size=1, max_size=3))
def test_calls_that_need_a_closer_look_are_left_to_it(calls: list[tuple[Any, ...]]) -> None:
    own = spec(lambda a: None)
    many = encode_calls(own, calls)
    assert many is None or many == [encode_args(own, call, {}) for call in calls]
    assert encode_calls(own, [*calls, (b"",)]) is None
    assert encode_calls(own, [*calls, (1, 2)]) is None, "it doesn't fit the signature"
    assert encode_calls(own, [*calls, ("x" * 100,)], limit=99) is None
