"""A report in words: the same rows for a terminal, a notebook and a page."""

from __future__ import annotations

from collections.abc import Sequence

from currant_lab.bench.plan import Latency, Plan, Report

__all__ = ["LATENCY_COLUMNS", "command", "facts", "latencies", "milliseconds", "surroundings", "title"]

LATENCY_COLUMNS = ("", "p50", "p95", "p99", "p99.9", "max")

_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def title(report: Report) -> str:
    """What ran, and how fast, in a line."""
    plan = report.plan
    kind = "sync" if plan.sync else "async"
    work = f"{kind} no-op" if not plan.is_shaped else kind
    pools = f" in each of {plan.pools} pools" if plan.pools > 1 else ""
    return f"{report.jobs:,} {work} jobs, {plan.workers} workers{pools}: {report.per_second:,.0f} jobs/s end to end"


def command(plan: Plan) -> str:
    """The words that run a plan again."""
    words = ["currant bench", f"--workers {plan.workers}"]
    if plan.duration_s is None:
        words.append(f"--jobs {plan.jobs}")
    else:
        words.append(f"--duration {plan.duration_s:g}s")
    usual = Plan()
    others = {
        "--warmup-percent": (plan.warmup_percent, usual.warmup_percent),
        "--payload-size": (plan.payload_size, usual.payload_size),
        "--result-size": (plan.result_size, usual.result_size),
        "--job-time": (plan.job_time_ms, usual.job_time_ms),
        "--queues": (",".join(plan.queues), ",".join(usual.queues)),
        "--producers": (plan.producers, usual.producers),
        "--pools": (plan.pools, usual.pools),
        "--enqueue": (plan.enqueue, usual.enqueue),
    }
    for flag, (value, default) in others.items():
        if value != default:
            words.append(f"{flag} {value:g}" if isinstance(value, float) else f"{flag} {value}")
    return " ".join([*words, *(["--sync"] if plan.sync else []), *([] if plan.floor else ["--no-floor"])])


def facts(report: Report) -> list[tuple[str, str]]:
    """Label and value of all figures but the latencies."""
    costs, claims = report.costs, report.claims
    said = [
        ("end to end", f"{report.per_second:,.0f}/s  ({report.seconds:.3f} s, first submit to last settle)"),
        ("results in hand", f"{report.jobs / report.results_seconds:,.0f}/s  ({report.results_seconds:.3f} s)"),
        ("submitted", f"{report.submitted_per_second:,.0f}/s"),
    ]
    if report.floor is not None:
        bare = f"{report.floor.per_second:,.0f}/s  (this run is {report.floor.ratio:.2f} of them)"
        said.append(("the bare statements", bare))
    said += [
        ("claims", f"{claims.claims:,}, {claims.empty:,} of them empty; {claims.mean:,.1f} jobs each on average"),
        ("claims by size", _sizes(claims.histogram)),
        *([("given back unstarted", f"{report.released:,}, and claimed again")] if report.released else []),
        ("statements per job", f"{costs.statements:.4f}"),
        ("transactions per job", _or_hidden(costs.transactions, "{:.4f}")),
        ("WAL per job", _or_hidden(costs.wal_bytes, "{:,.0f} B")),
        ("CPU per job", _cpu(report)),
        ("peak memory", f"{costs.peak_memory_mb:,.0f} MB"),
        ("check", f"each of {report.jobs:,} executions settled once, with its own result"),
    ]
    return said


def latencies(report: Report) -> list[tuple[str, ...]]:
    """A row for the wait and one for the run, to go below `LATENCY_COLUMNS`."""
    return [("wait", *_quantiles(report.wait_ms)), ("run", *_quantiles(report.run_ms))]


def surroundings(report: Report) -> list[tuple[str, str]]:
    """Label and value of the machine, the versions and the server's settings."""
    said = {name: value for name, value in report.machine.items() if name != "settings"}
    shown = [
        ("machine", f"{said['cores']} cores of {said['processor']}, {said['memory_gb']} GB, {said['system']}"),
        ("versions", f"Currant Lab {said['currant_lab']}, Python {said['python']}, PostgreSQL {said['postgresql']}"),
    ]
    durable: list[str] = []
    others: list[str] = []
    for name, value in report.machine["settings"].items():
        (durable if name in _DURABLE else others).append(f"{name} {value}")
    return [*shown, ("durability", ", ".join(durable)), ("server", ", ".join(others))]


def milliseconds(value: float) -> str:
    """A latency in the unit that suits it."""
    if value < 1:
        return f"{value * 1e3:.0f} µs"
    return f"{value:.1f} ms" if value < 1_000 else f"{value / 1e3:.2f} s"


def _quantiles(latency: Latency) -> Sequence[str]:
    return [milliseconds(v) for v in (latency.p50, latency.p95, latency.p99, latency.p999, latency.maximum)]


def _sizes(histogram: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{_at_most(size)}: {count:,}" for size, count in histogram) or "none"


def _at_most(size: int) -> str:
    return f"≤ {size:,}" if size else "none"


def _or_hidden(value: float | None, form: str) -> str:
    return "this server doesn't tell" if value is None else form.format(value)


def _cpu(report: Report) -> str:
    costs = report.costs
    parts = [f"Python {costs.python_us:.1f}", f"Rust {costs.rust_us:.1f}"]
    if costs.postgres_us is None:
        return " + ".join(parts) + " µs; PostgreSQL is on another machine"
    whole = costs.python_us + costs.rust_us + costs.postgres_us
    return " + ".join([*parts, f"PostgreSQL {costs.postgres_us:.1f}"]) + f" = {whole:.1f} µs"
