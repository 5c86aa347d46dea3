"""Runs the model's machine for so many examples of so many steps."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine


def run(conn: Any, schema: str, *, examples: int, steps: int) -> int:
    """Returns how many steps were taken; raises what Hypothesis found, made as short as it could be."""
    counted = [0]
    run_state_machine_as_test(
        lambda: Machine(conn, schema, counted),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )
    return counted[0]
