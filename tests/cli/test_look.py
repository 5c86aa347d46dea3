"""`currant status | list | show`, read as a program and as a person."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from currant_lab.client.client import Client
from tests.cli.conftest import Shell

Submit = Callable[..., str]
Start = Callable[..., subprocess.Popen[str]]


def test_nothing_yet(shell: Shell) -> None:
    assert shell("list").out == "there are no executions yet\n"
    assert shell("list", "--json").json == []
    assert "no pool runs" in shell("status").out
    found = shell("status", "--json").json
    assert (found["queues"], found["pools"], found["waiting_for_code"]) == ([], [], [])
    assert found["finished"] == {"succeeded": 0, "failed": 0, "cancelled": 0, "exact": True}


def test_what_waits_for_code_is_told(shell: Shell, submit: Submit, worker: Start) -> None:
    for number in range(3):
        submit("other:fetch", number)
    submit("my_jobs:send", "ann", queue="mail")
    submit("my_jobs:double", 1, delay=3600)
    worker()
    found = shell("status", "--json").json
    waits = {one["job"]: one for one in found["waiting_for_code"]}
    assert (waits["other:fetch"]["count"], waits["other:fetch"]["known"]) == (3, False)
    assert (waits["my_jobs:send"]["known"], waits["my_jobs:send"]["heard"]) == (True, False)
    assert [(one["name"], one["pending"], one["scheduled"]) for one in found["queues"]] == [
        ("default", 3, 1),
        ("mail", 1, 0),
    ]
    (pool,) = found["pools"]
    assert (pool["name"], pool["kind"], pool["alive"], pool["workers"]) == ("my_jobs", "worker", True, 16)
    shown = shell("status").out
    assert "3 wait for `other:fetch`: no live pool has this job" in shown
    assert "1 waits for `my_jobs:send` in queue mail: no live pool works on it" in shown
    findings = {one["name"]: one for one in shell("doctor", "--json").json["findings"]}
    assert findings["waiting for code"]["detail"] == "3 wait for `other:fetch`"
    assert findings["queues"]["detail"] == "nobody listens: 1 waits for `mail`"
    assert "--queues mail" in findings["queues"]["advice"]


def test_list_and_show(shell: Shell, submit: Submit, worker: Start, client: Client) -> None:
    good, bad = submit("my_jobs:double", 21), submit("my_jobs:send", "ann", queue="mail")
    worker("--queues", "default,mail")
    client.get(good).wait(timeout=30)
    client.get(bad).wait(timeout=30)
    listed = shell("list", "--json").json
    assert [(one["id"], one["status"], one["attempt"]) for one in listed] == [
        (bad, "failed", 1),
        (good, "succeeded", 1),
    ]
    assert [one["id"] for one in shell("list", "--job", "double", "--json").json] == [good]
    assert shell("list", "--status", "running").out == "no such executions\n"
    text = shell("list", "--queue", "mail").out
    assert bad in text
    assert "ValueError: no such mailbox: ann" in text
    whole = shell("show", bad, "--json").json
    assert (whole["args"], whole["result"], whole["logs"]) == (["ann"], None, "to ann\n")
    assert "in send" in whole["error"]["traceback"]
    shown = shell("show", bad).out
    assert 'raise ValueError(f"no such mailbox: {to}")' in shown
    assert shown.endswith("log\nto ann\n")
    assert shell("show", good, "--json").json["result"] == 42


def test_names_are_neither_markup_nor_commands_for_the_terminal(shell: Shell, submit: Submit) -> None:
    own = submit("[red]x[/red]\x1b[2J", "a\x1b[31m")
    for done in (shell("list"), shell("doctor"), shell("show", own)):
        assert "[red]x[/red]" in done.out
        assert "\x1b" not in done.out


def test_an_unknown_execution(shell: Shell) -> None:
    done = shell("show", "01900000-0000-7000-8000-000000000000", "--json")
    assert (done.code, done.out) == (1, "")
    assert "there is no execution 01900000-0000-7000-8000-000000000000" in done.err


def test_a_reader_that_has_seen_enough(shell: Shell, submit: Submit) -> None:
    for number in range(200):
        submit("my_jobs:double", number)
    process = shell.begin("list", "--limit", 200, "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == 1
