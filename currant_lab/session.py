"""What this process has going: its client, its pool, and how both begin and end."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from currant_lab.client import current
from currant_lab.context import running
from currant_lab.errors import CurrantError, InvalidArguments, PoolNotRunning
from currant_lab.jobs import registry
from currant_lab.kernel_loop import kernel_loop
from currant_lab.loop import background
from currant_lab.pool.echo import CaptureChoice, check_capture, echoes
from currant_lab.settings import Settings, load

if TYPE_CHECKING:
    from currant_lab.client.client import Client
    from currant_lab.pool.executors import ExecutorChoice
    from currant_lab.pool.pool import Pool, PoolSettings

__all__ = ["known_pool", "pool", "running_pool", "settings", "start", "stop"]

_EXIT_DRAIN_S = 0.8
_EXIT_SETTLE_S = 0.5
"""At interpreter exit: a front end kills a kernel about 2.4 s after it asked it to end."""

_lock = threading.Lock()
_pool: Pool | None = None
_settings: Settings | None = None
_left_behind: list[object] = []  # of a forked parent: never touched, never freed


def start(
    workers: int = 16,
    queues: Sequence[str] = ("default",),
    database: str | None = None,
    name: str | None = None,
    executor: ExecutorChoice = "thread",
    loop: Literal["thread", "kernel"] = "thread",
    *,
    schema: str | None = None,
    capture: CaptureChoice = "log",
) -> Pool:
    """Start the pool of this process, or return the one that runs with the same settings.

    Args:
        workers: how many executions run at once.
        queues: the queues to work on.
        database: a PostgreSQL URL (14 or newer); by default `CURRANT_DATABASE_URL`, else the embedded server.
        name: the namespace of jobs defined in this notebook or script; by default its own name.
        executor: where plain (not async) jobs run: "thread", "process", or any `concurrent.futures.Executor`.
        loop: where async handlers run. "thread": on the pool's own loop, in its own thread. "kernel": on the loop that
            the cells run on (outside of a notebook: the caller's), so that both can use an object that belongs to that
            loop, as an asyncpg pool. It has its price: a cell that computes holds them all up (not the pool, nor its
            lease); a no-op takes 2.5 times as long; and `e.result()` in a cell needs the extra `kernel-loop`, without
            which it is refused: it would wait for ever. `await e` always works.
        schema: the schema of Currant's tables; by default `CURRANT_SCHEMA`, else `currant`.
        capture: where the output of handlers goes: "log", to the log of their execution; "cell": to the cell that
            submitted them as well, at most 64,000 characters at once and then 16,000 a second for each.

    Raises:
        DatabaseUnavailable: the database can't be reached within 5 s, or refuses what is needed.
        SchemaOutdated, SchemaTooNew: see `currant migrate`.
        InvalidArguments: a value makes no sense.
        CurrantError: a pool runs already, with other settings.
    """
    from currant_lab.pool.pool import PoolSettings

    if loop not in ("thread", "kernel"):
        raise InvalidArguments(f'loop is "thread" or "kernel", not {loop!r}')
    home = _loop_of_cells() if loop == "kernel" else None
    with _lock:
        wanted = load(database=database, schema=schema, name=name)
        namespace = wanted.name or default_name()
        chosen = PoolSettings(
            name=namespace,
            workers=workers,
            queues=(queues,) if isinstance(queues, str) else tuple(queues),
            executor=executor,
            kind=process_kind(),
            payload_limit=wanted.payload_limit,
            capture=check_capture(capture),
            loop=loop,
        )
        known = running_pool()
        if known is not None:
            return _same(known, chosen, wanted)
        return _start(chosen, wanted, home)


def stop(drain: bool = True, timeout: float | None = None) -> None:
    """Stop the pool of this process, if one runs: see `Pool.stop`. Submitting and looking go on working.

    Raises:
        CurrantError: called by a handler, for whose end the stop would wait.
    """
    global _pool
    if running() is not None and known_pool() is not None:
        raise CurrantError("stop() in a handler would wait for that handler: call it from a cell or a script")
    stopping = known_pool()
    if stopping is not None:
        stopping.stop(drain, timeout)
        with _lock:
            if _pool is not stopping:
                return  # another has been started meanwhile
            _pool = None
        kernel_loop.begin(None)
        client = current.get()
        client.has_local_pool = False
        client.on_submitted = None
        client.here = None


def pool() -> Pool:
    """The running pool of this process.

    Raises:
        PoolNotRunning: there is none.
    """
    found = running_pool()
    if found is None:
        raise PoolNotRunning("no pool runs in this process: currant.start() or %currant start starts one")
    return found


def running_pool() -> Pool | None:
    """The running pool of this process, or None."""
    return _pool if _pool is not None and _pool.is_running else None


def known_pool() -> Pool | None:
    """The running pool of this process, or the one that is still about to stop, or None."""
    return _pool if _pool is not None and not _pool.is_stopped else None


def settings() -> Settings:
    """The settings in force: those of the last `start`, else what file and environment say."""
    return _settings or load()


def default_name() -> str:
    """The notebook's own name, which a restart of its kernel does not change; else the script's."""
    from pathlib import Path

    notebook = os.environ.get("JPY_SESSION_NAME") or getattr(sys.modules.get("__main__"), "__vsc_ipynb_file__", "")
    stem = Path(str(notebook)).stem
    if stem and stem.isprintable():
        return stem[:100]
    return registry.namespace if process_kind() != "kernel" else (Path.cwd().name or "notebook")


def _loop_of_cells() -> asyncio.AbstractEventLoop:
    """The loop of the kernel's main shell, whoever asks: a subshell has another; else that of the caller."""
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    io_loop = getattr(getattr(shell, "kernel", None), "io_loop", None)
    found = getattr(io_loop, "asyncio_loop", None) or asyncio._get_running_loop()
    if found is None:
        raise InvalidArguments('loop="kernel" needs a loop that runs: start the pool in a cell, or in async code')
    return found


def process_kind() -> str:
    """`kernel` inside Jupyter, else `script`; `currant worker` says so itself."""
    if os.environ.get("CURRANT_PROCESS_KIND") == "worker":
        return "worker"
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    return "kernel" if shell is not None and hasattr(shell, "kernel") else "script"


def _start(chosen: PoolSettings, wanted: Settings, home: asyncio.AbstractEventLoop | None) -> Pool:
    global _pool, _settings
    from currant_lab.pool.pool import Pool
    from currant_lab.version import __version__

    before = _settings
    if before is not None and (before.database, before.schema) != (wanted.database, wanted.schema):
        _close_client()  # another database than the one it speaks to
    _settings = wanted
    registry.set_namespace(chosen.name)
    try:
        client = current.get()
        starting = Pool(client.database, chosen, registry, background, home)
        starting.on_settled = client.settled
        background.run(starting.open(__version__))
    except BaseException:
        _close_client()
        _settings = before  # a start that failed leaves nothing behind for the next one to trip over
        raise
    client.has_local_pool = True
    client.on_submitted = starting.wake
    client.here = starting
    echoes.default = chosen.capture
    kernel_loop.begin(home)
    _pool = starting
    return starting


def _same(running: Pool, chosen: PoolSettings, wanted: Settings) -> Pool:
    differences = running.settings.differences(chosen)
    if _settings is not None and (_settings.database, _settings.schema) != (wanted.database, wanted.schema):
        differences.append("another database")
    if differences:
        raise CurrantError(
            f"a pool runs already with other settings ({'; '.join(differences)}): "
            "use it as it is, resize it, or currant.stop() it first"
        )
    return running


def _close_client() -> None:
    client = current.peek()
    if client is not None:
        client.close()
    current.put(None)


def _open_client() -> Client:
    global _settings
    from currant_lab.client.client import Client

    _settings = settings()  # so that a start with other ones knows that this client is not for it
    registry.set_namespace(_settings.name or default_name())  # what is submitted before the start is found after it
    return Client.open(_settings)


def _at_exit() -> None:
    ending = running_pool()
    if ending is not None:
        background.run(ending.close(True, _EXIT_DRAIN_S, _EXIT_SETTLE_S))
    client = current.peek()
    if client is not None:
        client.close()


def _after_fork() -> None:
    """A forked child has not started: the parent's engine, sockets and locks are not its own."""
    global _pool, _settings, _lock
    _left_behind.append(_pool)
    _pool, _lock = None, threading.Lock()
    kernel_loop.begin(None)


current.bind(_open_client)
atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)
