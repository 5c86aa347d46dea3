"""`sslmode` as libpq means it, for asyncpg. Nothing above `prefer` ever falls back to less than it asks for."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from currant_lab.database.defaults import Environment
from currant_lab.errors import DatabaseUnavailable

__all__ = ["SSL_MODES", "check_tls", "ssl_argument"]

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

SYSTEM = "system"
"""`sslrootcert=system`: the operating system's own root certificates."""


def check_tls(
    options: Mapping[str, str], environment: Environment, *, needs_tls: bool
) -> tuple[str, str | None, str | None, str | None]:
    """(sslmode, sslrootcert, sslcert, sslkey), completed and made consistent as libpq does it.

    Args:
        options: of the URL.
        environment: where `PGSSLMODE` and the like, and `~/.postgresql`, are looked up.
        needs_tls: False when only Unix sockets are used, where sslmode means nothing.

    Raises:
        DatabaseUnavailable: the words contradict each other, or a file is missing.
    """
    if not needs_tls:
        return "disable", None, None, None
    root = options.get("sslrootcert") or environment.get("PGSSLROOTCERT")
    mode = options.get("sslmode") or environment.get("PGSSLMODE") or ("verify-full" if root == SYSTEM else "prefer")
    if mode not in SSL_MODES:
        raise DatabaseUnavailable(f"sslmode={mode} has no meaning: use one of {', '.join(SSL_MODES)}")
    if mode == "disable":
        return mode, None, None, None
    if root == SYSTEM and mode != "verify-full":
        raise DatabaseUnavailable(
            f"sslrootcert=system with sslmode={mode} would accept anyone's certificate: use sslmode=verify-full"
        )
    root = root or _text(environment.in_home(".postgresql", "root.crt"))
    if root not in (None, SYSTEM) and mode not in ("allow", "prefer"):
        _readable("sslrootcert", root)
        # A root certificate beside `require` means that it is checked: libpq's rule.
        mode = "verify-ca" if mode == "require" else mode
    if root is None and mode in ("verify-ca", "verify-full"):
        raise DatabaseUnavailable(
            f"sslmode={mode} needs root certificates: add sslrootcert=FILE, or sslmode=verify-full&sslrootcert=system"
        )
    return mode, root if mode.startswith("verify") else None, *_own_certificate(options, environment)


def _own_certificate(options: Mapping[str, str], environment: Environment) -> tuple[str | None, str | None]:
    certificate, key = (
        options.get(f"ssl{part}")
        or environment.get(f"PGSSL{part.upper()}")
        or _text(environment.in_home(".postgresql", file))
        for part, file in (("cert", "postgresql.crt"), ("key", "postgresql.key"))
    )
    if certificate is None:
        return None, None
    _readable("sslcert", certificate)
    if key is None:
        raise DatabaseUnavailable(f"sslcert={certificate} needs its key: add sslkey=FILE")
    _readable("sslkey", key)
    return certificate, key


def ssl_argument(mode: str, root: str | None, certificate: str | None, key: str | None) -> dict[str, Any]:
    """The arguments `ssl` and `dsn` of `asyncpg.connect` for a mode that `check_tls` has returned.

    Raises:
        DatabaseUnavailable: a certificate can't be read.
    """
    if mode == "disable":
        return {"ssl": False}
    if mode in ("allow", "prefer"):
        # Only asyncpg itself can try twice. It takes a certificate for that from a URL and nowhere else.
        own = {"sslcert": certificate, "sslkey": key} if certificate and key else {}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in own.items())
        return {"ssl": mode} | ({"dsn": f"postgresql://?{query}"} if query else {})
    try:
        return {"ssl": _context(mode, root, certificate, key)}
    except (OSError, ssl.SSLError) as error:
        raise DatabaseUnavailable(f"the TLS certificates can't be used: {error}") from None


def _context(mode: str, root: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_NONE if mode == "require" else ssl.CERT_REQUIRED
    if root == SYSTEM:
        context.load_default_certs()
    elif root is not None:
        context.load_verify_locations(cafile=root)
    if certificate:
        # An encrypted key would make OpenSSL ask at the terminal, which a notebook has not.
        context.load_cert_chain(certificate, key, password=lambda: "")
    return context


def _readable(word: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise DatabaseUnavailable(f"{word}={path} can't be read: {error.strerror}") from None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
