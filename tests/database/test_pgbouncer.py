"""Behind a pooler, in both its modes: found out, said, lived with, everything works."""

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
from tests.pool.helpers import until
from tests.pool.test_pool import run
from tests.pool.worker import Books, Worker
from tests.servers import Cluster, scratch_directory

MODES = pytest.mark.parametrize(
    ("server_name", "mode"),
    [("postgres18", "transaction"), ("postgres15", "transaction"), ("postgres18", "session")],
)


@pytest.fixture
def mode() -> str:
    return "transaction"


@pytest.fixture
def pooler(server: Cluster, mode: str) -> Iterator[int]:
    """The port of a PgBouncer before the shared server."""
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
pool_mode = {mode}
default_pool_size = {5 if mode == "transaction" else 25}
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


def behind(leased: Leased, pooler: int) -> Leased:
    target = replace(leased.target, hosts=(("127.0.0.1", pooler),), sslmode="disable", database="postgres")
    return replace(leased, target=target)


SAID = {
    "transaction": (False, "it does not keep sessions: pools look for work twice a second"),
    "session": (True, "sessions seem to last, so wake-ups come through"),
}


@MODES
async def test_a_pooler_is_found_out_and_everything_works(leased: Leased, pooler: int, mode: str) -> None:
    through = behind(leased, pooler)
    target = through.target
    direct = await Database.open(leased.target, leased.schema, migrate=False)
    assert not direct.pooled
    await direct.close()
    database = await Database.open(target, leased.schema, migrate=False)
    assert database.pooled
    for _ in range(20):
        assert await database.fetchval("schema_exists", leased.schema)
    await database.close()

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
        import subprocess, sys
        doctor = subprocess.run([sys.executable, "-m", "currant_lab", "doctor"], capture_output=True, text=True)
        print(doctor.stdout, doctor.stderr)
        currant.stop()
        """,
    )
    listens, said = SAID[mode]
    assert out.splitlines()[0] == str(listens)
    assert said in " ".join(out.split()), out
    conn = await leased.connect()
    try:
        (pool,) = await conn.fetch(f"SELECT has_lock, stopped_at FROM {leased.schema}.pools")
        locks = await conn.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1")
    finally:
        await conn.close()
    assert pool["has_lock"] is listens
    assert pool["stopped_at"] is not None
    assert locks == 0


def test_through_a_pooler_a_dead_pool_is_noticed_within_25_seconds(leased: Leased, pooler: int, tmp_path: Path) -> None:
    """There is no lock to be found free, and nothing is known of a process of another host: only the lease speaks."""
    books = Books(leased)
    worker = Worker(behind(leased, pooler), tmp_path, "far")
    other = Worker(behind(leased, pooler), tmp_path, "near")
    try:
        (id,) = books.submit("patient", f'[1, "{tmp_path}/go"]')
        until(lambda: books.row(id)["status"] == "running")
        holder = worker if books.row(id)["claimed_by"] == pool_id(books, worker) else other
        books.sql("UPDATE currant.pools SET host = 'far', boot_id = 'far' WHERE pid = $1", holder.pid)
        holder.kill()
        # Fourteen seconds of waiting are done by hand.
        books.sql("UPDATE currant.pools SET seen_at = seen_at - interval '14 s' WHERE pid = $1", holder.pid)
        until(lambda: books.row(id)["rescues"] == 1)
        text = "SELECT extract(epoch FROM lost_at - seen_at)::float AS age FROM currant.pools WHERE pid = $1"
        (row,) = books.sql(text, holder.pid)
        assert 20 <= row["age"] < 25.5, row
    finally:
        for one in (worker, other):
            if one.process.poll() is None:
                one.close()
        books.close()


def pool_id(books: Books, worker: Worker) -> int:
    return int(books.sql("SELECT id FROM currant.pools WHERE pid = $1", worker.pid)[0]["id"])
