"""The closer look at a value that is more than plain JSON: what it may hold, and what to do about the rest."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import inspect
import math
import os
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from currant_lab.parts import NotData, library_of, to_part

__all__ = ["Packer", "Part"]

_TEXT_FORMS = (datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID)
_INTEGERS = range(-(2**63), 2**64)


class Part(msgspec.Struct):
    """Where in the value a binary part belongs, of what kind it is, and its size in bytes."""

    at: list[str | int]
    kind: str
    size: int


class Packer:
    """Turns a value into what JSON holds, and collects the binary parts.

    Attributes:
        at: the path to the place that is looked at: after an error, the place it is about.
        parts, data: the binary parts found, and their bytes.
    """

    def __init__(self) -> None:
        self.at: list[str | int] = []
        self.parts: list[Part] = []
        self.data: list[bytes] = []

    def pack(self, value: Any) -> Any:
        """The JSON form of `value`.

        Raises:
            NotData: something in it is not data: the message says what, and what to do; `at` says where.
        """
        if value is None or value is True or value is False:
            return value
        packed = self._pack_scalar(value)
        if packed is not None:
            return packed
        if isinstance(value, dict):
            return self._pack_items(value.items())
        if isinstance(value, list | tuple):
            return self._pack_list(value)
        if isinstance(value, set | frozenset):
            return self._pack_list(_sorted(value))
        if (found := to_part(value)) is not None:
            kind, data = found
            self.parts.append(Part(list(self.at), kind, len(data)))
            self.data.append(data)
            return None
        if (fields := _fields(value)) is not None:
            return self._pack_list(fields) if isinstance(fields, list) else self._pack_items(fields)
        if library_of(value) == "numpy" and hasattr(value, "item"):
            return self._pack_numpy_scalar(value)
        raise NotData(_advice(value))

    def _pack_scalar(self, value: Any) -> Any:
        """The JSON form of a single value; None if it isn't one."""
        if isinstance(value, enum.Enum):
            return self.pack(value.value)
        if isinstance(value, str):
            return _text(str(value))
        if isinstance(value, int):
            if value not in _INTEGERS:
                raise NotData("this integer is beyond 64 bits, more than most readers hold: pass str(...) or Decimal")
            return int(value)
        if isinstance(value, float):
            if not math.isfinite(value):
                raise NotData(f"{float(value)} is not JSON: pass None, or keep it in a numpy array")
            return float(value)
        if isinstance(value, _TEXT_FORMS):
            return _moment(value)
        return None

    def _pack_numpy_scalar(self, value: Any) -> Any:
        item = value.item()
        if type(item) is type(value) or (isinstance(item, int) and value.dtype.kind in "mM"):
            raise NotData(f"a {type(value).__name__} of this precision is not data: keep it in a numpy array")
        return self.pack(item)

    def _pack_list(self, values: Iterable[Any]) -> list[Any]:
        packed = []
        for index, item in enumerate(values):
            self.at.append(index)
            packed.append(self.pack(item))
            self.at.pop()
        return packed

    def _pack_items(self, items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        packed = {}
        for key, item in items:
            if not isinstance(key, str) or isinstance(key, enum.Enum):
                raise NotData(f"the key {key!r:.80} is not text, and JSON has no other keys: use str(key)")
            self.at.append(str(key))
            packed[_text(str(key))] = self.pack(item)
            self.at.pop()
        return packed


def _text(value: str) -> str:
    if "\0" in value:
        raise NotData("this text contains a NUL character, which PostgreSQL can't hold: remove it, or pass bytes")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotData("this text contains half a surrogate pair, which is not UTF-8: pass bytes instead") from None
    return value


def _moment(value: Any) -> Any:
    """A date, time, Decimal or UUID of the standard library's own class, as msgspec wants them."""
    if value != value:  # NaN of a Decimal, or pandas.NaT
        if isinstance(value, decimal.Decimal):
            return value
        raise NotData("NaT is no moment: pass None")
    if getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0):
        raise NotData("nanoseconds are finer than what is stored: round it to microseconds")
    for convert in ("to_pydatetime", "to_pytimedelta"):
        if hasattr(value, convert):
            return getattr(value, convert)()
    return value


def _sorted(values: Iterable[Any]) -> list[Any]:
    """In a definite order, so that equal sets are stored as equal bytes."""
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)


def _fields(value: Any) -> list[Any] | Iterable[tuple[str, Any]] | None:
    """The fields of a record, under the names that msgspec reads them by; None if it is no record."""
    if isinstance(value, type):
        return None
    if isinstance(value, msgspec.Struct):
        return _struct_fields(value)
    if dataclasses.is_dataclass(value):
        return iter([(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)])
    if hasattr(value, "model_dump"):
        try:
            dumped: dict[str, Any] = value.model_dump(mode="json")
        except Exception as error:  # noqa: BLE001 - a model's serializers are a user's code
            raise NotData(f"model_dump(mode='json') failed: {error}") from None
        return iter(dumped.items())
    if hasattr(type(value), "__attrs_attrs__"):
        return iter([(a.name, getattr(value, a.name)) for a in type(value).__attrs_attrs__])
    return None


def _struct_fields(value: msgspec.Struct) -> list[Any] | Iterable[tuple[str, Any]]:
    config = value.__struct_config__
    fields = [
        (written, getattr(value, name))
        for written, name in zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
    ]
    if config.array_like:
        tag = [] if config.tag is None else [config.tag]
        return [*tag, *(item for _, item in fields)]
    if config.tag is not None:
        fields.insert(0, (config.tag_field or "type", config.tag))
    return iter([(name, item) for name, item in fields if item is not msgspec.UNSET])


def _advice(value: Any) -> str:
    name = type(value).__qualname__
    if isinstance(value, os.PathLike):
        return f"a {name} is not data: pass str(path)"
    if inspect.isroutine(value) or isinstance(value, type):
        return f"{getattr(value, '__qualname__', name)} is code, and the database holds data only: pass its name"
    if isinstance(value, Iterable) and not isinstance(value, Mapping) and library_of(value) is None:
        return f"a {name} is not data: pass list(...)"
    if isinstance(value, Mapping):
        return f"a {name} is not data: pass dict(...)"
    return (
        f"a {name} is not data. JSON values, datetimes, UUIDs, Decimals, dataclasses, pydantic models, data frames, "
        "numpy arrays and bytes can be stored: pass those, or what it takes to make it again"
    )
