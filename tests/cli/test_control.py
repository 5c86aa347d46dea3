"""`currant retry | cancel | pause | resume`, `migrate` and `prune`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from currant_lab.client.client import Client
from currant_lab.database.migrate import LATEST
from tests.cli.conftest import Shell
from tests.conftest import Leased

Submit = Callable[..., str]
Start = Callable[..., subprocess.Popen[str]]
NOBODY = "01900000-0000-7000-8000-000000000000"


def test_cancel_and_retry(shell: Shell, submit: Submit, client: Client) -> None:
    first, second = submit("my_jobs:double", 1), submit("my_jobs:double", 2)
    done = shell("cancel", first, second, first, NOBODY, "--json")
    assert done.code == 1
    assert done.json == {
        "cancelled": [first, second],
        "asked_to_end": [],
        "refused": [{"id": NOBODY, "status": "unknown"}],
    }
    again = shell("cancel", first)
    assert (again.code, again.out) == (1, "")
    assert "its status is cancelled: it has ended already" in again.err
    done = shell("retry", second)
    assert (done.code, done.out) == (0, f"retried {second}\n")
    assert (client.get(first).status, client.get(second).status) == ("cancelled", "pending")
    assert shell("retry", second).code == 1


def test_all_that_a_filter_means(shell: Shell, submit: Submit) -> None:
    for number in range(3):
        submit("my_jobs:double", number, queue="mail")
    kept = submit("my_jobs:send", "ann")
    done = shell("cancel", "--matching", "queue:mail", "--json")
    assert (done.code, done.json) == (0, {"matching": "queue:mail", "cancelled": 3})
    assert len(shell("list", "status:cancelled job:double", "--json").json) == 3
    assert [one["id"] for one in shell("list", "job:s*", "--json").json] == [kept]
    assert shell("retry", "--matching", "status:cancelled").out == "retried 3\n"
    wrong = shell("list", "status:faild")
    assert wrong.code == 2
    assert "did you mean failed? (at character 8)" in wrong.err
    assert "an empty filter means every execution" in shell("cancel", "--matching", "").err


def test_cancel_what_runs(shell: Shell, submit: Submit, worker: Start, client: Client) -> None:
    worker()
    own = submit("my_jobs:endless", str(shell.directory))
    shell.wait_begun()
    assert shell("cancel", own, "--json").json["asked_to_end"] == [own]
    assert client.get(own).wait(timeout=30).status == "cancelled"


def test_pause_and_resume(shell: Shell, submit: Submit, worker: Start, client: Client) -> None:
    assert shell("pause", "default", "--json").json == {"queue": "default", "paused": True}
    worker()
    own = submit("my_jobs:double", 4)
    (queue,) = shell("status", "--json").json["queues"]
    assert queue["paused_at"]
    assert queue["pending"] == 1
    assert shell("resume", "default").out == "resumed default\n"
    assert client.get(own).result(timeout=30) == 8
    again = shell("resume", "default")
    assert (again.code, again.out) == (0, "default was not paused\n")


@pytest.mark.both_servers
def test_migrate(shell: Shell, new_schema: Callable[[], str]) -> None:
    schema = new_schema()
    check = shell("migrate", "--check", "--schema", schema)
    assert check.code == 1
    assert "run `currant migrate`" in check.err
    refused = shell("--schema", schema, "status")
    assert (refused.code, refused.out) == (1, "")
    assert f"no Currant schema '{schema}' yet: run `currant migrate` once" in refused.err
    done = shell("migrate", "--schema", schema, "--json")
    assert done.code == 0
    assert (done.json["version"], len(done.json["applied"])) == (LATEST, LATEST)
    assert shell("migrate", "--check", "--schema", schema).code == 0
    assert "up to date" in shell("migrate", "--schema", schema).out


def test_a_newer_schema_is_left_alone(shell: Shell, leased: Leased, client: Client) -> None:
    async def age() -> None:
        async with client.database.acquire() as conn:
            await conn.execute(f"INSERT INTO {leased.schema}.migrations VALUES (9999, 'of another day')")

    client.run(age())
    for words in (("status",), ("migrate",), ("migrate", "--check"), ("worker", "-m", "my_jobs")):
        done = shell(*words)
        assert done.code == 1
        assert "upgrade currant-lab here" in done.err


def test_prune(shell: Shell, submit: Submit, client: Client) -> None:
    ended, waits = submit("my_jobs:double", 1), submit("my_jobs:double", 2)
    shell("cancel", ended)
    assert shell("prune", "--older-than", "1d", "--json").json["executions"] == 0
    assert shell("prune", "--older-than", "0s").out.startswith("removed 1 executions")
    assert [str(one.id) for one in client.executions()] == [waits]
