"""The client of this process: what jobs submit through when nobody says otherwise."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from currant_lab.errors import CurrantError

if TYPE_CHECKING:
    from currant_lab.client.client import Client

__all__ = ["bind", "get", "peek", "put"]

_lock = threading.Lock()
_client: Client | None = None
_opener: Callable[[], Client] | None = None


def bind(opener: Callable[[], Client]) -> None:
    """Let `opener` make the client when one is first needed. It may block, and it raises what is wrong."""
    global _opener
    _opener = opener


def put(client: Client | None) -> None:
    """Make `client` the one of this process; None forgets it, and the next `get` opens another."""
    global _client
    with _lock:
        _client = client


def get() -> Client:
    """The client of this process, opened at first use.

    Raises:
        CurrantError: nothing says how to open one.
        DatabaseUnavailable: it can't be opened, and why.
    """
    global _client
    client = _client
    if client is not None and not client.is_closed:
        return client
    with _lock:
        if _client is None or _client.is_closed:
            if _opener is None:
                raise CurrantError("there is no database yet: currant.start() opens one")
            _client = _opener()
        return _client


def peek() -> Client | None:
    """The client of this process if it has been opened and not closed."""
    return _client if _client is not None and not _client.is_closed else None


def _forget() -> None:
    """A forked child has no use for its parent's connections, nor for a lock that another thread may hold."""
    global _client, _lock
    _client, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
