"""`%currant`: each word is one call of the Python API, and returns something to look at."""

from __future__ import annotations

import argparse
import ast
import json
import keyword
from collections.abc import Callable
from typing import Any
from uuid import UUID

from IPython.core.error import UsageError
from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR, MAGIC_OUTPUT_CAN_BE_SILENCED
from IPython.utils.text import DollarFormatter

import currant_lab as currant
from currant_lab import session
from currant_lab.client import current
from currant_lab.jobs import session_of_cell
from currant_lab.notebook import bench_report, cells, dashboard, living, pages, panel_live, words
from currant_lab.notebook.sessions import SESSION
from currant_lab.notebook.views import View, counted
from currant_lab.pool import echo

__all__ = ["magic"]


def magic(shell: Any) -> Callable[[str], Any]:
    """The function behind `%currant` for an IPython shell."""

    def currant(line: str, cell: str | None = None) -> Any:
        if cell is not None:
            try:
                return _cell(shell, words.parse_cell(line), line, cell)
            except words.Told:
                return None
        line = line.strip().removesuffix(";")  # silences the output, as everywhere in IPython
        word, _, rest = line.partition(" ")
        try:
            if word == "submit":
                return _submit(shell, words.split_call(rest))
            # The braces of JSON are no variables either.
            arguments = words.split_signal(rest) if word == "signal" else words.parse(_expanded(shell, line))
        except words.Told:
            return None
        return _WORDS[arguments.word](shell, arguments)

    currant.__doc__ = words.help_text()
    # IPython would take the braces of `submit f({"a": 1})` for variables; the other words are expanded here.
    setattr(currant, MAGIC_NO_VAR_EXPAND_ATTR, True)
    setattr(currant, MAGIC_OUTPUT_CAN_BE_SILENCED, True)
    return currant


def _expanded(shell: Any, line: str) -> str:
    try:
        return str(DollarFormatter().vformat(line, args=[], kwargs=shell.user_ns))
    except Exception:  # noqa: BLE001 - as IPython does: what can't be expanded stays as it is
        return line


def _start(shell: Any, arguments: argparse.Namespace) -> Any:
    return currant.start(
        workers=arguments.workers,
        queues=arguments.queues,
        database=arguments.database,
        name=arguments.name,
        executor=arguments.executor,
        loop=arguments.loop,
        schema=arguments.schema,
        capture="cell" if arguments.echo else "log",
    )


def _stop(shell: Any, arguments: argparse.Namespace) -> View:
    running = session.known_pool()
    if running is None:
        return View("No pool runs in this kernel.")
    currant.stop(drain=not arguments.no_drain, timeout=arguments.timeout)
    living.settle_all()
    return View(f"Pool {running.name} has stopped. What waits stays in the database.")


def _status(shell: Any, arguments: argparse.Namespace) -> View:
    running = session.running_pool()
    if running is None and current.peek() is None:
        return View("No pool runs in this kernel: `%currant start` starts one.")
    return pages.status(current.get(), running)


def _resize(shell: Any, arguments: argparse.Namespace) -> Any:
    pool = currant.pool()
    pool.resize(arguments.workers)
    return pool


def _pause(shell: Any, arguments: argparse.Namespace) -> View:
    current.get().pause(arguments.queue)
    return View(f"Queue {arguments.queue} is paused: no pool claims from it until `%currant resume {arguments.queue}`.")


def _resume(shell: Any, arguments: argparse.Namespace) -> View:
    resume = (session.running_pool() or current.get()).resume
    goes_on = "goes on" if resume(arguments.queue) else "was not paused"
    return View(f"Queue {arguments.queue} {goes_on}.")


def _jobs(shell: Any, arguments: argparse.Namespace) -> View:
    return pages.jobs()


def _list(shell: Any, arguments: argparse.Namespace) -> View:
    found = currant.executions(status=arguments.status, job=arguments.job, queue=arguments.queue, limit=arguments.limit)
    return pages.listing(found, arguments.limit)


def _show(shell: Any, arguments: argparse.Namespace) -> View:
    return pages.execution(_execution(shell, arguments.id), whole=True)


def _logs(shell: Any, arguments: argparse.Namespace) -> View:
    return pages.logs(_execution(shell, arguments.id))


def _retry(shell: Any, arguments: argparse.Namespace) -> View:
    chosen = [_execution(shell, id) for id in arguments.ids]
    if len(chosen) == 1 and (text := cells.again(shell, chosen[0])) is not None:
        return View("Its kernel has ended. Its text is in the next cell: run it to go on.", texts=[("cell", text)])
    for execution in chosen:
        if session_of_cell(execution.job) not in (None, SESSION):
            raise UsageError(f"%currant retry: {execution.id} is a cell of another kernel: retry it alone")
    for execution in chosen:
        execution.retry()
    return View(f"{counted(len(chosen))} will run again.")


