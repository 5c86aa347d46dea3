"""The file of a recording: a line that says what it is, then frames, each with its own checksum.

A frame is a whole state, or what changed a board since the frame before. What lies between a damaged frame and the next
whole state can't be told; the rest can.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from currant_lab.errors import CurrantError
from currant_lab.events import Event
from currant_lab.watch.snapshot import Snapshot
from currant_lab.watch.state import State

__all__ = [
    "CHANGES",
    "STATE",
    "VERSION",
    "Change",
    "Frame",
    "Kind",
    "Tape",
    "TapeFull",
    "frames_of",
    "packed_changes",
    "packed_state",
    "read",
]

VERSION = 1
"""Goes up when a state that was written can no longer be read; fields with defaults may be added to one."""

Kind = Literal[b"S", b"C"]
STATE: Final = b"S"
CHANGES: Final = b"C"
_TITLE = b"CURRANT RECORDING "
_MARK = b"\x00cur"
_HEAD = struct.Struct(">4scdII")
_LARGEST = 256 * 2**20
"""Bytes of a frame, inflated: 200 queues and 200 jobs in full are about 40 MB."""
_KEPT = 0.75
"""A file that is full keeps the newest three quarters, so that it isn't written anew for each frame."""


class TapeFull(CurrantError):
    """A single state is larger than the whole file may be."""


class Change(msgspec.Struct, array_like=True, frozen=True):
    """One call that changed the board, `at` seconds after the recording began and at `now` by the database's clock:
    an event, a snapshot, a loss of events, or of the database."""

    at: float
    now: float
    event: Event | None = None
    snapshot: Snapshot | None = None
    dropped: int = 0
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame stands in its file: `at` in seconds since the recording began, `offset` of its `size` bytes."""

    kind: Kind
    at: float
    offset: int
    size: int


_encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(State).decode
_decode_changes = msgspec.msgpack.Decoder(list[Change]).decode


class Tape:
    """Writes a recording. Not for two threads at once.

    Attributes:
        size: bytes in the file.
    """

    def __init__(self, path: Path, limit: int) -> None:
        """
        Args:
            path: must not exist.
            limit: bytes that the file may have; the oldest part is dropped beyond it.

        Raises:
            CurrantError: it exists already, or can't be made.
        """
        self.path, self.limit = path, limit
        try:
            self._file = open(path, "xb", opener=_private)  # noqa: SIM115 - closed by close
        except FileExistsError:
            raise CurrantError(f"{path} is there already, and stays as it is: record under another name") from None
        except OSError as error:
            raise CurrantError(f"{path} can't be written: {error.strerror}") from None
        self._file.write(_title())
        self._file.flush()
        self.size = len(_title())
        self._states: list[int] = []

    def write(self, kind: Kind, at: float, payload: bytes) -> None:
        """Append a frame, deflated; then the file is whole up to it, whatever becomes of this process.

        Raises:
            OSError: the disk is full, say.
            TapeFull: see there.
        """
        packed = zlib.compress(payload, 6)
        head = _HEAD.pack(_MARK, kind, at, len(packed), _sum(kind, at, packed))
        if kind == STATE:
            self._states.append(self.size)
        self._file.write(head + packed)
        self._file.flush()
        self.size += len(head) + len(packed)
        if self.size > self.limit:
            self._drop()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _drop(self) -> None:
        """Drop the oldest part: a new file takes the place of the old one in one step."""
        room = int(self.limit * _KEPT) - len(_title())
        later = [offset for offset in self._states[1:] if self.size - offset <= room]
        begin = min(later, default=self._states[-1] if self._states else self.size)
        if not self._states or self.size - begin + len(_title()) > self.limit:
            raise TapeFull(f"{self.limit:,} bytes are too few for a recording of this database")
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        new = open(beside, "wb", opener=_private)  # noqa: SIM115 - is the tape's file from now on
        try:
            with self.path.open("rb") as old:
                old.seek(begin)
                new.write(_title())
                shutil.copyfileobj(old, new, 2**20)
            new.flush()
            beside.replace(self.path)
        except OSError:
            new.close()
            beside.unlink(missing_ok=True)
            raise
        self._file.close()
        moved = begin - len(_title())
        self._file, self.size = new, self.size - moved
        self._states = [offset - moved for offset in self._states if offset >= begin]


def frames_of(path: Path) -> tuple[list[Frame], int]:
    """The whole frames that can be replayed, and how many bytes are damaged.

    Raises:
        CurrantError: there is no such file, it is no recording, or one of another version.
    """
    try:
        with path.open("rb") as file:
            _check_title(path, file.readline(64))
            return _scan(file)
    except OSError as error:
        raise CurrantError(f"{path} can't be read: {error.strerror}") from None


def read(file: BinaryIO, frame: Frame) -> State | list[Change]:
    """What a frame holds.

    Raises:
        ValueError: it isn't what a recording of this version holds.
    """
    file.seek(frame.offset)
    inflater = zlib.decompressobj()
    try:
        payload = inflater.decompress(file.read(frame.size), _LARGEST)
        if inflater.unconsumed_tail:
            raise ValueError("the frame is larger than any that is written")
        return _decode_state(payload) if frame.kind == STATE else _decode_changes(payload)
    except (zlib.error, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"the frame at {frame.offset} can't be read: {error}") from error


def packed_state(state: State) -> bytes:
    """The payload of a state's frame."""
    return _encode(state)


