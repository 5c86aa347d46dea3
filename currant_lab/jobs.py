"""What a job is: a function, its name, its policy, its source; and the registry of those this process can run."""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from currant_lab.errors import InvalidArguments

__all__ = [
    "MAX_NAME",
    "Backoff",
    "JobSpec",
    "Policy",
    "Registry",
    "cell_name",
    "check_name",
    "registry",
    "session_of_cell",
    "version_of_cell",
]

MAX_NAME = 200
"""Characters a job or queue name may have: a wake-up carries it, and people read it in tables."""

_SMALLINT = range(-32768, 32768)
_MAX_RETRIES = 32767


class Backoff(msgspec.Struct, frozen=True):
    """How long to wait before a retry: `base * factor ** (failures - 1)` seconds, at most `maximum`,
    each time shortened or lengthened at random by up to the share `jitter`."""

    base: float = 1.0
    factor: float = 2.0
    maximum: float = 300.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        for name in ("base", "maximum"):
            _check_number(name, getattr(self, name), low=0.0)
        _check_number("factor", self.factor, low=1.0)
        _check_number("jitter", self.jitter, low=0.0, high=1.0)

    def delay(self, failures: int) -> float:
        """Seconds to wait after the attempt that made it `failures` failures, counted from 1."""
        import random  # 2 ms of the import, and only a retry needs it

        try:
            wait = min(self.maximum, self.base * float(self.factor) ** (failures - 1))
        except OverflowError:  # as 2.0 ** 1100
            wait = self.maximum if self.base else 0.0
        return wait * (1 + self.jitter * random.uniform(-1, 1))  # noqa: S311 - spreads retries, guards nothing


class Policy(msgspec.Struct, frozen=True):
    """Where an execution waits and how it is retried: a job's defaults, or those of one submit."""

    queue: str = "default"
    priority: int = 0
    retries: int = 0
    backoff: Backoff = msgspec.field(default_factory=Backoff)
    timeout: float | None = None

    def __post_init__(self) -> None:
        check_name("queue", self.queue)
        _check_int("priority", self.priority, _SMALLINT)
        _check_int("retries", self.retries, range(_MAX_RETRIES + 1))
        if self.timeout is not None:
            _check_number("timeout", self.timeout, low=0.0)
            if self.timeout == 0:
                raise InvalidArguments("timeout is in seconds and greater than 0; None means no limit")

    def changed(self, **options: Any) -> Policy:
        """This policy with some fields replaced. `backoff` may be a number of seconds.

        Raises:
            InvalidArguments: an unknown option, or a value out of range.
        """
        unknown = set(options) - {"queue", "priority", "retries", "backoff", "timeout"}
        if unknown:
            raise InvalidArguments(f"no such option: {', '.join(sorted(unknown))}")
        if isinstance(options.get("backoff"), int | float):
            options["backoff"] = Backoff(base=options["backoff"], factor=1.0)
        elif not isinstance(options.get("backoff", Backoff()), Backoff):
            raise InvalidArguments(f"backoff is seconds or Backoff(...), not {options['backoff']!r}")
        return replace(self, **options)

    def row_options(self, base: Policy) -> str | None:
        """The JSON for `executions.options`: timeout and backoff where they differ from `base`, the job's own."""
        differing: dict[str, object] = {}
        if self.timeout != base.timeout:
            differing["timeout"] = self.timeout
        if self.backoff != base.backoff:
            differing["backoff"] = asdict(self.backoff)
        return msgspec.json.encode(differing).decode() if differing else None

    def of_row(self, retries: int | None, options: str | None) -> Policy:
        """This policy, a job's own, as changed by an execution's `retries` and `options` columns.

        Raises:
            InvalidArguments: the row holds options that no submit would have written.
        """
        if options is None and (retries is None or retries == self.retries):
            return self
        changes: dict[str, Any] = {} if retries is None else {"retries": retries}
        if options is not None:
            try:
                row = msgspec.json.decode(options)
                if "timeout" in row:
                    changes["timeout"] = row["timeout"]
                if "backoff" in row:
                    changes["backoff"] = Backoff(**row["backoff"])
            except (TypeError, ValueError, msgspec.MsgspecError) as error:
                raise InvalidArguments(f"the row's options are not Currant's: {error}") from None
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, eq=False)
class JobSpec:
    """One version of a job's function with its policy.

    `given_name` is what `@job(name=...)` said. Without it the name is `module:function`, where a function
    from a notebook cell or a script takes the registry's namespace for its module. `given_source` is the text
    to keep for a function that Currant has made of it. `is_workflow`: its function is called again and again, and its
    steps are on record.
    """

    function: Callable[..., Any]
    policy: Policy
    given_name: str | None = None
    given_source: str | None = None
    is_workflow: bool = False
    signature: inspect.Signature = field(init=False)
    is_async: bool = field(init=False)
    source: str = field(init=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InvalidArguments(f"@job wants a function, not {self.function!r}")
        if inspect.isgeneratorfunction(self.function) or inspect.isasyncgenfunction(self.function):
            raise InvalidArguments(f"{self.function.__qualname__} is a generator: a job returns its result")
        if self.given_name is not None:
            check_name("job", self.given_name)
        import hashlib

        source = _source(self.function) if self.given_source is None else self.given_source
        set_ = object.__setattr__
        set_(self, "signature", inspect.signature(self.function))
        set_(self, "is_async", inspect.iscoroutinefunction(inspect.unwrap(self.function)))
        set_(self, "source", source)
        set_(self, "version", hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:12])

    @property
    def is_local(self) -> bool:
        """Whether its module is the running notebook or script, so that its name takes the namespace."""
        return self.given_name is None and self.function.__module__ == "__main__"

    def name_in(self, namespace: str) -> str:
        """The job's full name where `namespace` stands for the notebook or script."""
        if self.given_name is not None:
            return self.given_name
        module = namespace if self.is_local else self.function.__module__
        return f"{module}:{self.function.__qualname__}"


