"""The command line, `currant`."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence

from currant_lab.errors import CurrantError, InvalidArguments

__all__ = ["main"]

DONE, FAILED, WRONG_WORDS = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 it failed, 2 the words were wrong; 130 after Ctrl-C.

    Errors are one line on stderr, never a traceback (but with `--verbose`) and never a password.

    Args:
        argv: the words after the program's name; by default those of the process.
    """
    from currant_lab.cli.parser import parser

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to fail
    try:
        args = parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else WRONG_WORDS
    try:
        return _run(args)
    finally:
        atexit.register(_end_undisturbed)  # the last to be registered is the first to run


def _run(args: Namespace) -> int:
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except InvalidArguments as error:
        return _tell(error, args.verbose, WRONG_WORDS)
    except CurrantError as error:
        return _tell(error, args.verbose, FAILED)
    except KeyboardInterrupt:
        print("currant: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read it has seen enough. What is still buffered must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # noqa: BLE001 - a person gets one line, whatever went wrong
        return _tell(error, args.verbose, FAILED)
    return code


def _end_undisturbed() -> None:
    """The embedded server's goodbye takes up to some seconds; a Ctrl-C then would only print where it was."""
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _tell(error: Exception, verbose: bool, code: int) -> int:
    from currant_lab.cli.output import one_line

    if verbose:
        import traceback

        traceback.print_exception(error)
    kind = "" if isinstance(error, CurrantError) else f"{type(error).__name__}: "
    print(f"currant: {one_line(f'{kind}{error}')}", file=sys.stderr)
    return code
