"""Words that mean something: ids, spans of time, lists of queues, counts. A wrong one is told by argparse."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from currant_lab.errors import CurrantError, InvalidArguments
from currant_lab.ids import parse_id
from currant_lab.jobs import check_name
from currant_lab.settings import check_schema

if TYPE_CHECKING:
    from currant_lab.watch.criteria import Filter

__all__ = ["execution", "filter", "json", "queue", "queues", "schema", "signal", "span", "step", "whole"]

_SPAN = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*(s|m|min|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def execution(text: str) -> UUID:
    """An execution's id."""
    try:
        return UUID(bytes=parse_id(text))
    except ValueError:
        raise ArgumentTypeError(f"{text[:60]!r} is no execution's id: `currant list` shows them") from None


def filter(text: str) -> Filter:
    """A filter line."""
    from currant_lab.watch.filters import parse

    try:
        return parse(text)
    except InvalidArguments as error:
        raise ArgumentTypeError(str(error)) from None


def span(text: str) -> timedelta:
    """A span of time, as 30d, 12h, 45m, 90s or 2w."""
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no span of time: write 30d, 12h, 45m, 90s or 2w")
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        raise ArgumentTypeError(f"{text!r} is longer than any history") from None


def queue(text: str) -> str:
    """A queue's name."""
    try:
        return check_name("queue", text)
    except InvalidArguments as error:
        raise ArgumentTypeError(str(error)) from None


def queues(text: str) -> tuple[str, ...]:
    """Names of queues, with commas between."""
    return tuple(dict.fromkeys(queue(name.strip()) for name in text.split(",")))


def schema(text: str) -> str:
    """A schema's name."""
    try:
        return check_schema(text)
    except CurrantError as error:
        raise ArgumentTypeError(str(error)) from None


def signal(text: str) -> str:
    """A signal's name."""
    try:
        return check_name("signal", text)
    except InvalidArguments as error:
        raise ArgumentTypeError(str(error)) from None


def json(text: str) -> Any:
    """A value as JSON."""
    import msgspec

    try:
        return msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        hint = f" (a text is written '\"{text}\"')" if text.isalnum() else ""
        raise ArgumentTypeError(f"{text[:60]!r} is no JSON{hint}") from None


def step(text: str) -> int | str:
    """A step's number from 1 on, or its name."""
    if not text.lstrip("-").isdecimal():
        return text
    return whole(text)


def whole(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)
