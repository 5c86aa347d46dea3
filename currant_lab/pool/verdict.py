"""From how a handler ended to what is written: pure, so that it can be read and tested as a table."""

from __future__ import annotations

from dataclasses import dataclass

from currant_lab.errors import Cancel, ExecutionTimeout, NotStorable, Retry
from currant_lab.jobs import Policy
from currant_lab.outcomes import ErrorInfo

__all__ = ["Verdict", "of_error", "timed_out"]

_LONGEST_DELAY_S = 100 * 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` as `Engine.settle` takes it, with the error to keep and the seconds before a retry."""

    status: str
    error: ErrorInfo | None = None
    delay: float = 0.0


def of_error(error: BaseException, info: ErrorInfo, policy: Policy, failures: int) -> Verdict:
    """What becomes of an execution whose handler raised `error`.

    Args:
        error: what it raised.
        info: the same as data, to keep.
        policy: the execution's own policy.
        failures: the attempts it has failed, this one included; those its pool died under don't count.
    """
    has_retry_left = failures <= policy.retries
    match error:
        case Cancel():
            return Verdict("cancelled", info)
        case Retry() if has_retry_left or policy.retries == 0:
            # A job without a retry policy that asks for another run gets it: it knows what it does.
            return Verdict("retry", info, _seconds(error.after, policy.backoff.delay(failures)))
        case SystemExit() | KeyboardInterrupt() | NotStorable():
            return Verdict("failed", info)  # meant to end it, or sure to come again
        case _ if has_retry_left:
            return Verdict("retry", info, policy.backoff.delay(failures))
        case _:
            return Verdict("failed", info)


def _seconds(after: float | None, default: float) -> float:
    """What a handler has asked for as a wait that can be kept: not nan, nor beyond what PostgreSQL can date."""
    return default if after is None or after != after else min(max(after, 0.0), _LONGEST_DELAY_S)


def timed_out(seconds: float) -> ExecutionTimeout:
    """The error of a handler that ran longer than its timeout."""
    return ExecutionTimeout(f"the handler ran longer than its timeout of {seconds:g} s")
