"""Where a database is, read once for both drivers: the Python one and the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from currant_lab.database.defaults import Environment, find_password
from currant_lab.database.tls import check_tls, ssl_argument
from currant_lab.errors import DatabaseUnavailable

__all__ = ["Target", "parse"]

_EXAMPLE = "postgresql://user@host:5432/database"

_KNOWN = (
    *("connect_timeout", "dbname", "host", "passfile", "password", "port", "sslcert", "sslkey", "sslmode"),
    *("sslrootcert", "target_session_attrs", "user"),
)

_HARMLESS = (
    *("application_name", "fallback_application_name", "keepalives", "keepalives_count", "keepalives_idle"),
    *("keepalives_interval", "sslcompression", "sslsni", "tcp_user_timeout"),
)
"""Words of libpq that change nothing about what is reached or how safely; they are read and left aside."""

_HARMLESS_VALUES = {
    "channel_binding": ("prefer", "disable"),
    "gssencmode": ("prefer", "disable"),
    "load_balance_hosts": ("disable",),
    "sslnegotiation": ("postgres",),
}

CONNECT_TIMEOUT_S = 4.5
"""A person is to have the reason within 5 s."""

_SESSION_ATTRS = ("any", "primary", "read-write")


@dataclass(frozen=True, slots=True)
class Target:
    """A database and how to reach it. Neither `str` nor `repr` shows the password.

    Attributes:
        hosts: (host name, address or socket directory, port), tried in order.
        sslmode: as libpq means it, but `require` with a root certificate is already `verify-ca` here.
        sslrootcert: a file of root certificates, or "system".
        connect_timeout: seconds for all hosts together.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str
    password: str | None = field(default=None, repr=False)
    database: str = "postgres"
    sslmode: str = "prefer"
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    target_session_attrs: str = "any"
    connect_timeout: float = CONNECT_TIMEOUT_S

    def engine_args(self) -> dict[str, Any]:
        """The connection arguments of `_native.Engine.connect` and `_native.Listener.connect`."""
        return {
            "hosts": list(self.hosts),
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "sslcert": self.sslcert,
            "sslkey": self.sslkey,
            "target_session_attrs": self.target_session_attrs,
            "connect_timeout": self.connect_timeout,
        }

    def asyncpg_args(self) -> dict[str, Any]:
        """The connection arguments of `asyncpg.connect`.

        Everything is said, so that no `PG*` variable is looked up a second time. `connect_timeout` becomes
        `timeout`, for all hosts together.

        Raises:
            DatabaseUnavailable: a certificate can't be read.
        """
        return {
            "host": [host for host, _ in self.hosts],
            "port": [port for _, port in self.hosts],
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "target_session_attrs": self.target_session_attrs,
            "timeout": self.connect_timeout,
            "direct_tls": False,
            **ssl_argument(self.sslmode, self.sslrootcert, self.sslcert, self.sslkey),
        }

    def url(self) -> str:
        """The URL with the password in it. Never put it on a command line: see `environment`."""
        return self._url(self.password)

    def environment(self) -> dict[str, str]:
        """The `PG*` variables with which libpq's own tools, as psql, reach the same database."""
        values = {
            "PGHOST": ",".join(host for host, _ in self.hosts),
            "PGPORT": ",".join(str(port) for _, port in self.hosts),
            "PGUSER": self.user,
            "PGDATABASE": self.database,
            "PGPASSWORD": self.password,
            "PGSSLMODE": self.sslmode,
            "PGSSLROOTCERT": self.sslrootcert,
            "PGSSLCERT": self.sslcert,
            "PGSSLKEY": self.sslkey,
            "PGTARGETSESSIONATTRS": self.target_session_attrs,
            "PGCONNECT_TIMEOUT": str(max(2, round(self.connect_timeout))),
        }
        return {name: value for name, value in values.items() if value}

    def __str__(self) -> str:
        return self._url(None)

    @property
    def is_local(self) -> bool:
        """Whether only Unix sockets lead there."""
        return all(host.startswith("/") for host, _ in self.hosts)

    def _url(self, password: str | None) -> str:
        login = quote(self.user, safe="") + (f":{quote(password, safe='')}" if password else "")
        options = {}
        if self.is_local and len(self.hosts) == 1:
            (host, port), *_ = self.hosts
            place = ""
            options = {"host": host, "port": str(port)}
        else:
            place = ",".join(f"{_quoted_host(host)}:{port}" for host, port in self.hosts)
        options |= self._options()
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
        return f"postgresql://{login}@{place}/{quote(self.database, safe='')}" + (f"?{query}" if query else "")

    def _options(self) -> dict[str, str]:
        options = {} if self.is_local else {"sslmode": self.sslmode}
        for name in ("sslrootcert", "sslcert", "sslkey"):
            if value := getattr(self, name):
                options[name] = value
        if self.target_session_attrs != ("any" if len(self.hosts) == 1 else "read-write"):
            options["target_session_attrs"] = self.target_session_attrs
        if self.connect_timeout != CONNECT_TIMEOUT_S:
            options["connect_timeout"] = f"{self.connect_timeout:g}"
        return options


