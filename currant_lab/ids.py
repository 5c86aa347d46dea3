"""Execution ids: UUIDv7 (RFC 9562, section 5.7), made by the client, in strict order within a process.

An id is handled as its 16 bytes inside Currant, and shown to people as a `uuid.UUID`.
"""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID

__all__ = ["new_id", "new_ids", "parse_id"]

_lock = threading.Lock()
_last = 0  # the last 128-bit value given out

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62


def new_ids(count: int) -> list[bytes]:
    """Return `count` new ids, each greater than any given out before in this process.

    The ids of one call count up by one in the low 62 bits, from a start that is random in each millisecond, so they are
    contiguous.
    """
    global _last
    with _lock:
        milliseconds = time.time_ns() // 1_000_000
        if milliseconds <= _last >> 80:  # the last one's millisecond: its random start serves, and costs nothing
            first = _last + 1
        else:
            random = int.from_bytes(os.urandom(9), "big")
            # 60 random bits leave room for 3 * 2**60 ids before the low 62 bits overflow.
            first = (milliseconds << 80) | _VERSION | ((random >> 60 & 0xFFF) << 64) | _VARIANT | (random & (2**60 - 1))
        if (first + count) & (2**62 - 1) < count:  # the low bits would carry into the variant
            first = ((first >> 80) + 1 << 80) | _VERSION | _VARIANT
        _last = first + count - 1
    return [value.to_bytes(16, "big") for value in range(first, first + count)]


def new_id() -> bytes:
    """Return one new id: see `new_ids`."""
    return new_ids(1)[0]


def parse_id(value: str | bytes | UUID) -> bytes:
    """Return the 16 bytes of an id given as text, bytes or UUID.

    Raises:
        ValueError: it is not a UUID.
    """
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, bytes):
        if len(value) != 16:
            raise ValueError(f"an execution id has 16 bytes, not {len(value)}")
        return value
    try:
        return UUID(value).bytes
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{value!r} is not an execution id: a UUID is expected") from None


def _begin_anew() -> None:
    """A forked child must not go on with its parent's counter, nor wait for a lock that nobody will let go of."""
    global _lock, _last
    _lock, _last = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
