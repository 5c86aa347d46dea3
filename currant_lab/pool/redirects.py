"""`contextlib.redirect_stdout` while a pool runs: in a handler it is the handler's alone, elsewhere it takes no
handler's output.

It replaces `sys.stdout`, which all threads share: what handlers print at that time would go to a cell that has
nothing to do with them, and what a cell or another handler prints to the handler that redirects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

__all__ = ["Redirects", "redirected"]

redirected: ContextVar[dict[str, Any] | None] = ContextVar("currant_redirected", default=None)
"""The handler's own target for `stdout` and `stderr`, where it has one."""

_Redirect: Any = contextlib._RedirectStream
_enter, _exit = _Redirect.__enter__, _Redirect.__exit__


class Redirects:
    """Puts the handlers' form in place.

    Args:
        in_handler: whether the caller is a handler whose output is caught.
        after: called when somebody else has replaced a stream.
    """

    def __init__(self, in_handler: Callable[[], bool], after: Callable[[], None]) -> None:
        self._in_handler = in_handler
        self._after = after

    def install(self) -> None:
        """From now on redirects know about handlers."""
        in_handler, after = self._in_handler, self._after

        def enter(self: Any) -> Any:
            if not in_handler():
                target = _enter(self)
                after()
                return target
            before = redirected.get() or {}
            self.__dict__.setdefault("_currant", []).append(before)
            redirected.set(before | {self._stream: self._new_target})
            return self._new_target

        def leave(self: Any, *error: Any) -> Any:
            own = self.__dict__.get("_currant")
            if own:
                redirected.set(own.pop())
                return None
            return _exit(self, *error)

        _Redirect.__enter__, _Redirect.__exit__ = enter, leave

    def remove(self) -> None:
        """Put back what was there. Redirects that are open then end as they began."""
        _Redirect.__enter__ = _enter
        # `leave` stays: it is the plain one for all that began plainly.