def packed_changes(changes: list[Change]) -> bytes:
    """The payload of a frame of changes."""
    return _encode(changes)


def _scan(file: BinaryIO) -> tuple[list[Frame], int]:
    frames: list[Frame] = []
    damaged = 0
    follows = False
    for frame, skipped in _whole(file):
        damaged += skipped
        if frame is None:
            break
        follows = frame.kind == STATE or (follows and not skipped)
        if follows:
            frames.append(frame)
    return frames, damaged


def _whole(file: BinaryIO) -> Iterator[tuple[Frame | None, int]]:
    """The whole frames, each with the bytes of no use before it; at the end None with those that are left."""
    end = file.seek(0, os.SEEK_END)
    place = kept = len(_title())
    while (begin := _find(file, place, end)) is not None:
        frame = _frame_at(file, begin, end)
        if frame is None:
            place = begin + 1
            continue
        yield frame, begin - kept
        place = kept = frame.offset + frame.size
    yield None, end - kept


def _find(file: BinaryIO, place: int, end: int) -> int | None:
    """Where the next frame seems to begin."""
    while place < end:
        file.seek(place)
        piece = file.read(2**16)
        found = piece.find(_MARK)
        if found >= 0:
            return place + found
        place += max(len(piece) - len(_MARK) + 1, 1)
    return None


def _frame_at(file: BinaryIO, begin: int, end: int) -> Frame | None:
    file.seek(begin)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    _, kind, at, size, total = _HEAD.unpack(head)
    offset = begin + _HEAD.size
    if kind not in (STATE, CHANGES) or offset + size > end or _sum(kind, at, file.read(size)) != total:
        return None
    return Frame(kind, at, offset, size)


def _check_title(path: Path, line: bytes) -> None:
    if line == _title():
        return
    version = line.removeprefix(_TITLE).strip()
    if line.startswith(_TITLE) and version.isdigit():
        raise CurrantError(
            f"{path} is a recording of version {int(version)}, and this Currant reads version {VERSION}: "
            "replay it with the Currant that made it"
        )
    raise CurrantError(f"{path} is no recording: `currant-tui --record FILE` makes one")


def _title() -> bytes:
    return _TITLE + b"%d\n" % VERSION


def _sum(kind: bytes, at: float, packed: bytes) -> int:
    return zlib.crc32(packed, zlib.crc32(kind + struct.pack(">dI", at, len(packed))))


def _private(path: str, flags: int) -> int:
    """Job names and error texts are in there: for the owner alone, unless they say otherwise."""
    return os.open(path, flags, 0o600)
