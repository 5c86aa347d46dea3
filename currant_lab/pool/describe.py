"""An exception as data: its type, its text, its traceback from the handler's first frame on."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

from currant_lab.outcomes import ErrorInfo

__all__ = ["describe", "message_of", "storable_text"]

_TRIES = 5
"""Formatting parses the failing line, and the parser of Python 3.11 gives up with SystemError when another thread
parses at the same moment."""

_OWN = frozenset(str(Path(__file__).parent.parent / part) for part in ("notebook/cells.py", "pool/threads.py"))
"""Files whose frames stand between an attempt and the code of a `%%currant` cell."""

MAX_MESSAGE = 4_000
MAX_TRACEBACK = 32_000
"""Characters kept of a message and of a traceback; the middle of a longer one is left out."""


def describe(error: BaseException, own_frames: int = 0) -> ErrorInfo:
    """Return what the database keeps of `error`, leaving out the first `own_frames` frames, which are Currant's.

    Nothing an exception does (a `str()` that raises, lone surrogates, NUL) can make this fail.
    """
    return ErrorInfo(
        type=storable_text(type_name(error)),
        message=message_of(error),
        traceback=_shorten(storable_text(_traceback(error, own_frames)), MAX_TRACEBACK),
    )


def message_of(error: BaseException) -> str:
    """The text of `error`, as the database keeps it."""
    return _shorten(storable_text(_message(error)), MAX_MESSAGE)


def type_name(error: BaseException) -> str:
    """`ValueError`, or `package.module.Error` for what is not built in or of the notebook."""
    kind = type(error)
    module = getattr(kind, "__module__", None)
    if module in (None, "builtins", "__main__"):
        return kind.__qualname__
    if module == "currant_lab.errors":
        return kind.__name__
    return f"{module}.{kind.__qualname__}"


def storable_text(text: str) -> str:
    """`text` with the characters that PostgreSQL can't keep (NUL, lone surrogates) written as escapes."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as problem:  # noqa: BLE001 - a user's __str__ may raise anything, SystemExit too
        return f"<str() of this {type(error).__name__} raised {type(problem).__name__}>"


def _traceback(error: BaseException, own_frames: int) -> str:
    frames: TracebackType | None = error.__traceback__
    for _ in range(own_frames):
        if frames is not None and frames.tb_next is not None:
            frames = frames.tb_next
    while frames is not None and frames.tb_next is not None and frames.tb_frame.f_code.co_filename in _OWN:
        frames = frames.tb_next
    for _ in range(_TRIES):
        try:
            return "".join(traceback.format_exception(type(error), error, frames)).rstrip()
        except SystemError as passing:
            problem: BaseException = passing
        except BaseException as raised:  # noqa: BLE001 - formatting calls the user's __str__ and __repr__
            problem = raised
            break
    return f"<the traceback of this {type(error).__name__} can't be formatted: {type(problem).__name__}>"


def _shorten(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    head, tail = limit // 4, limit - limit // 4
    return f"{text[:head]}\n… {len(text) - limit:,} characters left out …\n{text[-tail:]}"