def parse(url: str) -> Target:
    """Read a PostgreSQL URL, with libpq's own defaults for what it leaves out.

    `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGPORT`, `PGSSLMODE`, `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY`,
    `PGTARGETSESSIONATTRS`, `PGCONNECT_TIMEOUT`, the passfile and the certificates in `~/.postgresql` count as they
    do for psql. Where libpq would only guess, Currant says no: with several hosts it wants one that takes writes.

    Raises:
        DatabaseUnavailable: the URL makes no sense, or asks for what Currant can't keep to.
    """
    if not url.isascii() and any("\ud800" <= letter <= "\udfff" for letter in url):
        raise DatabaseUnavailable("the database URL is no UTF-8 text: write other bytes as %XX")
    environment = Environment()
    login, hosts, database, options = _split(url)
    user = options.get("user") or login[0] or environment.user()
    database = options.get("dbname") or database or environment.get("PGDATABASE") or user
    places = _places(
        options["host"].split(",") if "host" in options else hosts, options.get("port") or environment.get("PGPORT")
    )
    sslmode, sslrootcert, sslcert, sslkey = check_tls(
        options, environment, needs_tls=not all(host.startswith("/") for host, _ in places)
    )
    target = Target(
        hosts=places,
        user=user,
        password=options.get("password") or login[1] or environment.get("PGPASSWORD"),
        database=database,
        sslmode=sslmode,
        sslrootcert=sslrootcert,
        sslcert=sslcert,
        sslkey=sslkey,
        target_session_attrs=_session_attrs(options, environment, several=len(places) > 1),
        connect_timeout=_timeout(options.get("connect_timeout") or environment.get("PGCONNECT_TIMEOUT")),
    )
    return target if target.password else find_password(target, options.get("passfile"), environment)


def _refuse(reason: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"the database URL can't be used: {reason}. It looks like {_EXAMPLE}")


def _split(url: str) -> tuple[tuple[str, str], list[str], str, dict[str, str]]:
    """((user, password), hosts with their ports, database, options) of a URL, decoded."""
    scheme, found, rest = url.strip().partition("://")
    if not found or scheme not in ("postgresql", "postgres"):
        shown = f"it begins with {scheme}://" if found and scheme.isidentifier() else "it has no postgresql:// in front"
        raise _refuse(shown)
    whole = rest
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    if ":" in authority and "@" not in authority and "@" in whole:
        # What follows would be read as a port or an option, and shown in an error: it is part of a password.
        raise _refuse("a / or ? in the password has to be written as %2F or %3F")
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    return (_decoded(user), _decoded(password)), [*map(_decoded, hosts.split(","))], _decoded(path), _query(query)


def _decoded(text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _refuse("a %XX in it is not UTF-8") from None
    if "\0" in decoded:
        raise _refuse("it contains a zero byte")
    return decoded


def _query(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        name, value = _decoded(name), _decoded(value)
        if not equals:
            raise _refuse(f"the option {name!r} has no value")
        if name in _KNOWN:
            options[name] = value
        elif name not in _HARMLESS and value not in _HARMLESS_VALUES.get(name, ()):
            raise _refuse(_why_not(name))
    return options


def _why_not(name: str) -> str:
    if name == "channel_binding":
        return "channel_binding=require can't be kept to; sslmode=verify-full proves the server's identity instead"
    return f"Currant doesn't know the option {name!r}; it knows {', '.join(_KNOWN)}"


def _places(names: list[str], ports: str | None) -> tuple[tuple[str, int], ...]:
    """(host, port) for every host; ports from a comma-separated list of their own, or one for all."""
    defaults = ports.split(",") if ports else ["5432"]
    if len(defaults) not in (1, len(names)):
        raise _refuse(f"it names {len(names)} hosts and {len(defaults)} ports")
    return tuple(
        _place(name, defaults[index] if len(defaults) > 1 else defaults[0]) for index, name in enumerate(names)
    )


def _place(text: str, default: str) -> tuple[str, int]:
    host, port = text, ""
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise _refuse("an IPv6 address is written [::1]:5432")
        port = port.removeprefix(":")
    elif text.count(":") == 1 and not text.startswith("/"):
        host, _, port = text.partition(":")
    elif ":" in text and not text.startswith("/") and not _is_address(text):
        raise _refuse("a host has more than one colon in it")  # not shown: see _split
    host, port = host or "localhost", port or default
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise _refuse("a port is no number from 1 to 65535")  # not shown: see _split
    if any(character.isspace() for character in host) and not host.startswith("/"):
        raise _refuse("a host name has a space in it")
    return host, int(port)


def _is_address(text: str) -> bool:
    from ipaddress import ip_address  # 3 ms, for the few who write one

    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _session_attrs(options: Mapping[str, str], environment: Environment, *, several: bool) -> str:
    said = options.get("target_session_attrs") or environment.get("PGTARGETSESSIONATTRS")
    if said and said not in _SESSION_ATTRS:
        raise _refuse(f"target_session_attrs={said} won't do, since Currant writes: use read-write, primary or any")
    return said or ("read-write" if several else "any")


def _timeout(text: str | None) -> float:
    try:
        seconds = float(text or CONNECT_TIMEOUT_S)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 3600:
        raise _refuse(f"connect_timeout={text} is no number of seconds")
    return seconds


def _quoted_host(host: str) -> str:
    return f"[{host}]" if ":" in host else quote(host, safe="")
