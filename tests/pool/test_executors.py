"""Plain handlers elsewhere: in processes, and in the executors of the standard library, Dask and ipyparallel."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import currant_lab as currant
from currant_lab import job
from currant_lab.pool.pool import Pool
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, failure
from tests.pool.test_pool import run


class Sour(Exception):
    def __init__(self, fruit: str, *, how: str) -> None:  # as many do: it can't be unpickled
        super().__init__(f"{fruit} is {how}")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@job
def square(x: int) -> int:
    return x * x


@job
def where() -> int:
    return os.getpid()


@job
def sour() -> None:
    raise Sour("currant", how="sour")


@job
def speechless() -> None:
    raise Unspeakable


@job
def leaves() -> None:
    raise SystemExit(3)


@job
def speaks(path: str) -> dict[str, Any]:
    here = currant.context.running()
    currant.progress(0.5, "half")
    print("to stdout")
    print("to stderr", file=sys.stderr)
    assert here is not None
    return {"pid": os.getpid(), "job": here.job, "attempt": here.attempt}


@job
def returns(kind: str) -> Any:
    match kind:
        case "lock":
            return threading.Lock()
        case "coroutine":
            return asyncio.sleep(0)
        case "nan":
            return float("nan")
        case "object":
            return object()
    return kind


@job
async def on_the_loop() -> int:
    return os.getpid()


@job
def dies(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("x")
    os._exit(9)


@job
def waits_for(path: str) -> int:
    """Until there is such a file; leaves one of its own first."""
    Path(f"{path}.{os.getpid()}").touch()
    while not Path(path).exists():
        time.sleep(0.005)
    return os.getpid()


def started(path: Path, count: int) -> list[int]:
    """The processes in which `waits_for` has begun, once there are so many."""
    deadline = time.monotonic() + PATIENCE
    while len(found := list(path.parent.glob(f"{path.name}.*"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return [int(one.suffix[1:]) for one in found]


# Processes of the pool's own.


def test_processes_run_capture_and_fail_like_threads(start: Callable[..., Pool]) -> None:
    start(executor="process", workers=2)
    batch = square.map(range(20))
    assert batch.results(PATIENCE) == [x * x for x in range(20)]
    assert where.submit().result(PATIENCE) != os.getpid()
    assert on_the_loop.submit().result(PATIENCE) == os.getpid()

    e = speaks.submit("")
    value = e.result(PATIENCE)
    assert (value["job"], value["attempt"]) == (speaks.name, 1)
    assert value["pid"] != os.getpid()
    assert e.logs == "to stdout\nto stderr\n"

    error = failure(sour.submit())
    assert (error.type, error.message) == (f"{__name__}.Sour", "currant is sour")
    assert "in sour" in error.traceback
    assert failure(speechless.submit()).message == "<str() of this Unspeakable raised RuntimeError>"
    assert failure(leaves.submit()).type == "SystemExit"


def test_results_that_are_not_data_fail_and_the_batch_goes_on(start: Callable[..., Pool]) -> None:
    start(executor="process", workers=1)
    *errors, last = returns.map(["lock", "coroutine", "nan", "object", "data"]).results(PATIENCE, on_error="return")
    assert [error.type for error in errors] == ["NotStorable"] * 4
    assert all(error.message.startswith("result") for error in errors)
    assert "must await it" in errors[1].message
    assert last == "data"


def test_a_process_that_dies_fails_its_own_execution_and_no_other(start: Callable[..., Pool], tmp_path: Path) -> None:
    start(executor="process", workers=3)
    gate, note = tmp_path / "gate", tmp_path / "note"
    others = [waits_for.submit(str(gate)) for _ in range(2)]
    started(gate, 2)
    error = failure(dies.submit(str(note)))
    assert "TerminatedWorkerError" in error.type
    assert "in dies" not in error.traceback
    assert note.read_text() == "x"
    assert failure(dies.options(retries=2, backoff=0).submit(str(note))).attempt == 3
    gate.touch()
    assert len({e.result(PATIENCE) for e in others}) == 2
    assert [e.attempt for e in others] == [1, 1]
    assert square.map(range(5)).results(PATIENCE) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("how", ["timeout", "cancel", "stop"])
def test_a_handler_in_a_process_is_really_ended(start: Callable[..., Pool], tmp_path: Path, how: str) -> None:
    pool = start(executor="process", workers=1)
    square.submit(1).result(PATIENCE)  # the process is there: the time limit is the handler's alone
    gate = tmp_path / "gate"
    e = waits_for.options(timeout=2 if how == "timeout" else None).submit(str(gate))
    (pid,) = started(gate, 1)
    match how:
        case "timeout":
            assert isinstance(failure(e), currant.ExecutionTimeout)
        case "cancel":
            assert e.cancel()
            with pytest.raises(currant.ExecutionCancelled):
                e.result(PATIENCE)
        case "stop":
            pool.stop(drain=False)
            assert e.status == "pending"
    gone(pid)
    if how != "stop":
        assert square.submit(3).result(PATIENCE) == 9


def gone(pid: int) -> None:
    """Wait until the process has ended; a zombie has."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        assert time.monotonic() < deadline, "the process still runs"
        time.sleep(0.005)


