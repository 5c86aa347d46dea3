"""The session of this kernel, and what those that have ended have left behind."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from currant_lab.client.handles import Execution
from currant_lab.database import serving
from currant_lab.jobs import session_of_cell

if TYPE_CHECKING:
    from currant_lab.client.client import Client

__all__ = ["SESSION", "interrupted"]

SESSION = secrets.token_hex(4)
"""This kernel from its start to its end."""


def interrupted(client: Client, found: Sequence[Execution]) -> set[Execution]:
    """Those that are cells of kernels that have ended, and that nobody can run any more."""
    asked = [one for one in found if session_of_cell(one.job) not in (None, SESSION) and one._is_pending()]
    if not asked:
        return set()
    alive = {job for pool in client.run(serving.pools(client.database)) if pool.is_alive for job in pool.jobs}
    return {one for one in asked if one.job not in alive}
