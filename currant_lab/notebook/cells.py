"""`%%currant`: the body of a cell as one durable execution, in the background, against the notebook's namespace.

The code stays in this kernel: the database has its text to show it, and nothing that is read from there is ever run
by itself. So the name of such a job says which session of the kernel it belongs to, and no other pool claims it. After
a restart nobody has that name: what has not ended is shown as interrupted, and a person runs its text again.
"""

from __future__ import annotations

import ast
import asyncio
import contextvars
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any

from IPython.core.error import UsageError

from currant_lab.client import current
from currant_lab.client.client import Client
from currant_lab.client.handles import Execution
from currant_lab.client.job import Job
from currant_lab.database.reports import record_source
from currant_lab.errors import CurrantError
from currant_lab.jobs import JobSpec, Policy, cell_name, registry, session_of_cell
from currant_lab.notebook.sessions import SESSION, interrupted
from currant_lab.pool.describe import storable_text
from currant_lab.pool.threads import ThreadCall, in_thread

__all__ = ["again", "settle_old", "submit"]


def submit(shell: Any, line: str, body: str, **policy: Any) -> Execution:
    """Submit the body of a cell whose first line was `%%currant` and `line`.

    Raises:
        UsageError: the body is no Python; nothing was written.
    """
    if not body.strip():
        raise UsageError("%%currant: the cell is empty")
    text = storable_text(body)
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = cell_name(registry.namespace, SESSION, version)
    function = _function(shell, _compiled(shell, line, body))
    spec = JobSpec(function, Policy().changed(**policy), name, text)
    client = current.get()
    client.run(record_source(client.database, spec.version, name, text))
    registry.add(spec)
    return Job[[], Any](spec).submit()  # type: ignore[no-any-return]


def again(shell: Any, execution: Execution) -> str | None:
    """Put the text of a cell of another session into a new cell; None for what is not one, or is of this session."""
    if session_of_cell(execution.job) in (None, SESSION):
        return None
    text = execution.source or ""
    cell = f"%%currant --again {execution.id}\n{text}"
    shell.set_next_input(cell)
    return cell


def settle_old(client: Client, id: str) -> Callable[[], object]:
    """Check that the cell of that id may be run anew; returns what takes the old execution away.

    Raises:
        UsageError: it is no cell, or its own kernel still has it.
    """
    try:
        old = client.get(id)
    except CurrantError as error:
        raise UsageError(f"%%currant --again: {error}") from None
    if session_of_cell(old.job) is None:
        raise UsageError(f"%%currant --again: {id} is no cell: `%currant retry {id}` runs it again")
    if old._is_pending() and not interrupted(client, [old]):
        raise UsageError(f"%%currant --again: {id} still waits in its own kernel")
    return old.cancel if old._is_pending() else lambda: None


@dataclass(frozen=True)
class _Cell:
    """Compiled: all but the last expression, and that."""

    body: CodeType
    last: CodeType | None

    @property
    def is_async(self) -> bool:
        parts = [self.body] if self.last is None else [self.body, self.last]
        return any(part.co_flags & _COROUTINE for part in parts)

    def run(self, names: dict[str, Any]) -> Any:
        exec(self.body, names)  # noqa: S102 - the person's own cell
        return None if self.last is None else eval(self.last, names)  # noqa: S307

    async def arun(self, names: dict[str, Any]) -> Any:
        """The same where `await` is used."""
        value = None
        for part in (self.body, self.last):
            if part is not None:
                value = eval(part, names)  # noqa: S307
                if part.co_flags & _COROUTINE:
                    value = await value
        return None if self.last is None else value


_COROUTINE = 0x80  # inspect.CO_COROUTINE


def _compiled(shell: Any, line: str, body: str) -> _Cell:
    """Compile as IPython does, so that tracebacks show the cell's own lines, the first one counted.

    Raises:
        UsageError: a syntax error, with its line.
    """
    cell = f"%%currant {line}".rstrip() + f"\n{body}"
    try:
        code = "\n" + shell.transform_cell(body)
        name = shell.compile.cache(f"# {cell.partition(chr(10))[0]}{code}", shell.execution_count, raw_code=cell)
        tree = compile(code, name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr) and not _is_silenced(body):
            last = ast.Expression(tree.body.pop().value)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        return _Cell(
            compile(tree, name, "exec", flags, dont_inherit=True),
            None if last is None else compile(last, name, "eval", flags, dont_inherit=True),
        )
    except (SyntaxError, ValueError, OverflowError) as error:
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        text = f": {error.text.strip()}" if isinstance(error, SyntaxError) and error.text else ""
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(f"%%currant: {what}{where}{text}. Nothing was submitted") from None


def _is_silenced(body: str) -> bool:
    from IPython.core.displayhook import DisplayHook

    return bool(DisplayHook.semicolon_at_end_of_expression(body))  # type: ignore[no-untyped-call]


def _function(shell: Any, cell: _Cell) -> Callable[[], Any]:
    names: dict[str, Any] = shell.user_ns

    async def run_cell() -> Any:
        return await (cell.arun(names) if cell.is_async else _threaded(lambda: cell.run(names)))

    return run_cell


async def _threaded(function: Callable[[], Any]) -> Any:
    """Run a plain cell in a thread of this kernel, whatever executor the pool has: its names are here."""
    call = ThreadCall(function)
    task = asyncio.ensure_future(in_thread(contextvars.copy_context().run, call))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        call.interrupt()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen: what counts is that it was ended
        raise
