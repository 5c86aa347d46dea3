"""The public surface: what is exported, that it is described, what the import costs, and what the code never does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import currant_lab

PACKAGE = Path(currant_lab.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)

CONTRACT = {
    *("Backoff", "Batch", "Cancel", "CurrantError", "DatabaseUnavailable", "Execution", "ExecutionCancelled"),
    *("ExecutionFailed", "ExecutionTimeout", "InvalidArguments", "NotStorable", "PoolNotRunning", "Retry"),
    *("SchemaOutdated", "SchemaTooNew", "UnknownExecution", "batch", "current", "executions", "get", "job"),
    *("progress", "start", "stop", "track", "__version__"),
}


def test_the_contract_is_exported_and_everything_exported_is_there() -> None:
    exported = currant_lab.__all__
    assert len(set(exported)) == len(exported)
    assert set(exported) >= CONTRACT
    for name in exported:
        assert getattr(currant_lab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        currant_lab.nonsense  # noqa: B018


def test_every_error_is_a_currant_error() -> None:
    for name in currant_lab.errors.__all__:
        kind = getattr(currant_lab.errors, name)
        assert issubclass(kind, currant_lab.CurrantError) == (name not in ("Retry", "Cancel")), name


PROGRAMS = {"namespace.py", "watcher.py"}
"""Files that are run and not imported."""

HELD = {"client/handles.py", "client/batch.py", "client/job.py", "client/client.py", "pool/pool.py", "jobs.py"}
"""Files with what people hold in their hands: there each public method is described."""

Described = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def exported_by(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def test_every_module_says_what_it_exports_and_describes_it() -> None:
    for path in SOURCES:
        tree, place = ast.parse(path.read_text()), path.relative_to(PACKAGE)
        assert ast.get_docstring(tree) or not tree.body, f"{place} has no docstring"
        exported = exported_by(tree)
        if exported is None:
            has_code = any(isinstance(node, Described) for node in tree.body)
            assert not has_code or place.parts[0] in ("cli", "__main__.py") or place.name in PROGRAMS, (
                f"{place} has no __all__"
            )
            continue
        assert len(set(exported)) == len(exported)
        for node in tree.body:
            is_overload = any(getattr(one, "id", "") == "overload" for one in getattr(node, "decorator_list", ()))
            if isinstance(node, Described) and node.name in exported and not is_overload:
                assert ast.get_docstring(node), f"{place}: {node.name} has no docstring"
                for inner in node.body if isinstance(node, ast.ClassDef) and str(place) in HELD else ():
                    if isinstance(inner, Described) and not inner.name.startswith("_") and not inner.decorator_list:
                        assert ast.get_docstring(inner), f"{place}: {node.name}.{inner.name} has no docstring"


def test_the_stub_and_the_engine_export_the_same() -> None:
    native = import_module("currant_lab._native")
    tree = ast.parse((PACKAGE / "_native.pyi").read_text())
    (exported,) = [n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "__all__"]  # type: ignore[attr-defined]
    stub = set(ast.literal_eval(exported))
    assert stub == {name for name in dir(native) if not name.startswith("_")} | {"__version__"}
    described = {n.name for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    assert described == stub - {"__version__"}


HEAVY = {"IPython", "pandas", "pyarrow", "textual", "ipywidgets", "rich", "matplotlib", "numpy", "distributed", "loky"}


def loaded_by(statements: str) -> set[str]:
    """The names of the top-level modules that a new interpreter has after these statements."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statements}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_the_import_is_light() -> None:
    loaded = loaded_by("import currant_lab")
    assert "currant_lab" in loaded
    assert not loaded & HEAVY
    assert "asyncpg" not in loaded


def test_defining_a_job_is_light_too() -> None:
    assert not loaded_by("import currant_lab\n@currant_lab.job\ndef f(x: int) -> int: return x\nf(1)") & HEAVY


STATEMENT = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|SCHEMA|INDEX|FUNCTION)"
    r"|ALTER\s+TABLE|pg_notify\(|pg_advisory\w*\(|LISTEN\s+\w)",
    re.DOTALL,
)


def is_docstring(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    return isinstance(parents.get(node), ast.Expr)


def test_no_sql_in_python() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and not is_docstring(node, parents):
                found = STATEMENT.search(node.value)
                assert found is None, f"{path}:{node.lineno} speaks SQL: {found and found[0]!r}"


def test_no_pickle_but_between_a_pool_and_its_own_processes() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )  # fmt: skip
            wrong = {name.partition(".")[0] for name in names} & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
            assert not wrong or path.name == "remote.py", f"{path}:{node.lineno} imports {wrong}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_over_five_hundred_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500
