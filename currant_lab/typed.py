"""From plain JSON types back to what an annotation says: `datetime`, `UUID`, dataclasses, tuples and the like.

An annotation is a hint in Python, and stays one here: a value that doesn't fit comes as it was stored.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import functools
import inspect
import types
import typing
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

__all__ = ["converted", "converter", "hints_of"]

_PLAIN = (bool, int, float, str, bytes, list, dict, type(None), object)
_STORED_AS_TEXT = (
    datetime.date,  # datetime among them
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    enum.Enum,
    uuid.UUID,
)
_STORED_AS_LIST = (tuple, set, frozenset)


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The function's annotations, evaluated; empty when they can't be."""
    try:
        return typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except Exception:  # noqa: BLE001 - annotations are arbitrary code
        return {}


def converted(value: Any, annotation: Any) -> Any:
    """Plain JSON types as what `annotation` says.

    Raises:
        Exception: they don't fit; of whatever sort msgspec or the type itself raises.
    """
    return msgspec.convert(value, annotation, dec_hook=_hook)


def converter(annotation: Any) -> Callable[[Any], Any] | None:
    """The function that turns plain JSON types into what `annotation` says; None when nothing needs turning."""
    try:
        return _converter(annotation)
    except TypeError:  # not hashable
        return None


@functools.lru_cache(maxsize=1024)
def _converter(annotation: Any) -> Callable[[Any], Any] | None:
    if not _differs(annotation, frozenset()):
        return None
    try:
        msgspec.convert(None, annotation | None if isinstance(annotation, type) else annotation, dec_hook=_hook)
    except msgspec.ValidationError:
        pass
    except Exception:  # noqa: BLE001 - a type that msgspec has no plan for
        return None
    return functools.partial(_convert, annotation)


def _convert(annotation: Any, value: Any) -> Any:
    if value is None:
        return None
    try:
        return msgspec.convert(value, annotation, dec_hook=_hook)
    except Exception:  # noqa: BLE001 - validators and constructors of a user's types may raise anything
        return value


def _hook(wanted: type, value: Any) -> Any:
    if isinstance(value, wanted):
        return value
    if hasattr(wanted, "model_validate"):
        return wanted.model_validate(value)
    raise NotImplementedError


def _differs(annotation: Any, seen: frozenset[Any]) -> bool:
    """Whether values of this type are stored as something else, at any depth."""
    if annotation in seen or annotation is Any:
        return False
    seen |= {annotation}
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _differs(annotation.__origin__, seen)
    if origin is typing.Union or origin is types.UnionType or origin in (list, dict):
        return any(_differs(inner, seen) for inner in typing.get_args(annotation))
    plain = origin or annotation
    if not isinstance(plain, type) or plain in _PLAIN:
        return False
    if typing.is_typeddict(plain):
        return False  # msgspec would drop the keys it doesn't know
    return issubclass(plain, _STORED_AS_TEXT + _STORED_AS_LIST) or _is_record(plain)


def _is_record(plain: type) -> bool:
    return (
        dataclasses.is_dataclass(plain)
        or issubclass(plain, msgspec.Struct)
        or hasattr(plain, "__attrs_attrs__")
        or hasattr(plain, "model_validate")
    )
