"""Kernels of older ipykernels: a small environment for each, with the package's own site-packages behind its own."""

from __future__ import annotations

import fcntl
import site
import subprocess
import sys
from pathlib import Path

VERSIONS = ("6.31", "7.1", "newest")
_HOME = Path(sys.prefix) / "kernels"


def python_of(version: str) -> str:
    """The interpreter with this ipykernel; its environment is made at first use (under a second, and a download)."""
    if version == "newest":
        return sys.executable
    home = _HOME / version
    python = home / "bin/python"
    _HOME.mkdir(exist_ok=True)
    with (_HOME / f"{version}.lock").open("w") as lock:  # other test processes may want it at the same moment
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".made").exists():
            uv = Path(sys.prefix) / "bin/uv"
            packages = [f"ipykernel=={version}.*", "nest-asyncio==1.6.0"]
            subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, home], check=True)
            subprocess.run([uv, "pip", "install", "-q", "--python", python, "--no-deps", *packages], check=True)
            own = next((home / "lib").glob("python*/site-packages"))
            (own / "behind.pth").write_text(f"import site; site.addsitedir({site.getsitepackages()[0]!r})\n")
            (home / ".made").touch()
    return str(python)
