"""`%currant bench` in a real kernel."""

from __future__ import annotations

from tests.notebook.conftest import Kernel


def test_the_bench_shows_its_table_and_charts_beside_a_running_pool(kernel: Kernel) -> None:
    kernel.run("%currant start")
    cell = kernel.run("%currant bench --workers 4 --jobs 200 --no-floor")
    assert cell.text.startswith("200 async no-op jobs, 4 workers: ")
    assert "each of 200 executions settled once" in cell.html
    assert any("image/png" in shown for shown in cell.shown)
    assert kernel.run("%currant list").text == "There are no such executions."  # its own schema is left alone
    for line, message in {
        "--workers x": "'x' is no whole number from 1 on",
        "--pools 65": "at most 64 pools",
        "--wrokers 3": "unrecognized arguments: --wrokers 3; did you mean `--workers`?",
    }.items():
        cell = kernel.fail(f"%currant bench {line}")
        assert cell.err.startswith("UsageError: %currant bench: ")
        assert message in cell.err