def _cancel(shell: Any, arguments: argparse.Namespace) -> View:
    chosen = [_execution(shell, id) for id in arguments.ids]
    cancelled = sum(execution.cancel() for execution in chosen)
    late = len(chosen) - cancelled
    return View(f"{counted(cancelled)} cancelled." + (f" {late:,} had ended before." if late else ""))


def _workflows(shell: Any, arguments: argparse.Namespace) -> View:
    return pages.runs(current.get(), arguments.limit)


def _signal(shell: Any, arguments: argparse.Namespace) -> View:
    run = _execution(shell, _expanded(shell, arguments.id))
    try:
        value = json.loads(arguments.value)
    except ValueError:
        raise UsageError(
            f'%currant signal: {arguments.value!r} is no JSON: a text is written "so", with double quotes'
        ) from None
    run.signal(arguments.name, value)
    return View(f"Signal {arguments.name} was sent to {run.id}.")


def _fork(shell: Any, arguments: argparse.Namespace) -> Any:
    step = arguments.step
    return _execution(shell, arguments.id).fork(int(step) if step.isdecimal() else step)


def _submit(shell: Any, arguments: argparse.Namespace) -> Any:
    name = _variable("%currant submit", arguments)
    job, call = _job_call(shell, arguments.call)
    wanted = {key: getattr(arguments, key) for key in ("queue", "priority", "delay")}
    submit = job.options(**{key: value for key, value in wanted.items() if value is not None}).submit
    code = compile(ast.fix_missing_locations(call), "<%currant submit>", "eval")
    with echo.submitting("cell" if arguments.echo else None):
        execution = eval(code, shell.user_ns, {_SUBMIT: submit})  # noqa: S307 - the cell's own code
    if name is None:
        return execution
    shell.user_ns[name] = execution
    return None


def _variable(prog: str, arguments: argparse.Namespace) -> str | None:
    name: str | None = arguments.variable
    if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
        raise UsageError(f"{prog}: {name!r} can't be a variable")
    return name


def _cell(shell: Any, arguments: argparse.Namespace, line: str, body: str) -> Any:
    name = _variable("%%currant", arguments)
    if session.running_pool() is None:
        raise UsageError("%%currant: no pool runs in this kernel: `%currant start` starts one. Nothing was submitted")
    queue = arguments.queue or currant.pool().queues[0]
    if queue not in currant.pool().queues:
        raise UsageError(f"%%currant: this kernel's pool does not work on queue {queue!r}, and no other has the cell")
    end_old = cells.settle_old(current.get(), arguments.again) if arguments.again else None
    with echo.submitting("cell" if arguments.echo else None):
        execution = cells.submit(shell, line, body, queue=queue, priority=arguments.priority or 0)
    if end_old is not None:
        end_old()
    if name is not None:
        shell.user_ns[name] = execution
    if arguments.wait:
        return execution.result()
    return execution if name is None else None


_SUBMIT = "__currant_submit"


def _job_call(shell: Any, text: str) -> tuple[Any, ast.Expression]:
    """The job that `text` calls, and that call with its `submit` in the job's place."""
    try:
        tree = ast.parse(text.strip(), "<%currant submit>", mode="eval")
    except SyntaxError as error:
        raise UsageError(f"%currant submit: {error.msg} in {text!r}") from None
    call = tree.body
    if not isinstance(call, ast.Call):
        raise UsageError(f"%currant submit: a call is expected, as f(1), not {text!r}")
    function = ast.unparse(call.func)
    try:
        job = eval(compile(ast.Expression(call.func), "<%currant submit>", "eval"), shell.user_ns)  # noqa: S307
    except (NameError, AttributeError) as error:
        raise UsageError(f"%currant submit: {error}") from None
    if not isinstance(job, currant.Job):
        raise UsageError(f"%currant submit: `{function}` is no job: put @job before its definition")
    call.func = ast.Name(_SUBMIT, ast.Load())
    return job, tree


def _execution(shell: Any, word: str) -> currant.Execution:
    held = shell.user_ns.get(word) if word.isidentifier() else None
    if isinstance(held, currant.Execution):
        return held.refresh()
    try:
        UUID(word)
    except ValueError:
        raise UsageError(f"%currant: {word!r} is neither an id nor a variable that holds an execution") from None
    return currant.get(word)


_WORDS: dict[str, Callable[[Any, argparse.Namespace], Any]] = {
    "start": _start,
    "stop": _stop,
    "status": _status,
    "panel": lambda shell, arguments: panel_live.panel(),
    "resize": _resize,
    "pause": _pause,
    "resume": _resume,
    "jobs": _jobs,
    "list": _list,
    "show": _show,
    "logs": _logs,
    "workflows": _workflows,
    "signal": _signal,
    "fork": _fork,
    "retry": _retry,
    "cancel": _cancel,
    "bench": lambda shell, arguments: bench_report.bench(arguments.given),
    "tui": lambda shell, arguments: dashboard.dashboard(arguments.view, arguments.seconds),
}
