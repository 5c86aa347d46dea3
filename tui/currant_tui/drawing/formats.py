"""Numbers as a person reads them at a glance: few digits, a fixed width, always a unit where one is needed."""

from __future__ import annotations

import math

__all__ = ["age", "count", "micros", "rate", "share", "size"]

_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def count(number: float | None, exact: bool = True) -> str:
    """A count: 987, 1,204, 34.1k, 2.5M; with ~ before it when it isn't exact, – when unknown."""
    if number is None:
        return "–"
    mark = "" if exact else "~"
    if abs(number) < 10_000:
        return f"{mark}{number:,.0f}"
    for step, unit in _STEPS:
        if abs(number) >= step * 0.9995:
            scaled = number / step
            return f"{mark}{scaled:.0f}{unit}" if scaled >= 99.95 else f"{mark}{scaled:.1f}{unit}"
    return f"{mark}{number:,.0f}"


def rate(per_second: float | None) -> str:
    """Events a second: 0, 0.3, 12, 1,204, 39.6k; – when unknown."""
    if per_second is None or math.isnan(per_second):
        return "–"
    if per_second < 0.05:
        return "0"
    return f"{per_second:.1f}" if per_second < 10 else count(per_second)


def share(part: float | None) -> str:
    """A share of one as percent: 0 %, 0.2 %, 12 %; – when unknown."""
    if part is None or math.isnan(part):
        return "–"
    percent = part * 100
    if 0 < percent < 9.95:
        return "<0.1 %" if percent < 0.05 else f"{percent:.1f} %"
    return f"{percent:.0f} %"


def micros(microseconds: float | None) -> str:
    """A latency: 870µs, 1.2ms, 45ms, 3.1s, 2m; – when unknown."""
    if microseconds is None or math.isnan(microseconds):
        return "–"
    if microseconds < 999.5:
        return f"{microseconds:.0f}µs"
    millis = microseconds / 1e3
    if millis < 999.5:
        return f"{millis:.1f}ms" if millis < 9.95 else f"{millis:.0f}ms"
    seconds = millis / 1e3
    return f"{seconds:.1f}s" if seconds < 9.95 else age(seconds)


def age(seconds: float | None) -> str:
    """A span of time: 0s, 59s, 12m, 3h, 2h05m when there is room for it no more than two units; – when unknown."""
    if seconds is None or math.isnan(seconds):
        return "–"
    whole = int(max(seconds, 0))
    if whole < 100:
        return f"{whole}s"
    minutes, seconds_left = divmod(whole, 60)
    if minutes < 100:
        return f"{minutes}m" if minutes >= 10 else f"{minutes}m{seconds_left:02}"
    hours, minutes_left = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h" if hours >= 10 else f"{hours}h{minutes_left:02}"
    return f"{hours // 24}d"


def size(number: int | None) -> str:
    """Bytes: 512 B, 8.0 kB, 1.2 GB; – when unknown."""
    if number is None:
        return "–"
    scaled = float(number)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if scaled < 999.5 or unit == "TB":
            break
        scaled /= 1_000
    return f"{scaled:.0f} {unit}" if unit == "B" or scaled >= 99.5 else f"{scaled:.1f} {unit}"
