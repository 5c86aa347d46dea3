"""`currant demo`."""

from __future__ import annotations

import importlib
import os
from argparse import Namespace

from currant_lab.cli.base import settings_of
from currant_lab.errors import CurrantError


def run(args: Namespace) -> int:
    """Run the quickstart notebook without a browser; 1 if its books are wrong."""
    settings_of(args)  # tells what makes no sense before a kernel starts
    for name, value in (("CURRANT_DATABASE_URL", args.database), ("CURRANT_SCHEMA", args.schema)):
        if value is not None:
            os.environ[name] = value  # the notebook's kernel is another process
    try:
        demo = importlib.import_module("currant_lab.notebook.demo")
    except ModuleNotFoundError as error:
        raise CurrantError(
            f"the demo needs {error.name}, which is not installed here: pip install 'currant-lab[notebook,frames]'"
        ) from None
    done: int = demo.run()
    return done
