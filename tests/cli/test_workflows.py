"""`currant workflows | show --tree | signal | fork`, read as a program and as a person."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from currant_lab.cli import main
from currant_lab.client.client import Client
from currant_lab.client.handles import Execution
from tests.cli.conftest import Done, Shell
from tests.conftest import Leased
from tests.pool.helpers import PATIENCE, until

Submit = Callable[..., str]
Here = Callable[..., Done]
Start = Callable[..., subprocess.Popen[str]]

FLOWS = """
    import currant_lab as currant
    from currant_lab import job, workflow

    @job
    async def extract(x: int) -> int:
        return x

    @job
    async def breaks() -> None:
        raise ValueError("not [red]today[/red] \\x1b[2J")

    @workflow
    async def inner(x: int) -> int:
        return await extract.run(x)

    @workflow
    async def nightly(x: int) -> list:
        total = 0
        for number in range(7):
            total += await extract.run(number)
        parts = await extract.map_run(range(3))
        total += await inner.run(x)
        try:
            await breaks.run()
        except currant.ExecutionFailed:
            pass
        return [total, parts, await currant.event("approved")]
"""

NOWHERE = "01912345-0000-7000-8000-000000000000"


@pytest.fixture
def flows(shell: Shell) -> None:
    shell.write("my_jobs", FLOWS)


@pytest.fixture
def here(leased: Leased, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command in this process, which takes a twentieth of the time that one of its own does."""
    monkeypatch.setenv("CURRANT_DATABASE_URL", leased.url)
    monkeypatch.setenv("CURRANT_SCHEMA", leased.schema)

    def command(*line: object) -> Done:
        capsys.readouterr()
        code = main([*map(str, line)])
        return Done(code, *capsys.readouterr())

    return command


def waits(run: Execution, steps: int) -> bool:
    found = run.steps
    return len(found) == steps and found[-1].status == "waiting"


@pytest.mark.usefixtures("flows")
def test_a_run_from_its_list_to_its_fork(here: Here, submit: Submit, worker: Start, client: Client) -> None:
    own = submit("my_jobs:nightly", 5)
    worker()
    run = client.get(own)
    until(lambda: waits(run, 11))

    listed: list[dict[str, Any]] = here("workflows", "--json").json
    assert [(one["job"], one["done"], one["begun"], one["waits_for"]) for one in listed] == [
        ("my_jobs:inner", 1, 1, []),
        ("my_jobs:nightly", 10, 11, ["event approved"]),
    ]
    until(lambda: client.get(own).status == "waiting")
    table = [line.split() for line in here("workflows").out.splitlines()]
    assert table[0] == ["id", "job", "status", "steps", "waits", "for", "age"]
    assert table[2][:6] == [own, "nightly", "waiting", "10/11", "event", "approved"]

    tree = here("show", own, "--tree").out
    lines = [" ".join(line.split()) for line in tree.splitlines()]
    assert any(line.startswith("├─ 1–7 ✓ extract × 7 succeeded") and line.endswith(" 7 ok") for line in lines)
    assert any(line.startswith("├─ 8 ✓ extract × 3 succeeded") for line in lines)
    assert any(line.startswith("│ └─ ✓ inner succeeded") for line in lines)
    assert any(line.startswith("│ └─ 1 ✓ extract succeeded") for line in lines)
    assert any(
        line.startswith("├─ 10 ✗ breaks failed") and "ValueError: not [red]today[/red]" in line for line in lines
    )
    assert any(line.startswith("└─ 11 ◌ event approved waiting") for line in lines)
    assert "\x1b" not in tree
    whole = here("show", own, "--tree", "--json").json
    assert [(step["number"], step["status"]) for step in whole["steps"]][-2:] == [(10, "failed"), (11, "waiting")]
    (child,) = whole["steps"][8]["runs"]
    assert (child["job"], [step["name"] for step in child["steps"]]) == ("my_jobs:inner", ["my_jobs:extract"])

    assert here("signal", own, "approved", '{"by": "ann"}').out == f"sent approved to {own}\n"
    assert run.result(PATIENCE) == [26, [0, 1, 2], {"by": "ann"}]
    late = here("signal", own, "approved")
    assert (late.code, late.out) == (1, "")
    assert "has ended" in late.err

    made = here("fork", own, "--step", 11)
    assert made.code == 0
    again = client.get(made.out.strip())
    assert again.id != run.id
    until(lambda: waits(again, 11))
    assert here("signal", again.id, "approved", "3", "--json").json == {"id": str(again.id), "signal": "approved"}
    assert here("signal", again.id, "approved", "4").code == 1, "the first one counts"
    assert again.result(PATIENCE) == [26, [0, 1, 2], 3]
    named = here("fork", own, "--step", "breaks", "--json").json
    assert (named["of"], named["step"]) == (own, "breaks")
    listed = here("workflows", "--json").json
    assert {one["id"] for one in listed} >= {own, named["id"], str(again.id)}


def test_nothing_yet_and_what_is_no_workflow(here: Here, submit: Submit) -> None:
    assert here("workflows").out == "there are no runs of workflows yet\n"
    assert here("workflows", "--json").json == []
    own = submit("my_jobs:double", 1)
    done = here("show", own, "--tree")
    assert (done.code, "it has no steps" in done.out) == (0, True)
    assert here("show", own, "--tree", "--json").json["steps"] == []


def test_what_is_not_there(here: Here, submit: Submit) -> None:
    for line in (("show", NOWHERE, "--tree"), ("signal", NOWHERE, "go"), ("fork", NOWHERE, "--step", "1")):
        done = here(*line)
        assert (done.code, done.out) == (1, "")
        assert "there is no execution" in done.err
    done = here("fork", submit("my_jobs:double", 1), "--step", "clean")
    assert (done.code, done.err) == (1, "currant: this execution has no step 'clean' on record\n")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (("signal", NOWHERE, "go", "{nonsense"), "'{nonsense' is no JSON"),
        (("signal", NOWHERE, "go", "yes"), "a text is written '\"yes\"'"),
        (("signal", NOWHERE, ""), "signal is empty"),
        (("signal", "nonsense", "go"), "is no execution's id"),
        (("fork", NOWHERE), "--step"),
        (("fork", NOWHERE, "--step", "0"), "no whole number from 1 on"),
        (("workflows", "--limit", "x"), "no whole number"),
    ],
)
def test_wrong_words(line: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*line]) == 2
    assert why in capsys.readouterr().err
