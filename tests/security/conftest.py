"""The pool's fixtures serve here too."""

from tests.pool.conftest import pool, signals, start

__all__ = ["pool", "signals", "start"]
