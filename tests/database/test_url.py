"""URLs, the environment, the passfile and the settings: what is read, what is refused, what is never shown."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.database.url import Target, parse
from currant_lab.errors import CurrantError, DatabaseUnavailable
from currant_lab.settings import Settings, load

SECRET = "s3cret-Pass"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of libpq's and an empty home."""
    for name in [name for name in os.environ if name.startswith(("PG", "CURRANT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USER", "me")
    monkeypatch.setenv("LOGNAME", "me")


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("postgresql://u:p@h:6000/d", {"user": "u", "password": "p", "hosts": (("h", 6000),), "database": "d"}),
        ("postgres://u@h/d", {"hosts": (("h", 5432),), "password": None, "sslmode": "prefer"}),
        ("postgresql://h", {"user": "me", "database": "me"}),
        ("postgresql://u@h", {"database": "u"}),
        ("postgresql://u@/d?host=/run/x&port=7", {"hosts": (("/run/x", 7),), "sslmode": "disable"}),
        ("postgresql://u@%2Frun%2Fx/d", {"hosts": (("/run/x", 5432),)}),
        ("postgresql://u@[::1]:7/d", {"hosts": (("::1", 7),)}),
        ("postgresql://u@a:1,b:2/d", {"hosts": (("a", 1), ("b", 2)), "target_session_attrs": "read-write"}),
        ("postgresql://u@a,b/d?port=1,2&target_session_attrs=any", {"hosts": (("a", 1), ("b", 2))}),
        ("postgresql://u:a%40b%2Fc%3A%3F@h/d", {"password": "a@b/c:?"}),
        ("postgresql://h/d?user=x&password=y&dbname=z", {"user": "x", "password": "y", "database": "z"}),
        ("postgresql://u@h/d?connect_timeout=2.5", {"connect_timeout": 2.5}),
        ("postgresql://u@h/d?application_name=x&keepalives=1&gssencmode=disable", {"database": "d"}),
        ("  postgresql://u@h/d ", {"user": "u"}),
    ],
)
def test_urls_that_do(url: str, fields: dict[str, Any]) -> None:
    target = parse(url)
    assert {name: getattr(target, name) for name in fields} == fields
    assert parse(target.url()) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://u:s3cret-Pass@h/d",
        "postgresql:/u:s3cret-Pass@h/d",
        "postgresql://u:s3cret-Pass@h:x/d",
        "postgresql://u:s3cret-Pass@h:0/d",
        "postgresql://u:s3cret-Pass@h:70000/d",
        "postgresql://u:s3cret-Pass/more@h/d",
        "postgresql://u:s3cret-Pass?more@h/d",
        "postgresql://u:s3cret-Pass@[::1/d",
        "postgresql://u:s3cret-Pass@h h/d",
        "postgresql://u:s3cret-Pass@h/d?nonsense=1",
        "postgresql://u:s3cret-Pass@h/d?sslmode",
        "postgresql://u:s3cret-Pass@h/d?sslmode=sometimes",
        "postgresql://u:s3cret-Pass@h/d?channel_binding=require",
        "postgresql://u:s3cret-Pass@h/d?gssencmode=require",
        "postgresql://u:s3cret-Pass@h/d?target_session_attrs=standby",
        "postgresql://u:s3cret-Pass@h/d?connect_timeout=soon",
        "postgresql://u:s3cret-Pass@h/d?connect_timeout=nan",
        "postgresql://u:s3cret-Pass@h/d?connect_timeout=0",
        "postgresql://u:s3cret-Pass@a,b,c/d?port=1,2",
        "postgresql://u:s3cret-Pass@h/d%00",
        "postgresql://u:s3cret-Pass@h/d%ff",
        "postgresql://u:s3cret-Pass@h/d?sslrootcert=system&sslmode=require",
    ],
)
def test_urls_that_don_t_are_refused_with_a_reason_and_without_the_password(url: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        parse(url)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value)) > 30


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DatabaseUnavailable):
        parse("postgresql://" + text)


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@given(words, words, words)
def test_any_login_comes_back_and_is_never_shown(user: str, password: str, database: str) -> None:
    target = Target((("h", 1),), user, "~" + password + "~", database)
    again = parse(target.url())
    assert (again.user, again.password, again.database) == (user, "~" + password + "~", database)
    assert "~" not in str(Target((("h", 1),), "u", "~" + password + "~", "d"))
    assert "~" not in repr(Target((("h", 1),), "u", "~" + password + "~", "d"))


