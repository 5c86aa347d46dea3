"""`contextlib.redirect_stdout` while a pool runs: in a handler it is the handler's alone, elsewhere it takes no
handler's output.

By itself it replaces `sys.stdout`, which all threads share: what handlers print at that time would go to a cell that
has nothing to do with them, and what a cell or another handler prints to the handler that redirects. Nothing tells who
replaced the stream, so the two public classes are told who asks: they get an `__enter__` and an `__exit__` of their own
in front of those they inherit, and lose them when the pool stops. (A new class under the same name would miss everybody
who has imported the old one; a `sys` that watches its attributes would change more.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

__all__ = ["Redirects", "redirected"]

redirected: ContextVar[dict[str, Any] | None] = ContextVar("currant_redirected", default=None)
"""The handler's own target for `stdout` and `stderr`, where it has one."""

_CLASSES: dict[str, Any] = {"stdout": contextlib.redirect_stdout, "stderr": contextlib.redirect_stderr}


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
        for stream, known in _CLASSES.items():
            self._teach(stream, known)

    def remove(self) -> None:
        """Put back what was there. A `with` that is open has found its end already, and ends as it began."""
        for known in _CLASSES.values():
            for name in ("__enter__", "__exit__"):
                if name in vars(known):
                    delattr(known, name)

    def _teach(self, stream: str, known: Any) -> None:
        in_handler, after = self._in_handler, self._after

        def enter(self: Any) -> Any:
            if not in_handler():
                target = super(known, self).__enter__()  # type: ignore[misc]
                after()
                return target
            before = redirected.get() or {}
            self.__dict__.setdefault(_BEFORE, []).append(before)
            redirected.set(before | {stream: self._new_target})
            return self._new_target

        def leave(self: Any, *error: Any) -> Any:
            own = self.__dict__.get(_BEFORE)
            if own:
                redirected.set(own.pop())
                return None
            return super(known, self).__exit__(*error)  # type: ignore[misc]

        known.__enter__, known.__exit__ = enter, leave


_BEFORE = "_currant_before"
