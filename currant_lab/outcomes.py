"""How an attempt ended, as a value: made by the runner, written by the engine, read by the handles."""

from __future__ import annotations

import msgspec

__all__ = ["ErrorInfo", "Outcome"]


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the database keeps of an exception, as JSON."""

    type: str
    message: str
    traceback: str = ""

    def to_json(self) -> str:
        """The JSON that goes into `history.error`."""
        return msgspec.json.encode(self).decode()


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The end of one attempt. `status` is `succeeded`, `failed`, `cancelled`, or `retry` with a `delay` in seconds.

    It can't be part of a cycle, and there are many: the collector of cycles need not look.
    """

    id: bytes
    token: int
    attempt: int
    status: str
    result: bytes | None = None
    error: ErrorInfo | None = None
    run_us: int = 0
    delay: float = 0.0
    logs: str | None = None
    source: str | None = None
