"""`currant worker` in processes of its own: what it runs, how it ends, what is left when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from currant_lab.client.client import Client
from tests.cli.conftest import Shell

Start = Callable[..., subprocess.Popen[str]]
Submit = Callable[..., str]


def last_event(process: subprocess.Popen[str]) -> Any:
    out, _ = process.communicate(timeout=30)
    return json.loads(out.splitlines()[-1])


def wait_for_line(process: subprocess.Popen[str], word: str) -> None:
    assert process.stderr is not None
    assert word in process.stderr.readline()


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_runs_a_module_s_jobs(worker: Start, submit: Submit, client: Client, executor: str) -> None:
    process = worker("--queues", "default,mail", "--workers", 3, "--executor", executor)
    good, bad = submit("my_jobs:double", 21), submit("my_jobs:send", "ann", queue="mail")
    assert client.get(good).result(timeout=30) == 42
    failed = client.get(bad).wait(timeout=30).refresh()
    assert failed.error is not None
    assert (failed.status, failed.error.message) == ("failed", "no such mailbox: ann")
    assert failed.logs == "to ann\n"
    process.send_signal(signal.SIGTERM)
    event = last_event(process)
    assert (event["event"], event["settled"], event["drained"], process.returncode) == ("stopped", 2, True, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(shell: Shell, worker: Start, submit: Submit, client: Client, number: int) -> None:
    process = worker()
    own = submit("my_jobs:held", str(shell.directory))
    shell.wait_begun()
    process.send_signal(number)
    wait_for_line(process, "draining")
    late = submit("my_jobs:double", 1)
    shell.let_go("fine")
    assert client.get(own).result(timeout=30) == "fine"
    assert last_event(process)["drained"]
    assert process.returncode == 0
    assert client.get(late).status == "pending"


def test_an_interrupt_of_the_whole_terminal_drains_processes_too(
    shell: Shell, worker: Start, submit: Submit, client: Client
) -> None:
    process = worker("--executor", "process", "--workers", 1)
    own = submit("my_jobs:held", str(shell.directory))
    shell.wait_begun()
    os.killpg(process.pid, signal.SIGINT)
    wait_for_line(process, "draining")
    shell.let_go("fine")
    assert client.get(own).result(timeout=30) == "fine"
    assert last_event(process)["drained"]


@pytest.mark.parametrize("job", ["endless", "held"])
def test_a_second_signal_stops_at_once_and_gives_back(
    shell: Shell, worker: Start, submit: Submit, client: Client, job: str
) -> None:
    process = worker()
    own = submit(f"my_jobs:{job}", str(shell.directory))
    shell.wait_begun()
    process.send_signal(signal.SIGTERM)
    wait_for_line(process, "draining")
    process.send_signal(signal.SIGTERM)
    event = last_event(process)
    assert (event["released"], event["drained"], process.returncode) == (1, False, 1)
    back = client.get(own)
    assert (back.status, back.attempt) == ("pending", 0)


def test_what_a_killed_worker_ran_is_seen_and_run_again(
    shell: Shell, worker: Start, submit: Submit, client: Client
) -> None:
    process = worker()
    own = submit("my_jobs:endless", str(shell.directory))
    shell.wait_begun()
    process.kill()
    process.communicate()
    (pool,) = shell("status", "--json").json["pools"]
    assert (pool["pid"], pool["alive"], pool["running"]) == (process.pid, False, 1)
    doctor = shell("doctor", "--json")
    finding = {one["name"]: one for one in doctor.json["findings"]}["pools"]
    assert doctor.code == 1
    assert not finding["ok"]
    assert f"process {process.pid}" in finding["detail"]
    assert "with 1 executions" in finding["detail"]
    worker()
    assert client.get(own).result(timeout=30) == "ended"


@pytest.mark.parametrize(
    ("module", "text", "told"),
    [
        ("broken", "x = 1\ny = nothing\n", "broken.py:2: NameError: name 'nothing' is not defined"),
        ("wrong", "def f(:\n", "wrong.py:1: SyntaxError: invalid syntax"),
        ("ends", "raise SystemExit(0)\n", "ends.py:1: SystemExit: 0"),
        ("lacks", "import not_there_at_all\n", "No module named 'not_there_at_all'"),
        ("empty", "x = 1\n", "empty defines no @job"),
    ],
)
def test_a_module_that_will_not_do_is_told_in_one_line(shell: Shell, module: str, text: str, told: str) -> None:
    shell.write(module, text)
    done = shell("worker", "-m", module)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert told in done.err


def test_a_file_s_name_is_no_module(shell: Shell) -> None:
    done = shell("worker", "-m", "my_jobs.py")
    assert done.code == 1
    assert "did you mean -m my_jobs?" in done.err


def test_says_which_jobs_wait_elsewhere(shell: Shell) -> None:
    process = shell.begin("worker", "-m", "my_jobs")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(6)]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert "16 workers on default" in lines[0]
    assert "my_jobs:send  (waits in queue mail, which this worker leaves alone: --queues default,mail)" in "".join(
        lines
    )
