"""A look at an Arrow IPC stream before a library reads it: only what can't ask for far more memory than it has.

Tables are written without compression, so a stream that is compressed is not Currant's; and a few bytes may
claim billions of rows, which a table of nulls or of run lengths would blow up.
"""

from __future__ import annotations

import struct

__all__ = ["check_stream"]

_CONTINUATION = b"\xff\xff\xff\xff"
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_ROWS_FREE = 1_000_000
_ROWS_PER_BYTE = 8  # a column of booleans has a bit per row


class _Table:
    """A flatbuffers table: fields are found through its vtable, absent ones are None."""

    def __init__(self, data: memoryview, position: int) -> None:
        self._data = data
        self._position = position
        self._vtable = position - self._int("<i", position)
        self._vtable_size = self._int("<H", self._vtable)

    def number(self, field: int, layout: str, default: int = 0) -> int:
        offset = self._offset(field)
        return default if offset == 0 else self._int(layout, self._position + offset)

    def table(self, field: int) -> _Table | None:
        offset = self._offset(field)
        if offset == 0:
            return None
        place = self._position + offset
        return _Table(self._data, place + self._int("<I", place))

    def _offset(self, field: int) -> int:
        slot = 4 + 2 * field
        return self._int("<H", self._vtable + slot) if slot + 2 <= self._vtable_size else 0

    def _int(self, layout: str, position: int) -> int:
        if position < 0:
            raise ValueError("it points outside of itself")
        number: int = struct.unpack_from(layout, self._data, position)[0]
        return number


def check_stream(data: memoryview) -> None:
    """Refuse a stream that is compressed, cut short, or claims more rows than its size allows.

    Raises:
        ValueError: it won't do; the message says why.
    """
    try:
        rows = _walk(data)
    except struct.error:
        raise ValueError("it is cut short") from None
    if rows > _ROWS_FREE + _ROWS_PER_BYTE * len(data):
        raise ValueError(f"it claims {rows:,} rows in {len(data):,} bytes")


def _walk(data: memoryview) -> int:
    """The rows that the stream's messages claim."""
    position = rows = 0
    while position < len(data):
        if data[position : position + 4] != _CONTINUATION:
            raise ValueError("it isn't an Arrow stream")
        (size,) = struct.unpack_from("<i", data, position + 4)
        if size == 0:  # the end of the stream
            return rows
        start = position + 8
        if size < 0 or start + size > len(data):
            raise ValueError("it is cut short")
        metadata = data[start : start + size]
        message = _Table(metadata, struct.unpack_from("<I", metadata, 0)[0])
        rows += _rows_of(message)
        body = message.number(3, "<q")
        position = start + size + body
        if body < 0 or position > len(data):
            raise ValueError("it is cut short")
    return rows


def _rows_of(message: _Table) -> int:
    """How many rows one message claims. Field numbers are those of Arrow's Message.fbs."""
    kind, batch = message.number(1, "<B"), message.table(2)
    if kind == _DICTIONARY_BATCH and batch is not None:
        batch = batch.table(1)
    elif kind != _RECORD_BATCH:
        return 0
    if batch is None:
        return 0
    if batch.table(3) is not None:
        raise ValueError("it is compressed, which Currant never writes")
    rows = batch.number(0, "<q")
    if rows < 0:
        raise ValueError("it claims a negative number of rows")
    return rows
