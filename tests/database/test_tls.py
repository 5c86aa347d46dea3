"""`sslmode` means what libpq means by it, on the Python side too: every mode against a server with TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from currant_lab.database.connect import Database, connect
from currant_lab.database.url import parse
from currant_lab.errors import DatabaseUnavailable
from tests.servers import Cluster, scratch_directory

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout")


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@dataclass
class Secure:
    """A server whose certificate is for `localhost`, signed by the authority in `root.crt`."""

    cluster: Cluster
    directory: Path

    def url(self, mode: str | None = None, root: str | None = None, host: str = "localhost", **more: str) -> str:
        options = {"sslmode": mode, "sslrootcert": root and str(self.directory / root), **more}
        query = "&".join(f"{name}={value}" for name, value in options.items() if value is not None)
        return f"postgresql://postgres@{host}:{self.cluster.port}/postgres?{query}"


def make_certificates(directory: Path) -> None:
    for name in ("root", "stranger"):
        key = (
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            directory / f"{name}.key",
        )
        openssl("req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}", "-out", directory / f"{name}.crt")
    for name, subject in (("server", "localhost"), ("client", "postgres")):
        key = (
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            directory / f"{name}.key",
        )
        openssl("req", *key, "-subj", f"/CN={subject}", "-out", directory / f"{name}.csr")
        (directory / "extensions").write_text(f"subjectAltName=DNS:{subject}\n")
        openssl(
            *("x509", "-req", "-in", directory / f"{name}.csr", "-CA", directory / "root.crt", "-days", "2"),
            *("-CAkey", directory / "root.key", "-CAcreateserial", "-extfile", directory / "extensions"),
            *("-out", directory / f"{name}.crt"),
        )


@pytest.fixture(scope="module")
def secure() -> Iterator[Secure]:
    directory = scratch_directory()
    make_certificates(directory)
    hba = "hostssl certain all 127.0.0.1/32 cert\nhostnossl certain all 127.0.0.1/32 reject\n"
    cluster = Cluster("postgres15", hba=hba)
    for name in ("server.crt", "server.key", "root.crt"):
        target = Path(shutil.copy(directory / name, cluster.data / name))
        os.chown(target, cluster.data.stat().st_uid, cluster.data.stat().st_gid)
        target.chmod(0o600)
    with (cluster.data / "postgresql.conf").open("a") as file:
        file.write("ssl = on\nssl_ca_file = 'root.crt'\n")
    cluster.stop()
    cluster.start()
    cluster.tool("createdb", "-h", cluster.directory, "-p", str(cluster.port), "-U", "postgres", "certain")
    yield Secure(cluster, directory)
    cluster.destroy()
    shutil.rmtree(directory)


async def is_encrypted(url: str) -> bool:
    conn = await connect(parse(url))
    try:
        return bool(await conn.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
    finally:
        await conn.close()


async def refusal(url: str) -> str:
    with pytest.raises(DatabaseUnavailable) as caught:
        await Database.open(parse(url), "currant", migrate=False)
    return str(caught.value)


@pytest.mark.parametrize(
    ("mode", "root", "encrypted"),
    [
        (None, None, True),
        ("disable", None, False),
        ("allow", None, False),
        ("prefer", None, True),
        ("require", None, True),
        ("require", "root.crt", True),
        ("verify-ca", "root.crt", True),
        ("verify-full", "root.crt", True),
        ("prefer", "stranger.crt", True),
    ],
)
async def test_what_each_mode_gets(secure: Secure, mode: str | None, root: str | None, encrypted: bool) -> None:
    assert await is_encrypted(secure.url(mode, root)) is encrypted


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_the_wrong_authority_is_not_trusted(secure: Secure, mode: str) -> None:
    said = await refusal(secure.url(mode, "stranger.crt"))
    assert "certificate isn't trusted" in said
    assert "sslrootcert" in said


async def test_the_wrong_name_is_refused_by_verify_full_alone(secure: Secure) -> None:
    said = await refusal(secure.url("verify-full", "root.crt", host="127.0.0.1"))
    assert "isn't trusted" in said
    assert "127.0.0.1" in said
    assert await is_encrypted(secure.url("verify-ca", "root.crt", host="127.0.0.1"))


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
async def test_without_a_root_certificate_nothing_is_verified_and_that_is_said(secure: Secure, mode: str) -> None:
    said = await refusal(secure.url(mode))
    assert "needs root certificates" in said


async def test_the_systems_authorities_don_t_know_ours(secure: Secure) -> None:
    said = await refusal(secure.url("verify-full", sslrootcert="system"))
    assert "isn't trusted" in said


@pytest.mark.parametrize("mode", ["require", "verify-full"])
async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(
    server: Cluster, secure: Secure, mode: str
) -> None:
    root = secure.directory / "root.crt"
    said = await refusal(f"{server.tcp_url}?sslmode={mode}&sslrootcert={root}")
    assert "SSL" in said or "TLS" in said
    assert not await is_encrypted(f"{server.tcp_url}?sslmode=prefer")


async def test_a_certificate_of_ones_own_lets_in(secure: Secure) -> None:
    own = {"sslcert": str(secure.directory / "client.crt"), "sslkey": str(secure.directory / "client.key")}
    for mode in ("prefer", "require", "verify-full"):
        url = secure.url(mode, "root.crt", **own).replace("/postgres?", "/certain?")
        assert await is_encrypted(url)
    said = await refusal(secure.url("require").replace("/postgres?", "/certain?"))
    assert "doesn't let user 'postgres' in" in said


@pytest.mark.parametrize("word", ["sslrootcert", "sslcert", "sslkey"])
async def test_a_missing_file_is_named(secure: Secure, word: str) -> None:
    own = {"sslcert": str(secure.directory / "client.crt"), "sslkey": str(secure.directory / "client.key")}
    options = {"sslrootcert": str(secure.directory / "root.crt")} | own | {word: "/no/such.file"}
    said = await refusal(secure.url("verify-full", **options))
    assert f"{word}=/no/such.file can't be read" in said


async def test_a_file_that_is_no_certificate_is_refused(secure: Secure, tmp_path: Path) -> None:
    (tmp_path / "no.crt").write_text("nonsense")
    said = await refusal(secure.url("verify-ca", sslrootcert=str(tmp_path / "no.crt")))
    assert "can't be used" in said


async def test_asyncpg_sees_no_certificates_of_the_environment(
    secure: Secure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(secure.directory / "root.crt"))
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert parse(secure.url()).sslmode == "verify-full"
    assert await is_encrypted(secure.url())
