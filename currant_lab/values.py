"""Arguments and results as bytes: data only, never code.

A payload is UTF-8 JSON when everything in it is JSON. With binary parts (see `parts`) it begins with the byte 1::

    0x01 | length of the envelope, 4 bytes, big-endian | envelope, JSON | the parts, one after the other

The envelope is `{"value": ..., "parts": [{"at": [path], "kind": ..., "size": ...}]}`: a part's place in the value
holds null, and the path leads there.

What goes in comes back equal, but for types that JSON lacks. Those come back as their JSON form (tuples and sets as
lists, dataclasses as dicts, datetimes, UUIDs, Decimals and timedeltas as text) unless an annotation says what they
were: a parameter's for arguments, the return annotation for results.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from currant_lab.errors import CurrantError, InvalidArguments, NotStorable
from currant_lab.jobs import JobSpec
from currant_lab.packing import Packer, Part
from currant_lab.parts import from_part
from currant_lab.typed import converter, hints_of

__all__ = [
    "DEFAULT_LIMIT", "bind", "decode", "decode_args", "encode_args", "encode_calls", "encode_result", "parts_of",
    "return_converter",
]  # fmt: skip

DEFAULT_LIMIT = 16 * 1024 * 1024

_BINARY = 1
_HEADER = 5
_WIDE = 2**63
_POSITIONAL = "*"
"""The name, in arguments that are stored by name, of those that have none."""

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_decode = msgspec.json.Decoder().decode
_decode_lines = msgspec.json.Decoder().decode_lines
_check_integers = msgspec.msgpack.Encoder().encode


class _Envelope(msgspec.Struct):
    value: Any
    parts: list[Part]


_decode_envelope = msgspec.json.Decoder(_Envelope).decode


class _Shape(msgspec.Struct, frozen=True):
    """What a job's signature says, looked at once."""

    signature: inspect.Signature
    minimum: int
    maximum: int  # -1: binding needs the signature's own code
    names: tuple[str, ...]
    convert_arg: dict[str, Callable[[Any], Any]]
    convert_result: Callable[[Any], Any] | None