def test_the_environment_fills_in_what_the_url_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGUSER": "eu", "PGPASSWORD": SECRET, "PGDATABASE": "ed", "PGPORT": "77", "PGSSLMODE": "require",
        "PGTARGETSESSIONATTRS": "read-write", "PGCONNECT_TIMEOUT": "3",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    target = parse("postgresql://h")
    assert target == Target(
        (("h", 77),), "eu", SECRET, "ed", "require", target_session_attrs="read-write", connect_timeout=3.0
    )
    assert parse("postgresql://u:p@h:5/d?sslmode=disable") == Target(
        (("h", 5),), "u", "p", "d", "disable", target_session_attrs="read-write", connect_timeout=3.0
    )


PASSFILE = """# a comment
h:5432:d:other:wrong
h\\:x:*:*:*:colon
h:5432:d:u:pass:with\\\\:colons
nonsense
*:*:*:u:any
localhost:*:*:*:socket
"""


def passfile(path: Path, mode: int = 0o600) -> Path:
    path.write_text(PASSFILE)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("how", ["option", "variable", "home"])
def test_the_passfile_is_read_as_libpq_does(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = passfile(tmp_path / (".pgpass" if how == "home" else "file"))
    more = f"passfile={path}" if how == "option" else ""
    if how == "variable":
        monkeypatch.setenv("PGPASSFILE", str(path))
    assert parse(f"postgresql://u@h/d?{more}").password == "pass:with\\:colons"
    assert parse(f"postgresql://u@h/e?{more}").password == "any"
    assert parse(f"postgresql://x@/d?host=/run&{more}").password == "socket"
    assert parse(f"postgresql://x@h/d?{more}").password is None
    assert parse(f"postgresql://u:own@h/d?{more}").password == "own"


def test_a_passfile_that_others_can_read_is_left_aside_and_that_is_said(tmp_path: Path) -> None:
    path = passfile(tmp_path / "file", 0o644)
    with pytest.warns(UserWarning, match="chmod 0600"):
        assert parse(f"postgresql://u@h/d?passfile={path}").password is None
    assert parse(f"postgresql://u@h/d?passfile={tmp_path}/none").password is None
    assert parse(f"postgresql://u@h/d?passfile={tmp_path}").password is None


def test_the_environment_for_psql_reaches_the_same() -> None:
    target = parse(f"postgresql://u:{SECRET}@a:1,b:2/d?sslmode=require")
    found = target.environment()
    assert (found["PGHOST"], found["PGPORT"], found["PGPASSWORD"]) == ("a,b", "1,2", SECRET)
    assert found["PGSSLMODE"] == "require"


# Settings.


def test_arguments_beat_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(directory=tmp_path) == Settings()
    (tmp_path / "currant.toml").write_text('schema = "file"\nname = "file"\nhome = "store"\npayload_limit = 7\n')
    assert load(directory=tmp_path) == Settings(None, tmp_path / "store", "file", 7, "file")
    monkeypatch.setenv("CURRANT_SCHEMA", "env")
    monkeypatch.setenv("CURRANT_PAYLOAD_LIMIT", "9")
    monkeypatch.setenv("CURRANT_NAME", "")
    assert load(directory=tmp_path) == Settings(None, tmp_path / "store", "env", 9, "file")
    assert load(directory=tmp_path, schema="arg", name="arg").schema == "arg"


def test_the_table_in_pyproject_counts_for_folders_below(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.currant]\nschema = "project"\nhome = "store"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert load(directory=below) == Settings(None, tmp_path / "store", "project")
    (below / "currant.toml").write_text("")
    assert load(directory=below) == Settings()


def test_a_repr_shows_no_password() -> None:
    assert SECRET not in repr(load(database=f"postgresql://u:{SECRET}@h/d"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = 3", "schema"),
        ('schema = "Upper"', "lower case"),
        ('schema = "pg_x"', "PostgreSQL keeps this name"),
        ('schema = "a b"', "can't be the schema"),
        (f'schema = "{"x" * 41}"', "40 characters"),
        ("payload_limit = 0", "number of bytes"),
        ("payload_limit = true", "number of bytes"),
        ('payload_limit = "x"', "number of bytes"),
        (f'database = ["{SECRET}"]', "database"),
        ('nonsense = "x"', "is not a setting"),
        ("name = ''", "text is expected"),
        ("[", "can't be read"),
    ],
)
def test_settings_without_a_meaning_are_refused_with_their_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "currant.toml").write_text(text)
    with pytest.raises(CurrantError, match="currant.toml") as caught:
        load(directory=tmp_path)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
