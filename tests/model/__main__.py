"""`python -m tests.model EXAMPLES STEPS`: the model against real SQL, at length."""

from __future__ import annotations

import sys
import time

from currant_lab.database.connect import connect
from currant_lab.database.migrate import migrate
from currant_lab.database.url import parse
from currant_lab.loop import background
from tests.model.running import run
from tests.servers import Cluster


def main() -> None:
    examples, steps = (int(word) for word in (*sys.argv[1:], "200", "60")[:2])
    cluster = Cluster("postgres18")
    conn = background.run(connect(parse(cluster.url), application_name="model"))
    try:
        background.run(migrate(conn, "currant"))
        started = time.monotonic()
        taken = run(conn, "currant", examples=examples, steps=steps)
        print(f"{examples} examples, {taken:,} steps, {time.monotonic() - started:.0f} s: books and model agree")
    finally:
        background.run(conn.close())
        cluster.destroy()


if __name__ == "__main__":
    main()
