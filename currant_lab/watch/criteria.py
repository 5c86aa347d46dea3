"""Which executions are meant, as a value: what a filter line such as `status:failed job:fetch* age>5m "text"` says.

What stands side by side must all hold; what stands between commas, one of it. A name may hold `*` and `?`; in quotes
it is meant letter by letter. A word without a key is looked for in what the execution says (see `Filter.words`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from currant_lab.errors import InvalidArguments
from currant_lab.status import Status

__all__ = ["EXAMPLES", "KEYS", "Filter", "FilterError", "Pattern", "quoted", "span_of"]

KEYS = ("status", "queue", "job", "error", "batch", "pool", "id", "age", "attempt")
"""The keys that a line may use."""

EXAMPLES = (
    ("status:failed,cancelled", "what did not succeed"),
    ("job:fetch*", "a job by its function's name, or by its whole name"),
    ("queue:mail age>5m", "in this queue, and submitted more than five minutes ago"),
    ("attempt>1", "on its second attempt or a later one"),
    ("error:*Timeout", "whose last attempt ended with such an exception"),
    ("batch:crawl-1", "of a batch, by its name or number"),
    ("pool:3", "held by a pool now, or last"),
    ("id:01934f2a", "whose id begins so"),
    ('"connection reset"', "with this text in its name, arguments, error, log or progress"),
)
"""(line, what it finds): shown to who asks for help."""

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,10}(?:\.\d{1,6})?)\s*(min|[smhdw])")
_PLAIN = re.compile(r"[^\s\",\\:<>=*?]+")


class FilterError(InvalidArguments):
    """A filter line that makes no sense.

    Attributes:
        what: what is wrong, and what would be right.
        start: where in the line the wrong part begins, counted from 0.
        end: where it ends.
    """

    def __init__(self, what: str, start: int, end: int) -> None:
        super().__init__(f"{what} (at character {start + 1})")
        self.what = what
        self.start = start
        self.end = end


class Pattern(msgspec.Struct, frozen=True):
    """A name, or with `is_glob` one with `*` (anything) and `?` (one character) in it."""

    text: str
    is_glob: bool = False

    def regex(self, *, own_name: bool = False) -> str:
        """A regular expression, alike in PostgreSQL and Python, for the whole of a name.

        Args:
            own_name: what follows a name's last colon or dot may match in its place.
        """
        whole = "".join(self._letter(letter, ".") for letter in self.text)
        if not own_name:
            return f"^{whole}$"
        tail = "".join(self._letter(letter, "[^:.]") for letter in self.text)
        return f"^(?:{whole}|.*[:.]{tail})$"

    def line(self) -> str:
        """As it stands in a filter line."""
        return self.text if self.is_glob or _PLAIN.fullmatch(self.text) else quoted(self.text)

    def _letter(self, letter: str, any: str) -> str:
        if self.is_glob and letter in "*?":
            return f"{any}*" if letter == "*" else any
        return letter if letter.isalnum() or letter == "_" else f"\\{letter}"


class Filter(msgspec.Struct, frozen=True):
    """Which executions are meant; what is empty or None excludes none.

    Attributes:
        statuses: one of these.
        queues: its queue is one of these.
        jobs: its job's name, or its function's, is one of these.
        errors: the type of its last attempt's exception, with or without the module's name, is one of these.
        batch: the name of its batch, or its number; `#7` is always the number.
        pool: the pool that holds it, or held it last.
        id: hexadecimal digits its id begins with.
        older_s: submitted longer ago than this, by the database's clock.
        younger_s: submitted less long ago.
        least_attempt: its attempt is at least this.
        most_attempt: its attempt is at most this.
        words: all these are somewhere in its job's name, queue, progress note or error, or in the first 4 kB of its
            arguments or logs. Whether letters are large or small matters only outside of ASCII.
    """

    statuses: tuple[Status, ...] = ()
    queues: tuple[Pattern, ...] = ()
    jobs: tuple[Pattern, ...] = ()
    errors: tuple[Pattern, ...] = ()
    batch: str | None = None
    pool: int | None = None
    id: str | None = None
    older_s: float | None = None
    younger_s: float | None = None
    least_attempt: int | None = None
    most_attempt: int | None = None
    words: tuple[str, ...] = ()

    def line(self) -> str:
        """The line that says the same: `parse(filter.line()) == filter`."""
        terms = [_listed("status", self.statuses)]
        terms += [
            _listed(key, [pattern.line() for pattern in patterns])
            for key, patterns in (("queue", self.queues), ("job", self.jobs), ("error", self.errors))
        ]
        terms += [
            "" if self.batch is None else f"batch:{Pattern(self.batch).line()}",
            "" if self.pool is None else f"pool:{self.pool}",
            "" if self.id is None else f"id:{self.id}",
            "" if self.older_s is None else f"age>{_span_text(self.older_s)}",
            "" if self.younger_s is None else f"age<{_span_text(self.younger_s)}",
            *self._attempts(),
            *map(quoted, self.words),
        ]
        return " ".join(filter(None, terms))

    def only(self, *statuses: Status) -> Filter | None:
        """The same filter for no other statuses than these; None when nothing can be left."""
        left = tuple(status for status in statuses if not self.statuses or status in self.statuses)
        return msgspec.structs.replace(self, statuses=left) if left else None

    def _attempts(self) -> Sequence[str]:
        if self.least_attempt is not None and self.least_attempt == self.most_attempt:
            return (f"attempt:{self.least_attempt}",)
        return (
            "" if self.least_attempt is None else f"attempt>={self.least_attempt}",
            "" if self.most_attempt is None else f"attempt<={self.most_attempt}",
        )


def span_of(text: str) -> float | None:
    """The seconds of a span as `90s`, `5m`, `1.5h`, `30d` or `2w`; None if it is none."""
    match = _SPAN.fullmatch(text.strip().lower())
    return None if match is None else round(float(match[1]) * _UNITS[match[2]], 6)


def quoted(text: str) -> str:
    """Text as it stands in a filter line, in quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(key: str, values: Sequence[str]) -> str:
    return f"{key}:{','.join(values)}" if values else ""


def _span_text(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
