"""SQL lives in named files, and nothing from the database is ever run as code: the source says so."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SQL = re.compile(
    r"\b(SELECT\s+[\w*\"$(]|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|(CREATE|ALTER|DROP)\s+(TABLE|SCHEMA|ROLE|INDEX)\s"
    r"|LISTEN\s+[\"\w{]|SET\s+\w+\s*=)"
)
PYTHON = sorted([*(ROOT / "currant_lab").rglob("*.py"), *(ROOT / "tui").rglob("*.py")])
RUST = sorted((ROOT / "native" / "src").rglob("*.rs"))
CODE = {"eval", "exec", "compile", "__import__"}
MAY_RUN_CODE = {
    "currant_lab/notebook/cells.py",  # the person's own cell, from the person's own kernel
    "currant_lab/notebook/magics.py",
}

ADVICE = (
    "SELECT pg_terminate_backend(",
    "; DROP SCHEMA ",
    "or let one CREATE ROLE",
    "have SELECT granted",
)
"""What a person is told to run; nothing of it is ever sent."""


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string that isn't a docstring, with its line."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | bare:
            yield node.lineno, node.value


def test_the_pattern_finds_what_it_is_for() -> None:
    for sql in ("SELECT id FROM x", "INSERT INTO x", "UPDATE x SET y", "DELETE FROM x", "DROP TABLE x", 'LISTEN "a"'):
        assert SQL.search(sql), sql
    assert not SQL.search("let its owner GRANT SELECT, INSERT on all tables")


def test_python_has_no_sql() -> None:
    found = []
    for path in PYTHON:
        texts = [text for _, text in strings(ast.parse(path.read_text())) if SQL.search(text)]
        found += [(path.name, text) for text in texts if not any(said in text for said in ADVICE)]
    assert not found


def test_rust_has_no_sql_but_listen() -> None:
    """LISTEN takes no parameter, so the channel's name is quoted into it, in one place with a test of its own."""
    found = []
    for path in RUST:
        code = path.read_text().split("#[cfg(test)]")[0]
        found += [(path.name, text) for text in re.findall(r'"((?:[^"\\]|\\.)*)"', code) if SQL.search(text)]
    assert found == [("listen.rs", "LISTEN {};")]


def test_nothing_but_a_cell_is_run_as_code() -> None:
    found = []
    for path in PYTHON:
        tree = ast.parse(path.read_text())
        calls = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        imports = {
            alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        } | {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        bad = (calls & CODE) | (imports & {"pickle", "marshal", "shelve", "dill", "joblib"})
        if bad and str(path.relative_to(ROOT)) not in MAY_RUN_CODE:
            found.append((path.name, sorted(bad)))
    assert not found


def test_the_linter_looks_for_the_same() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    for rule in ("S102", "S301", "S307", "S608"):
        assert not any(rule.startswith(ignored) for ignored in lint["ignore"]), rule
