"""Submitting: by `map` or one by one, from one thread or several, a number of jobs or for a time."""

from __future__ import annotations

import concurrent.futures
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from currant_lab.bench import work
from currant_lab.bench.plan import Plan
from currant_lab.client.batch import Batch
from currant_lab.client.handles import Execution

__all__ = ["Submitted", "submit_all"]

_CHUNK = 2_000
_AHEAD = 20_000
"""A run for a time keeps at most so many waiting, beyond what the pools hold."""


class Submitted:
    """What has been submitted: groups of (numbers, their batch or executions)."""

    def __init__(self) -> None:
        self.groups: list[tuple[range, Batch | list[Execution]]] = []
        self.seconds = 0.0

    def __len__(self) -> int:
        return sum(len(numbers) for numbers, _ in self.groups)

    def results(self) -> list[tuple[range, list[Any]]]:
        """Wait for all, and their results. A failure is in its place, as an error."""
        return [(numbers, _results(made)) for numbers, made in self.groups]

    def first_id(self) -> bytes:
        """The oldest of the ids."""
        return min(_id(made[0]) for _, made in self.groups)

    def last_id(self) -> bytes:
        """The newest of the ids: they ascend within this process."""
        return max(_id(made[-1]) for _, made in self.groups)


def _results(made: Batch | list[Execution]) -> list[Any]:
    if isinstance(made, Batch):
        return made.results(on_error="return")
    return [execution.result() for execution in made]


def _id(execution: Execution) -> bytes:
    return execution.id.bytes


def submit_all(plan: Plan, jobs: int, settled: Callable[[], int], duration_s: float | None = None) -> Submitted:
    """Submit `jobs` executions, or as many as `duration_s` allows, dealt out to the plan's queues and producers.

    Args:
        plan: what they are like.
        jobs: how many, without a duration.
        settled: how many have been settled so far.
        duration_s: seconds to go on for.
    """
    done = Submitted()
    lock = threading.Lock()
    numbers = itertools.count()
    begun = time.perf_counter()
    stopped = threading.Event()

    def produce(share: int) -> None:
        for turn, many in enumerate(_shares(plan, share, duration_s, begun, settled, lambda: len(done))):
            if stopped.is_set():
                return
            with lock:
                first = next(numbers) if many == 1 else _reserve(numbers, many)
            wanted = range(first, first + many)
            made = _submit(plan, wanted, plan.queues[turn % len(plan.queues)])
            with lock:
                done.groups.append((wanted, made))

    shares = [jobs // plan.producers + (index < jobs % plan.producers) for index in range(plan.producers)]
    with concurrent.futures.ThreadPoolExecutor(plan.producers, "producer") as threads:
        for producer in [threads.submit(produce, share) for share in shares if share or duration_s is not None]:
            _await(producer, stopped)
    done.seconds = time.perf_counter() - begun
    return done


def _await(producer: concurrent.futures.Future[None], stopped: threading.Event) -> None:
    """Wait for a producer. After an interrupt, or a failure, the others end with the map that they are at."""
    try:
        producer.result()
    except BaseException:
        stopped.set()
        raise


def _reserve(numbers: itertools.count[int], many: int) -> int:
    first = next(numbers)
    for _ in range(many - 1):
        next(numbers)
    return first


def _shares(
    plan: Plan,
    jobs: int,
    duration_s: float | None,
    begun: float,
    settled: Callable[[], int],
    submitted: Callable[[], int],
) -> Any:
    """The sizes of a producer's maps: one for each queue, or chunk after chunk while the time lasts."""
    if duration_s is None:
        many = len(plan.queues)
        yield from filter(None, (jobs // many + (index < jobs % many) for index in range(many)))
        return
    while time.perf_counter() - begun < duration_s:
        if submitted() - settled() < _AHEAD:
            yield _CHUNK
        else:
            time.sleep(0.005)


def _submit(plan: Plan, numbers: range, queue: str) -> Batch | list[Execution]:
    if plan.is_shaped:
        chosen: Any = (work.shaped_sync if plan.sync else work.shaped).options(queue=queue)
        payload = "x" * plan.payload_size
        rest = (payload, plan.job_time_ms, plan.result_size)
        if plan.enqueue == "map":
            mapped: Batch = chosen.map(numbers, *([value] * len(numbers) for value in rest))
            return mapped
        return [chosen.submit(n, *rest) for n in numbers]
    chosen = (work.noop_sync if plan.sync else work.noop).options(queue=queue)
    if plan.enqueue == "map":
        batch: Batch = chosen.map(numbers)
        return batch
    return [chosen.submit(n) for n in numbers]