@functools.lru_cache(maxsize=1024)
def _shape(spec: JobSpec) -> _Shape:
    parameters = list(spec.signature.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needs_keyword = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
    has_rest = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    hints = hints_of(spec.function)
    converters = {name: converter(hint) for name, hint in hints.items()}
    return _Shape(
        signature=spec.signature,
        minimum=sum(1 for p in positional if p.default is p.empty),
        maximum=-1 if needs_keyword or has_rest else len(positional),
        names=tuple(p.name for p in positional),
        convert_arg={name: convert for name, convert in converters.items() if convert and name != "return"},
        convert_result=converters.get("return"),
    )


def bind(spec: JobSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments as the job's function would get them: (positional, by name).

    Raises:
        InvalidArguments: they don't fit its signature.
    """
    shape = _shape(spec)
    if not kwargs and shape.minimum <= len(args) <= shape.maximum:
        return args, kwargs
    try:
        bound = shape.signature.bind(*args, **kwargs)
    except TypeError as error:
        name = getattr(spec.function, "__name__", "the job")
        raise InvalidArguments(f"{name}{shape.signature}: {error}") from None
    return bound.args, bound.kwargs


def encode_args(spec: JobSpec, args: tuple[Any, ...], kwargs: dict[str, Any], limit: int = DEFAULT_LIMIT) -> bytes:
    """Bind the arguments to the job's signature and encode them: a JSON array, or an object where some go by name.

    Args:
        spec: the job.
        args: the positional ones.
        kwargs: those by name.
        limit: the bytes they may have.

    Raises:
        InvalidArguments: they don't fit the signature.
        NotStorable: one of them is not data, or all together are too large. The message names the argument.
    """
    args, kwargs = bind(spec, args, kwargs)
    stored: list[Any] | dict[str, Any] = list(args) if not kwargs else _by_name(spec, args, kwargs)
    payload = _encode_plain(stored)
    if payload is None:
        payload = _encode_packed(stored, functools.partial(_argument_name, spec))
    if len(payload) > limit:
        raise NotStorable(_too_large(_largest(spec, stored), len(payload), limit))
    return payload


def encode_calls(spec: JobSpec, calls: Sequence[tuple[Any, ...]], limit: int = DEFAULT_LIMIT) -> list[bytes] | None:
    """The arguments of many calls, positional all, as `encode_args` encodes each; in 0.5 us a call, not 1.2.

    None where one of them is not plain, doesn't fit the signature or is too large: `encode_args` says which, and why.
    """
    shape = _shape(spec)
    if not all(shape.minimum <= count <= shape.maximum for count in set(map(len, calls))):
        return None
    stored = list(map(list, calls))
    try:
        joined = _encode_lines(stored)
        if b"\\u0000" in joined or _decode_lines(joined) != stored:
            return None
        _check_integers(stored)
    except Exception:  # noqa: BLE001 - see `_encode_plain`
        return None
    payloads = joined.split(b"\n")  # a line break within a text is escaped
    payloads.pop()
    return payloads if max(map(len, payloads), default=0) <= limit else None


def encode_result(value: Any, limit: int = DEFAULT_LIMIT) -> bytes:
    """Encode what a handler returned.

    Raises:
        NotStorable: it is not data, or larger than `limit` bytes. The message begins with "result".
    """
    payload = _encode_plain(value)
    if payload is None:
        payload = _encode_packed(value, _result_name)
    if len(payload) > limit:
        raise NotStorable(_too_large("result", len(payload), limit))
    return payload


def decode(
    payload: bytes,
    convert: Callable[[Any], Any] | None = None,
    read: Callable[[str, memoryview], Any] = from_part,
) -> Any:
    """The value of a payload, in plain JSON types and those of its binary parts.

    Args:
        payload: what an `encode_...` returned, or JSON of any other client.
        convert: applied to the value: see `return_converter`.
        read: makes the value of a part from its kind and bytes.

    Raises:
        NotStorable: these bytes are no payload, or a library to read a part is missing.
    """
    try:
        value = _decode_packed(memoryview(payload), read) if payload.startswith(b"\x01") else _decode(payload)
    except CurrantError:
        raise
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise NotStorable(f"the stored value can't be read: {error}") from None
    return value if convert is None else convert(value)


def decode_args(
    payload: bytes, spec: JobSpec | None = None, read: Callable[[str, memoryview], Any] = from_part
) -> tuple[list[Any], dict[str, Any]]:
    """(positional, by name) of encoded arguments; converted to the annotations of `spec`, if given.
    `read` is as in `decode`.

    Raises:
        NotStorable: these bytes are no payload.
        InvalidArguments: it is neither an array nor an object.
    """
    value = decode(payload, None, read)
    if isinstance(value, list):
        args, kwargs = value, {}
    elif isinstance(value, dict):
        args = value.pop(_POSITIONAL, [])
        if not isinstance(args, list):
            raise InvalidArguments('the stored positional arguments, under "*", are not an array')
        kwargs = value
    else:
        raise InvalidArguments(f"stored arguments are an array or an object, not {type(value).__name__}")
    if spec is not None and (shape := _shape(spec)).convert_arg:
        _convert_args(shape, shape.convert_arg, args, kwargs)
    return args, kwargs


def return_converter(spec: JobSpec) -> Callable[[Any], Any] | None:
    """What turns a stored result into the type the job's return annotation says; None when nothing needs it."""
    return _shape(spec).convert_result


def _convert_args(
    shape: _Shape, convert: dict[str, Callable[[Any], Any]], args: list[Any], kwargs: dict[str, Any]
) -> None:
    for index, name in enumerate(shape.names[: len(args)]):
        if name in convert:
            args[index] = convert[name](args[index])
    for name in convert.keys() & kwargs.keys():
        kwargs[name] = convert[name](kwargs[name])


def _by_name(spec: JobSpec, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """All arguments by name, and under "*" those that can't be: before a `*rest`, or positional only."""
    if _POSITIONAL in kwargs:
        raise InvalidArguments('an argument can\'t be named "*"')
    parameters = list(spec.signature.parameters.values())
    named: dict[str, Any] = {}
    if len(args) <= len(parameters) and all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters[: len(args)]):
        named = {p.name: value for p, value in zip(parameters, args, strict=False)}
    elif args:
        named = {_POSITIONAL: list(args)}
    return named | kwargs


def _encode_plain(value: Any) -> bytes | None:
    """The JSON of a value that comes back equal from it; None when a closer look is needed.

    All in C, where a walk in Python would cost twenty times as much. Comparing catches whatever msgspec turns
    into something else without a word: NaN, bytes, keys that are no text, tuples, dataclasses.
    """
    kind = type(value)
    if value is None or kind is bool or (kind is int and -_WIDE < value < _WIDE):
        return _encode(value)
    try:
        payload = _encode(value)
        if b"\\u0000" in payload or _decode(payload) != value:
            return None
        if len(payload) > 18:  # room for an integer beyond 64 bits, which msgpack refuses
            _check_integers(value)
    except Exception:  # noqa: BLE001 - the closer look finds out what is wrong, and where
        return None
    return payload


def _encode_packed(value: Any, name: Callable[[list[str | int]], str]) -> bytes:
    packer = Packer()
    try:
        packed = packer.pack(value)
        if not packer.parts:
            return _encode(packed)
        envelope = _encode(_Envelope(packed, packer.parts))
        return b"".join((b"\x01", len(envelope).to_bytes(4, "big"), envelope, *packer.data))
    except ValueError as error:
        raise NotStorable(f"{name(packer.at)}: {error}") from None
    except RecursionError:
        raise NotStorable(f"{name(packer.at[:1])}: it is nested too deeply, or contains itself") from None


def parts_of(payload: bytes) -> list[tuple[str, memoryview]]:
    """(kind, bytes) of the parts of a payload, in order.

    Raises:
        NotStorable: these bytes are no payload.
    """
    if payload[:1] != b"\x01":
        return []
    try:
        _, parts = _opened(memoryview(payload))
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise NotStorable(f"the stored value can't be read: {error}") from None
    return [(part.kind, data) for part, data in parts]


def _decode_packed(data: memoryview, read: Callable[[str, memoryview], Any]) -> Any:
    value, parts = _opened(data)
    root = [value]
    for part, own in parts:
        _put(root, part, read(part.kind, own))
    return root[0]


def _opened(data: memoryview) -> tuple[Any, list[tuple[Part, memoryview]]]:
    """The value without its parts, and each part with its bytes."""
    size = int.from_bytes(data[1:_HEADER], "big")
    if len(data) < _HEADER + size:
        raise ValueError("it is cut short")
    envelope = _decode_envelope(data[_HEADER : _HEADER + size])
    start = _HEADER + size
    if any(part.size < 0 for part in envelope.parts) or start + sum(p.size for p in envelope.parts) != len(data):
        raise ValueError("its parts and its size don't agree")
    parts = []
    for part in envelope.parts:
        parts.append((part, data[start : start + part.size]))
        start += part.size
    return envelope.value, parts


def _put(root: list[Any], part: Part, value: Any) -> None:
    place: Any = root
    steps = [0, *part.at]
    try:
        for step in steps[:-1]:
            place = place[step]
        if place[steps[-1]] is not None:
            raise ValueError("a part's place is taken")
        place[steps[-1]] = value
    except (LookupError, TypeError):
        raise ValueError("a part has no place in it") from None


def _argument_name(spec: JobSpec, at: list[str | int]) -> str:
    """How to call the place at `at` in the arguments: `options['x'][3]`."""
    if not at:
        return "the arguments"
    first, rest = at[0], at[1:]
    if first == _POSITIONAL and rest:
        first, rest = rest[0], rest[1:]
    if isinstance(first, int):
        shape = _shape(spec)
        if first < len(shape.names):
            first = shape.names[first]
        else:
            variadic = next(p.name for p in spec.signature.parameters.values() if p.kind is p.VAR_POSITIONAL)
            rest, first = [first - len(shape.names), *rest], variadic
    return f"{first}{_subscripts(rest)}"


def _result_name(at: list[str | int]) -> str:
    return f"result{_subscripts(at)}"


def _subscripts(at: list[str | int]) -> str:
    shown = at if len(at) <= 8 else [*at[:7], "..."]
    return "".join(f"[{step!r}]" for step in shown)


def _largest(spec: JobSpec, stored: list[Any] | dict[str, Any]) -> str:
    """The name of the argument that takes most of the room."""
    places: list[str | int] = list(range(len(stored))) if isinstance(stored, list) else list(stored)
    sizes = {place: len(encode_result(stored[place], 2**62)) for place in places}  # type: ignore[index]
    return _argument_name(spec, [max(sizes, key=lambda place: sizes[place])])


def _too_large(what: str, size: int, limit: int) -> str:
    return (
        f"{what}: {size:,} bytes, and {limit:,} are allowed. Keep large data in a file or table and pass where it is, "
        "or raise CURRANT_PAYLOAD_LIMIT"
    )
