"""What people do wrong in a notebook, and what strange things their data can hold: each told shortly and exactly."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.notebook.conftest import Kernel

SETUP = "%load_ext currant_lab\nimport currant_lab as currant\nfrom currant_lab import job"
F = "@job\ndef f(x):\n    return x\n\n@job\ndef g(x):\n    return x"

NO_POOL = "no pool runs in this process: currant.start() or %currant start starts one"


@pytest.fixture
def kernel(kernels: Callable[..., Kernel]) -> Kernel:
    started = kernels()
    started.run(SETUP)
    return started


def first(kernel: Kernel, line: str) -> str:
    return kernel.run(line).shown[-1]["text/plain"].splitlines()[0]


def test_before_the_start_and_after_the_stop(kernel: Kernel) -> None:
    kernel.run(F)
    for _ in range(2):
        assert kernel.run("%currant status").text.startswith("No pool runs in this kernel")
        assert first(kernel, "%currant panel").startswith("No pool runs in this kernel: `%currant start` starts one")
        assert first(kernel, "%currant stop") == "No pool runs in this kernel."
        for line in ("%currant resize 3", "currant.pool()"):
            assert kernel.fail(line).error[:2] == ("PoolNotRunning", NO_POOL)
        told = kernel.fail("%%currant\n1").err
        assert told == (
            "UsageError: %%currant: no pool runs in this kernel: `%currant start` starts one. Nothing was submitted\n"
        )
        assert kernel.run("currant.stop()").shown == []
        kernel.run("%currant start;")
        assert first(kernel, "%currant stop") == "Pool Field notes has stopped. What waits stays in the database."
        kernel.run("currant.stop()")
    kernel.run("%currant submit --as e f(1)")
    assert kernel.run("str(e.status)").text == "'pending'"
    kernel.run("%currant start;")
    assert kernel.run("e.result(20)").text == "1"


def test_jobs_whose_names_mean_something_else(kernel: Kernel) -> None:
    kernel.run("%currant start;")
    for name, told in {
        "sum": "`sum` was Python's own (`del sum` brings it back): from here on it means this job\n",
        "print": "`print` was Python's own (`del print` brings it back): from here on it means this job\n",
        "currant": "`currant` was the module currant_lab (`import currant_lab as …` gives it another name): "
        "from here on it means this job\n",
        "time": "",  # a magic
        "submit": "",  # a word of ours
    }.items():
        assert kernel.run(f"@job\ndef {name}(x):\n    return [x]").out == told
        assert kernel.run(f"{name}.submit(1).result(20), {name}(2)").text == "([1], [2])"
        kernel.run(f"%currant submit --as e {name}(3)")
        assert kernel.run("e.result(20)").text == "[3]"
    again = kernel.run("@job\ndef sum(x):\n    return [x, x]").out
    assert again == "`sum` redefined: executions that start from now on run the new version\n"
    assert kernel.run("del sum, print\nsum([1, 2])").text == "3"
    assert kernel.run("%time 5").text == "5"
    assert first(kernel, "%currant stop").startswith("Pool Field notes has stopped")


def test_code_that_is_none_and_batches_of_another_job(kernel: Kernel) -> None:
    kernel.run(F)
    kernel.run("%currant start;")
    for body, told in {
        "x = = 3": "invalid syntax in line 2: x = = 3",
        "x = 1\nfor": "invalid syntax in line 3: for",
        "return 5": "'return' outside function in line 2. Nothing was submitted",
        "%%currant": "the cell is empty",
        "x = 'a": "unterminated string literal (detected at line 2) in line 2: x = 'a",
    }.items():
        cell = kernel.fail(f"%%currant\n{body}" if body != "%%currant" else "%%currant\n\n")
        assert cell.err.startswith(f"UsageError: %%currant: {told}"), cell.err
        assert cell.err.count("\n") == 1
    assert kernel.run("currant.executions()").text == "[]"
    kernel.run("b = f.map([1, 2], batch='crawl')")
    assert kernel.fail("g.map([1, 2], batch='crawl')").error[:2] == (
        "InvalidArguments",
        "the batch 'crawl' is of the job 'Field notes:f', not 'Field notes:g': choose another name",
    )
    assert kernel.run("b.results(20)").text == "[1, 2]"


def test_ten_megabytes_of_output_cost_a_page_each(kernel: Kernel) -> None:
    kernel.run("@job\ndef big():\n    for _ in range(10):\n        print('x' * 1_000_000)\n    print('the end')")
    kernel.run("%currant start;")
    quiet = kernel.run("e = big.submit()\ne.result(20)\nlen(e.logs)")
    assert quiet.out == ""
    assert 64_000 < int(quiet.text) < 64_100
    assert "characters left out …\\nxxx" in kernel.run("e.logs[7_990:8_050]").text
    assert kernel.run("e.logs[-9:]").text == "'\\nthe end\\n'"
    assert len(kernel.run("%currant logs e").html) < 70_000
    begun = time.monotonic()
    sent = kernel.client.execute(
        "big.options(capture='cell').submit().result(20)\nimport threading; threading.Event().wait(30)"
    )
    shown = kernel.finish(sent, until="characters are not shown here …")
    kernel.interrupt()
    length = len(shown.out + kernel.finish(sent).out)
    allowed = 64_000 + 16_000 * (time.monotonic() - begun)  # at once, and from then on by the second
    assert 64_000 <= length < allowed + 500, "beside what says how much is not shown"


STRANGE = "<script>alert(1)</script>\\x1b[2J\\x07\\u202e&amp;"


def test_control_characters_and_html_stay_text(kernel: Kernel) -> None:
    kernel.run(f"S = '{STRANGE}'")
    kernel.run("@job\ndef gives(x):\n    print(S)\n    return x + S\n\n@job\ndef fails(x):\n    raise ValueError(x)")
    kernel.run("%currant start;")
    kernel.run("e, bad = gives.submit(S), fails.submit(S)\nb = gives.map([S, S], batch='<script>&amp;')")
    name, told = kernel.fail("gives.map([S], batch=S)").error[:2]
    assert name == "InvalidArguments"
    assert told.endswith("contains control or unprintable characters")
    assert kernel.run("e.result(20) == S + S, b.results(20) == [S + S] * 2").text == "(True, True)"
    told = kernel.fail("bad.result(20)")
    assert "\x1b[2J" not in told.error[2]
    for look in ("e", "bad", "b", "currant.pool()", *(f"%currant {word}" for word in (
        "list", "show e", "show bad", "logs e", "status", "jobs",
    ))):  # fmt: skip
        cell = kernel.run(look)
        everything = (
            cell.out
            + cell.err
            + "".join(text for shown in cell.shown for text in shown.values() if isinstance(text, str))
        )
        assert "<script>" not in "".join(shown.get("text/html", "") for shown in cell.shown), look
        assert not {"\x1b", "\x07", "\u202e"} & set(everything), look
    kernel.run("@job\ndef nul():\n    return 'a\\x00b'")
    error = kernel.fail("nul.submit().result(20)").error
    assert error[1] == (
        "NotStorable: result: this text contains a NUL character, which PostgreSQL can't hold: remove it, or pass bytes"
    )