def test_a_function_of_a_script_runs_in_a_process_and_the_script_ends_at_once(leased: Leased) -> None:
    script = textwrap.dedent("""
        import os, sys, time
        import currant_lab as currant
        from currant_lab import job

        FACTOR = 3

        def helper(x):
            return FACTOR * x

        @job
        def triple(x: int) -> tuple[int, int]:
            return helper(x), os.getpid()

        @job
        def held():
            open(os.environ["NOTE"], "w").write(str(os.getpid()))
            time.sleep(3600)

        if __name__ == "__main__":
            currant.start(executor="process", workers=2)
            value, pid = triple.submit(7).result(20)
            assert value == 21 and pid != os.getpid()
            held.submit()
            print("on", flush=True)
            sys.stdin.readline()
    """)
    note = leased.server.directory / f"{leased.schema}.note"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=leased.env | {"NOTE": str(note)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    deadline = time.monotonic() + PATIENCE
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    asked = time.monotonic()
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()
    assert time.monotonic() - asked < 4
    gone(int(note.read_text()))
    out = run(leased, "print([(e.job.rpartition(':')[2], e.status, e.attempt) for e in currant.executions()])")
    assert out == "[('held', <Status.PENDING: 'pending'>, 0), ('triple', <Status.SUCCEEDED: 'succeeded'>, 1)]\n"


def test_processes_end_after_their_pool_was_killed(leased: Leased) -> None:
    script = textwrap.dedent("""
        import os, sys
        import currant_lab as currant

        @currant.job
        def where() -> int:
            return os.getpid()

        currant.start(executor="process", workers=1)
        print(where.submit().result(20), flush=True)
        sys.stdin.readline()
    """)
    killed = subprocess.Popen(
        [sys.executable, "-c", script], env=leased.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdin is not None
    assert killed.stdout is not None
    pid = int(killed.stdout.readline())
    killed.kill()
    killed.wait()
    killed.stdin.close()
    killed.stdout.close()
    gone(pid)


# Anybody's executor.


class Lying:
    """Looks like an executor and is none."""

    def submit(self) -> None:
        raise NotImplementedError


def test_what_is_no_executor_is_refused(start: Callable[..., Pool]) -> None:
    for wrong in ("threads", 3, None, object()):
        with pytest.raises(currant.InvalidArguments, match='executor is "thread", "process" or'):
            start(executor=wrong)


def test_an_executor_that_raises_fails_the_execution(start: Callable[..., Pool]) -> None:
    start(executor=Lying())
    assert failure(square.submit(3)).type == "TypeError"


def test_the_standard_thread_pool(start: Callable[..., Pool]) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        start(executor=executor)
        assert square.map(range(10)).results(PATIENCE) == [x * x for x in range(10)]
        assert failure(sour.submit()).message == "currant is sour"
        e = speaks.submit("")
        assert e.result(PATIENCE) == {"pid": os.getpid(), "job": speaks.name, "attempt": 1}
        assert e.logs == "to stdout\nto stderr\n"
        currant.stop()
        assert executor.submit(int).result() == 0  # it is not ours to end


def test_the_standard_process_pool(start: Callable[..., Pool], tmp_path: Path) -> None:
    import multiprocessing

    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        start(executor=executor)
        assert square.map(range(10)).results(PATIENCE) == [x * x for x in range(10)]
        e = speaks.submit("")
        assert e.result(PATIENCE)["pid"] != os.getpid()
        assert e.logs == "to stdout\nto stderr\n"
        assert failure(sour.submit()).message == "currant is sour"
        assert "BrokenProcessPool" in failure(dies.submit(str(tmp_path / "note"))).type
        assert "BrokenProcessPool" in failure(square.submit(2)).type  # the standard library's word on the matter


@pytest.fixture
def dask() -> Iterator[Any]:
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, dashboard_address=None, host="127.0.0.1", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_dask(start: Callable[..., Pool], dask: Any) -> None:
    start(executor=dask.get_executor(pure=False))
    assert square.map(range(20)).results(PATIENCE) == [x * x for x in range(20)]
    assert where.submit().result(PATIENCE) != os.getpid()
    error = failure(sour.submit())
    assert error.message == "currant is sour"
    currant.stop()
    assert dask.submit(int).result() == 0


@pytest.fixture
def ipyparallel_view(tmp_path: Path) -> Iterator[Any]:
    import ipyparallel

    with ipyparallel.Cluster(
        n=1, profile_dir=str(tmp_path / "profile"), log_level=50, engine_timeout=60, delay=0.01
    ) as client:
        yield client.load_balanced_view()
        client.close()


def test_ipyparallel(start: Callable[..., Pool], ipyparallel_view: Any) -> None:
    start(executor=ipyparallel_view.executor)
    assert square.map(range(20)).results(PATIENCE) == [x * x for x in range(20)]
    assert where.submit().result(PATIENCE) != os.getpid()
    assert "currant is sour" in failure(sour.submit()).message