class Registry:
    """The jobs this process can run, by full name. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._specs: dict[str, JobSpec] = {}
        self._namespace = _default_namespace()
        self._listeners: list[Callable[[], None]] = []

    @property
    def namespace(self) -> str:
        """What stands for `__main__` in the names of jobs: the notebook's or the script's own name."""
        return self._namespace

    def set_namespace(self, namespace: str) -> None:
        """Rename the jobs of this notebook or script."""
        check_name("name", namespace)
        with self._lock:
            self._namespace = namespace
            specs = list(self._specs.values())
            self._specs = {spec.name_in(namespace): spec for spec in specs}
        self._changed()

    def add(self, spec: JobSpec) -> JobSpec | None:
        """Register `spec` for the next start of its name; returns the version it replaces, if it differs."""
        with self._lock:
            name = spec.name_in(self._namespace)
            check_name("job", name)
            before = self._specs.get(name)
            self._specs[name] = spec
        if before is None:
            self._changed()
        return before if before is not None and before.version != spec.version else None

    def get(self, name: str) -> JobSpec | None:
        """The newest version of the job of that full name, if this process has it."""
        return self._specs.get(name)

    def name_of(self, spec: JobSpec) -> str:
        """The full name of `spec` in this process."""
        return spec.name_in(self._namespace)

    def names(self) -> list[str]:
        """The full names of all jobs, sorted."""
        return sorted(self._specs)

    def specs(self) -> Mapping[str, JobSpec]:
        """A copy of the whole registry."""
        return dict(self._specs)

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever a name appears or changes; returns the function that stops it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def after_fork(self) -> None:
        """In a forked child: keep the jobs, forget the parent's pool, and its lock, which nobody may let go of."""
        self._lock = threading.Lock()
        self._listeners.clear()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _changed(self) -> None:
        for listener in tuple(self._listeners):
            listener()


def check_name(what: str, name: object) -> str:
    """Return `name` if it can name a job or a queue: 1 to 200 characters, no control characters.

    Raises:
        InvalidArguments: it can't; the message says why.
    """
    if not isinstance(name, str):
        raise InvalidArguments(f"{what} is a string, not {type(name).__name__}")
    if not name:
        raise InvalidArguments(f"{what} is empty")
    if len(name) > MAX_NAME:
        raise InvalidArguments(f"{what} has {len(name)} characters; at most {MAX_NAME} are allowed")
    if not name.isprintable():
        raise InvalidArguments(f"{what} {name[:40]!r} contains control or unprintable characters")
    return name


def cell_name(namespace: str, session: str, version: str) -> str:
    """The name of a `%%currant` cell as a job: of one notebook, one session of its kernel, and one text."""
    return f"{namespace[:100]}:cell-{version}@{session}"


def version_of_cell(job: str) -> str | None:
    """Which text a `%%currant` cell has, from its name; None for every other job."""
    return _cell_parts(job)[0]


def session_of_cell(job: str) -> str | None:
    """Which session of a kernel a `%%currant` cell belongs to; None for every other job."""
    return _cell_parts(job)[1]


def _cell_parts(job: str) -> tuple[str, str] | tuple[None, None]:
    version, at, session = job.rpartition(":cell-")[2].partition("@")
    if ":cell-" in job and at and len(version) == 12 and len(session) == 8 and (version + session).isalnum():
        return version, session
    return None, None


def _default_namespace() -> str:
    """The stem of the running script, else `main`; a notebook sets its own name when it starts a pool."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    stem = os.path.splitext(os.path.basename(path))[0] if path else ""  # noqa: PTH119, PTH122 - pathlib takes 5 ms
    return stem if stem and stem.isprintable() and len(stem) <= MAX_NAME else "main"


def _source(function: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # typed at a plain prompt, or a callable object
        code = getattr(function, "__code__", None)
        return f"# no source\n# {code.co_code.hex() if code else repr(type(function))}\n"


def _check_int(name: str, value: object, allowed: range) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArguments(f"{name} is a whole number, not {value!r}")
    if value not in allowed:
        raise InvalidArguments(f"{name} is between {allowed.start} and {allowed.stop - 1}, not {value}")


def _check_number(name: str, value: object, *, low: float, high: float = float("inf")) -> None:
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not low <= value <= high
        or value == float("inf")
    ):
        bound = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
        raise InvalidArguments(f"{name} is a finite number, {bound}, not {value!r}")


registry = Registry()
"""The jobs of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=registry.after_fork)
