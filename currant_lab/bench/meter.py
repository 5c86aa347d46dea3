"""What is read before and after a run: processor time by thread, and the server's own counters."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["Reading", "cpu_here", "machine", "peak_memory_mb", "read"]

_TICK = os.sysconf("SC_CLK_TCK")
_ENGINE = "currant-engine"


class Reading(msgspec.Struct, frozen=True):
    """Counters at one moment. CPU in seconds; None where the server is elsewhere or doesn't tell."""

    transactions: int | None
    wal_bytes: int | None
    postgres_s: float | None


def cpu_here() -> tuple[float, float]:
    """(Python, Rust) seconds of this process: the engine's threads are known by their name, the rest is Python's."""
    rust = 0.0
    for task in Path("/proc/self/task").iterdir():
        try:
            if (task / "comm").read_text().strip() == _ENGINE:
                rust += _running_seconds(task)
        except OSError:  # it has just ended
            continue
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return max(usage.ru_utime + usage.ru_stime - rust, 0.0), rust


def peak_memory_mb() -> float:
    """The most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def read(database: Any) -> Reading:
    """The server's counters, by its own views and, where it runs on this host, by /proc."""
    row = await database.fetchrow("bench_counters")
    return Reading(row["transactions"], row["wal_bytes"], _server_seconds(row["pid"]))


def _server_seconds(backend: int) -> float | None:
    """Processor time of the whole server: its postmaster, the children that live, and those that have ended."""
    try:
        stat = Path(f"/proc/{backend}/stat").read_text()
        if "postgres" not in stat[: stat.rindex(")")]:
            return None  # another machine's number, which is somebody else's here
        postmaster = int(stat[stat.rindex(")") + 2 :].split()[1])
        own = Path(f"/proc/{postmaster}/stat").read_text()
        if "postgres" not in own[: own.rindex(")")]:
            return None
        total = _seconds(own, ended_children=True)
        total += sum(_child_seconds(path.parent, postmaster) for path in Path("/proc").glob("[0-9]*/stat"))
    except (OSError, ValueError):
        return None
    return total


def _child_seconds(process: Path, parent: int) -> float:
    try:
        stat = (process / "stat").read_text()
        return _running_seconds(process) if int(stat[stat.rindex(")") + 2 :].split()[1]) == parent else 0.0
    except OSError:  # it has just ended, and counts among the ended
        return 0.0


def _running_seconds(task: Path) -> float:
    """Of a process with one thread, or of one thread: by the scheduler's nanoseconds where it keeps them, since a short
    run is few of the clock's ticks."""
    try:
        return int((task / "schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        return _seconds((task / "stat").read_text())


def _seconds(stat: str, *, ended_children: bool = False) -> float:
    fields = stat[stat.rindex(")") + 2 :].split()
    return sum(map(int, fields[11 : 15 if ended_children else 13])) / _TICK


async def machine(database: Any) -> dict[str, Any]:
    """Where it ran: cores, memory, versions, and the settings that decide about speed."""
    from currant_lab.version import __version__

    settings = {row["name"]: row["setting"] for row in await database.fetch("bench_settings")}
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "currant_lab": __version__,
        "postgresql": settings.pop("server_version", "?"),
        "settings": settings,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
