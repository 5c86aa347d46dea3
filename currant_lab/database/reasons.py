"""What went wrong with the database, in words that say what to do; never with a password in them."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import asyncpg

from currant_lab.errors import CurrantError, DatabaseUnavailable

if TYPE_CHECKING:
    from currant_lab.database.url import Target

__all__ = ["CONNECTION_LOST", "NEXT_HOST", "explain", "is_refusal", "is_trouble"]

CONNECTION_LOST = (
    OSError,  # TimeoutError and every ConnectionError among them
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg says when the connection ends between two of its steps
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleSessionTimeoutError,
)
"""The connection broke: whether the statement ran can't be told."""

NEXT_HOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""This host can't serve, another of the list may."""

_TROUBLE = (
    *CONNECTION_LOST,
    asyncpg.DeadlockDetectedError,
    asyncpg.DiskFullError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.LockNotAvailableError,
    asyncpg.OutOfMemoryError,
    asyncpg.QueryCanceledError,  # by a statement_timeout, or by somebody
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
)


def is_trouble(error: BaseException) -> bool:
    """Whether an error is the database's own trouble, not the fault of a statement or a value."""
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg's name for a value that doesn't fit its parameter is an InterfaceError as well.
        return not isinstance(error, asyncpg.DataError) and "connection" in str(error)
    return isinstance(error, _TROUBLE)


def is_refusal(error: BaseException) -> bool:
    """Whether a right is missing: asking again in a second won't help, as it may with any other trouble."""
    return isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError)


def explain(error: BaseException, target: Target, schema: str = "currant") -> CurrantError:
    """The error to raise in place of what a driver raised. Errors of Currant's own come back as they are.

    Args:
        error: what happened.
        target: where; shown without its password.
        schema: named in the advice.
    """
    if isinstance(error, CurrantError):
        return error
    return DatabaseUnavailable(f"{_what(error, target, schema)} [{target}]")


def _what(error: BaseException, target: Target, schema: str) -> str:
    """One or two sentences: what is wrong, and what to do about it."""
    text = _clean(str(error), target)
    match error:
        case asyncpg.InvalidPasswordError():
            return f"the database refuses the password of user {target.user!r}: check it, or the passfile"
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"the database doesn't let user {target.user!r} in: {text}. Its pg_hba.conf decides this"
        case asyncpg.InvalidCatalogNameError():
            return f"there is no database {target.database!r} on this server: check the URL, or create it"
        case asyncpg.TooManyConnectionsError():
            return f"the database takes no more connections ({text}): close some, or raise max_connections"
        case asyncpg.InsufficientPrivilegeError():
            return (
                f"user {target.user!r} lacks a right: {text}. The owner of schema {schema!r} can GRANT it one of the "
                f"roles that `currant migrate --roles` makes: {schema}_submit, {schema}_work, {schema}_watch"
            )
        case asyncpg.DiskFullError():
            return f"the database's disk is full ({text}): free some space; nothing was written"
        case asyncpg.QueryCanceledError() | asyncpg.LockNotAvailableError() | asyncpg.DeadlockDetectedError():
            return f"the database gave a statement up ({text}): nothing was written"
        case asyncpg.OutOfMemoryError():
            return f"the database is out of memory: {text}"
        case asyncpg.ReadOnlySQLTransactionError() | asyncpg.TargetServerAttributeNotMatched():
            return "this server is read-only (a replica, or default_transaction_read_only): name the primary"
        case asyncpg.UndefinedTableError() | asyncpg.UndefinedFunctionError() | asyncpg.UndefinedColumnError():
            return f"schema {schema!r} isn't what this version of Currant expects ({text}): run `currant migrate`"
        case asyncpg.InvalidSchemaNameError():
            return f"schema {schema!r} is gone: run `currant migrate`"
        case asyncpg.CannotConnectNowError():
            return f"the database server is starting up or shutting down ({text}): try again soon"
        case asyncpg.AdminShutdownError() | asyncpg.CrashShutdownError():
            return f"the database server ended the connection ({text})"
        case ssl.SSLCertVerificationError():
            return f"the server's TLS certificate isn't trusted: {error.verify_message}. sslrootcert says whom to trust"
        case ssl.SSLError():
            return f"no TLS with the database server: {error.reason or text}"
        case ConnectionRefusedError() | FileNotFoundError():
            return f"no server answers at {_where(target)}: is it running, and is the port right?"
        case PermissionError():
            return f"the socket at {_where(target)} belongs to somebody else: {text}"
        case socket.gaierror():
            return f"the host name can't be found ({error.strerror}): check the URL"
        case TimeoutError() if text:
            return f"the database does not answer: {text}. Does it hang, or does the network?"
        case TimeoutError():
            return f"no answer from {_where(target)} within {target.connect_timeout:g} s: check host, port and firewall"
        case _:
            return f"the database can't be used: {text or type(error).__name__}"


def _where(target: Target) -> str:
    return ", ".join(f"{host}:{port}" for host, port in target.hosts)


def _clean(text: str, target: Target) -> str:
    """A driver's words on one line, without the password should they contain it."""
    text = " ".join(text.split())
    return text.replace(target.password, "***") if target.password else text
