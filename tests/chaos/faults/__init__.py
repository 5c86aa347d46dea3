"""Faults: each one a small class that breaks something in a world, lets it be broken for a while, and mends it."""

from __future__ import annotations

from tests.chaos.faults.base import Fault
from tests.chaos.faults.handlers import DoomedHandler, GilHeld, OutOfMemory
from tests.chaos.faults.network import ConnectionsCut, ConnectionsDelayed, HalfOpen, NetworkSplit
from tests.chaos.faults.processes import ClockJump, Frozen, KernelRestart, Killed
from tests.chaos.faults.server import ConnectionsTerminated, ImmediateRestart, ServerDown
from tests.chaos.faults.server_limits import (
    ConnectionsExhausted,
    Deadlock,
    DiskFull,
    StatementTimeouts,
    TransactionHeldOpen,
)

__all__ = ["FAULTS", "Fault"]

FAULTS: tuple[type[Fault], ...] = (
    Killed, Frozen, GilHeld, KernelRestart, ConnectionsTerminated, ImmediateRestart, ServerDown, ConnectionsCut,
    ConnectionsDelayed, HalfOpen, NetworkSplit, DiskFull, ConnectionsExhausted, ClockJump, TransactionHeldOpen,
    StatementTimeouts, Deadlock, OutOfMemory, DoomedHandler,
)  # fmt: skip
