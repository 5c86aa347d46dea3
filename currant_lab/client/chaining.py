"""Handles as arguments of other executions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from currant_lab.client import current
from currant_lab.errors import InvalidArguments
from currant_lab.parts import NotData, to_part

if TYPE_CHECKING:
    from currant_lab.client.client import Client

__all__ = ["after_of", "check_here"]


def check_here(client: Client) -> None:
    """Make sure that a handle is of the database that is submitted to.

    Raises:
        NotData: it is of another.
    """
    here = current.get()
    if client is here:
        return
    own, other = client.database, here.database
    if (str(own.target), own.schema) != (str(other.target), other.schema):
        raise NotData("this handle is of another database, where nothing here can wait for it: pass its result()")


def after_of(after: object) -> tuple[tuple[str, bytes], ...]:
    """The handles of `options(after=[...])`, as parts.

    Raises:
        InvalidArguments: one is no handle, or of another database.
    """
    is_one = hasattr(type(after), "__currant_part__") or not isinstance(after, Iterable)
    parts = []
    for handle in [after] if is_one else list(after):  # type: ignore[call-overload]
        if not hasattr(type(handle), "__currant_part__"):
            raise InvalidArguments(f"after is a list of executions and batches, and {handle!r:.80} is neither")
        try:
            part = to_part(handle)
        except NotData as error:
            raise InvalidArguments(f"after: {error}") from None
        assert part is not None  # noqa: S101 - handles have one
        parts.append(part)
    return tuple(parts)
