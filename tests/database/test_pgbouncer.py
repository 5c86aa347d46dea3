"""Behind a transaction pooler: found out, lived with, everything works."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest

from currant_lab.database.connect import Database
from tests.conftest import Leased
from tests.pool.test_pool import run
from tests.servers import Cluster, scratch_directory


@pytest.fixture
def pooler(server: Cluster) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode before the shared server."""
    program = which("pgbouncer") or "/usr/sbin/pgbouncer"
    assert Path(program).exists(), "PgBouncer is needed by this test: `apt-get install pgbouncer`"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory = scratch_directory()
    (directory / "ini").write_text(
        f"""
[databases]
* = host={server.directory} port={server.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
ignore_startup_parameters = extra_float_digits
logfile = {directory}/log
"""
    )
    identity: dict[str, object] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(directory, user.pw_uid, user.pw_gid)
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    process = subprocess.Popen([program, "-q", directory / "ini"], **identity)  # type: ignore[call-overload]
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, (directory / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    yield port
    process.terminate()
    process.wait(20)


@pytest.mark.both_servers
async def test_a_pooler_is_found_out_and_everything_works(leased: Leased, pooler: int) -> None:
    target = replace(leased.target, hosts=(("127.0.0.1", pooler),), sslmode="disable", database="postgres")
    direct = await Database.open(leased.target, leased.schema, migrate=False)
    assert not direct.pooled
    await direct.close()
    database = await Database.open(target, leased.schema, migrate=False)
    assert database.pooled
    for _ in range(20):
        assert await database.fetchval("schema_exists", leased.schema)
    await database.close()

    through = replace(leased, target=target)
    out = run(
        through,
        """
        pool = currant.start(workers=4)
        assert double.submit(4).result(timeout=20) == 8
        e = plain.submit(1)
        assert e.result(timeout=20) == 2
        assert e.logs == "plain 1\\n"
        batch = double.map(range(1000), batch="all")
        assert batch.results(timeout=30) == [2 * x for x in range(1000)]
        assert batch.counts() == {"succeeded": 1000}
        assert len(double.map(range(1001), batch="all")) == 1001
        later = double.options(delay=0.1).submit(3)
        assert later.result(timeout=20) == 6
        try:
            fails.submit(3).result(timeout=20)
        except currant.ExecutionFailed as error:
            assert error.type == "ValueError"
        pool.pause("default")
        waiting = double.submit(1)
        assert waiting.cancel() and waiting.status == "cancelled"
        pool.resume("default")
        print(pool.stats().listening)
        currant.stop()
        """,
    )
    assert out == "False\n"
