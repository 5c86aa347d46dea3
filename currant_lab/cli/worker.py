"""`currant worker`: a pool outside a notebook."""

from __future__ import annotations

import importlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from currant_lab.cli.base import log_to_stderr, settings_of
from currant_lab.cli.output import one_line, plain, waiting
from currant_lab.errors import CurrantError
from currant_lab.jobs import registry

if TYPE_CHECKING:
    from currant_lab.pool.pool import Pool

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_S = 0.25
_TELL_S = 1.0
"""A handler that blocks the loop delays the stop, but not for ever the word of it."""
_HANGING = 3
"""So many signals end the process even if a handler can't be ended."""

Inbox = queue.SimpleQueue[int | BaseException | None]
"""What happens, in order: a signal's number, or how the stop ended. Its `put` may be called by signal handlers."""


def run(args: Namespace) -> int:
    """Run a module's jobs until a signal; 0 when all that ran has ended, 1 when a second signal cut it short."""
    os.environ["CURRANT_PROCESS_KIND"] = "worker"
    settings = settings_of(args)
    sys.path.insert(0, str(Path.cwd()))
    jobs = _import_all(args.module)
    log_to_stderr(args.verbose)
    inbox: Inbox = queue.SimpleQueue()
    with _signals(inbox):
        pool = _start(args, settings.name or args.module[0])
        _say_what_it_serves(args, pool, jobs)
        code = _serve(args, pool, inbox)
    _say_how_it_ended(args, pool, code)
    return code


def _start(args: Namespace, name: str) -> Pool:
    from currant_lab.session import start

    return start(
        workers=args.workers,
        queues=args.queues,
        database=args.database,
        schema=args.schema,
        name=args.name or name,
        executor=args.executor,
    )


def _import_all(modules: Sequence[str]) -> list[str]:
    """Import the modules; the full names of the jobs there are then.

    Raises:
        CurrantError: one can't be imported, and where it fails; or none has a job.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
                raise CurrantError(_where(module, error)) from error
            hint = f": did you mean -m {module[:-3]}?" if module.endswith(".py") else ""
            raise CurrantError(f"there is no module {module!r} in {Path.cwd()} or installed{hint}") from None
        except (Exception, SystemExit) as error:
            raise CurrantError(_where(module, error)) from error
    jobs = registry.names()
    if not jobs:
        raise CurrantError(f"{', '.join(modules)} defines no @job: there is nothing to run")
    return jobs


def _where(module: str, error: BaseException) -> str:
    """What failed in a module, and in which of its lines."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    last = next((frame for frame in reversed(frames) if frame.filename != __file__), None)
    place = f"{last.filename}:{last.lineno}" if last is not None else module
    what = str(error)
    if isinstance(error, SyntaxError):
        place, what = f"{error.filename}:{error.lineno}", error.msg
    return f"{module} can't be imported: {place}: {type(error).__name__}: {what}"


@contextmanager
def _signals(inbox: Inbox) -> Iterator[None]:
    """Signals go to the inbox."""
    # What is ignored stays so: nohup means it.
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda received, _: inbox.put(received)) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(args: Namespace, pool: Pool, inbox: Inbox) -> int:
    """Wait for a signal, then drain; a second one cuts it short."""
    inbox.get()
    stopping = threading.Thread(target=_stop, args=(pool, inbox), name="currant stop", daemon=True)
    stopping.start()
    told_by = time.monotonic() + _TELL_S
    while pool.is_running and time.monotonic() < told_by:  # what is submitted after the note is left to others
        time.sleep(0.005)
    _note(args, "draining: what runs ends first; once more stops at once")
    received = 1
    with waiting("draining") as progress:
        while True:
            try:
                news = inbox.get(timeout=_LOOK_S)
            except queue.Empty:
                if progress is not None and pool.workers:
                    progress.update(0, description=f"draining: {pool.stats().running} still run")
                continue
            if news is None:
                return 0 if received == 1 else 1
            if isinstance(news, BaseException):
                raise news
            received += 1
            if received >= _HANGING:
                os._exit(1)
            _note(args, "stopping at once: what runs is given back")
            threading.Thread(target=pool.stop, args=(False,), name="currant stop now", daemon=True).start()


def _stop(pool: Pool, inbox: Inbox) -> None:
    try:
        pool.stop()
    except BaseException as error:  # noqa: BLE001 - told by the thread that waits
        inbox.put(error)
    else:
        inbox.put(None)


def _say_what_it_serves(args: Namespace, pool: Pool, jobs: Sequence[str]) -> None:
    if args.json:
        _event("started", pool, queues=pool.queues, workers=pool.workers, jobs=jobs)
        return
    print(f"pool {pool.id} {plain(pool.name)!r}: {pool.workers} workers on {plain(', '.join(pool.queues))}")
    for name in jobs:
        print(f"  {plain(name)}{_elsewhere(name, pool.queues)}")
    print("Ctrl-C or SIGTERM lets what runs end, then stops", flush=True)


def _elsewhere(name: str, queues: Sequence[str]) -> str:
    """A hint where a job's executions will wait in a queue that this pool does not work on."""
    spec = registry.get(name)
    if spec is None or spec.policy.queue in queues:
        return ""
    own = spec.policy.queue
    return (
        f"  (waits in queue {plain(own)}, which this worker leaves alone: --queues {plain(','.join((*queues, own)))})"
    )


def _say_how_it_ended(args: Namespace, pool: Pool, code: int) -> None:
    stats = pool.stats()
    if args.json:
        _event("stopped", pool, settled=stats.settled, released=stats.released, drained=code == 0)
        return
    given_back = f", {stats.released:,} given back" if stats.released else ""
    print(f"pool {pool.id} stopped: {stats.settled:,} settled{given_back}", flush=True)


def _event(event: str, pool: Pool, **more: Any) -> None:
    """One line of JSON."""
    print(msgspec.json.encode({"event": event, "pool": pool.id, "name": pool.name, **more}).decode(), flush=True)


def _note(args: Namespace, text: str) -> None:
    print(one_line(text), file=sys.stderr if args.json else sys.stdout, flush=True)
