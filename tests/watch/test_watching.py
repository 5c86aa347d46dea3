"""What `tests/benchmarks/watching.py` measures, small: a dashboard asks little, and holds nothing open."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.watching import dashboard, transactions_held
from tests.conftest import Leased, Servers


def test_a_dashboard_asks_little_and_holds_nothing_open(leased: Leased, servers: Servers, tmp_path: Path) -> None:
    async def submit() -> None:
        conn = await leased.connect()
        await conn.execute(f"SELECT {leased.schema}.submit('a:job', '[]', 'mail') FROM generate_series(1, 321)")
        await conn.close()

    servers.run(submit())
    with dashboard(leased.url, str(tmp_path), schema=leased.schema) as shown:
        quiet = shown.wait(4)
        asked = [statement for line in quiet for statement in line["statements"]]
        assert 0 < len(asked) <= 2 * sum(line["seconds"] for line in quiet) + 2  # one part of two may begin before it
        for key in "23":
            shown.press(key)
            assert servers.run(transactions_held(leased.url, seconds=0.5)) == 0
        # A second may be over before the key is heard, and a picture a second is not one in each.
        while (last := shown.wait(1)[-1])["view"] != "latency" or not last["painted"]:
            pass
    assert last["waiting"] == 321
