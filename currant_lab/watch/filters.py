"""Reads a filter line: what stands side by side must all hold; what stands between commas, one of it.

`status:failed,cancelled queue:mail job:fetch* age>5m attempt>1 batch:crawl-1 id:01934f2a pool:3 "text"`. A name may
hold `*` and `?`; in quotes it is meant letter by letter. What has no key is text to look for. See `criteria.Filter`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from currant_lab.status import Status
from currant_lab.watch.criteria import KEYS, Filter, FilterError, Pattern, span_of

__all__ = ["parse"]

_MAX_LENGTH = 1_000
_MAX_INTEGER = 2**31 - 1
_MAX_AGE_S = 100 * 365 * 86_400
_KEY = re.compile(r"([A-Za-z_]\w*)(>=|<=|[:<>=])")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r"[^\s,\"]+")
_WORD = re.compile(r"[^\s\"]+")
_HEX = re.compile(r"[0-9a-f]{1,32}")
_BOUNDS = ("age", "attempt")


class _Value(msgspec.Struct, frozen=True):
    text: str
    is_quoted: bool
    start: int
    end: int

    def wrong(self, what: str) -> FilterError:
        return FilterError(what, self.start, self.end)


class _Term(msgspec.Struct, frozen=True):
    """`key operator values`; a text has neither key nor operator."""

    key: str
    operator: str
    values: tuple[_Value, ...]
    start: int
    end: int

    @property
    def one(self) -> _Value:
        if len(self.values) > 1:
            raise self.values[1].wrong(f"{self.key} takes one value")
        return self.values[0]


def parse(line: str) -> Filter:
    """The filter that a line says; the empty line means all executions.

    Raises:
        FilterError: it makes no sense; an `InvalidArguments` that knows what is wrong and where.
    """
    _check(line)
    found: dict[str, Any] = {}
    words: list[str] = []
    for term in _terms(line):
        if not term.key:
            words += [value.text for value in term.values]
            continue
        for name, value in _READERS[term.key](term).items():
            if name in found:
                raise FilterError(f"{term.key} is there twice: put commas between its values", term.start, term.end)
            found[name] = value
    return Filter(**found, words=tuple(words))


def _check(line: str) -> None:
    if len(line) > _MAX_LENGTH:
        raise FilterError(f"a filter has at most {_MAX_LENGTH:,} characters", _MAX_LENGTH, len(line))
    for place, letter in enumerate(line):
        if letter == "\0" or "\ud800" <= letter <= "\udfff":
            raise FilterError("this character can't be looked for", place, place + 1)


def _terms(line: str) -> Iterator[_Term]:
    place = 0
    while place < len(line):
        if line[place].isspace():
            place += 1
            continue
        term = _term(line, place)
        if term.end < len(line) and not line[term.end].isspace():
            raise FilterError("a space is missing here", term.end, term.end + 1)
        yield term
        place = term.end


def _term(line: str, start: int) -> _Term:
    match = _KEY.match(line, start)
    if match is None:
        value = _value(line, start, "a word", _WORD)
        if value.text == "":
            raise value.wrong("there is no text in the quotes")
        return _Term("", "", (value,), start, value.end)
    key, operator = match[1].lower(), match[2]
    _check_key(line, match, key, operator)
    values = [_value(line, match.end(), f"a value for {key}")]
    while line[values[-1].end : values[-1].end + 1] == ",":
        values.append(_value(line, values[-1].end + 1, f"another value for {key}"))
    return _Term(key, operator, tuple(values), start, values[-1].end)


def _check_key(line: str, match: re.Match[str], key: str, operator: str) -> None:
    if key not in KEYS:
        advice = _close(key, KEYS) or f'there are {", ".join(KEYS)}; text with "{operator}" in it goes in quotes'
        raise FilterError(f"there is no key {match[1]!r}: {advice}", match.start(1), match.end(1))
    if operator not in (":", "=") and key not in _BOUNDS:
        raise FilterError(f"{key} can't be compared: write {key}:…", match.start(2), match.end(2))


def _value(line: str, start: int, wanted: str, bare: re.Pattern[str] = _BARE) -> _Value:
    if line[start : start + 1] == '"':
        match = _QUOTED.match(line, start)
        if match is None:
            raise FilterError("these quotes are not closed", start, len(line))
        return _Value(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL), True, start, match.end())
    match = bare.match(line, start)
    if match is None:
        raise FilterError(f"{wanted} is missing here", start, start + 1)
    return _Value(match[0], False, start, match.end())


def _statuses(term: _Term) -> dict[str, Any]:
    found: list[Status] = []
    for value in term.values:
        name = value.text.lower()
        if name not in list(Status):
            advice = _close(name, list(Status)) or f"there are {', '.join(Status)}"
            raise value.wrong(f"there is no status {value.text!r}: {advice}")
        if Status(name) not in found:
            found.append(Status(name))
    return {"statuses": tuple(found)}


def _patterns(name: str) -> Callable[[_Term], dict[str, Any]]:
    def read(term: _Term) -> dict[str, Any]:
        for value in term.values:
            if value.text == "":
                raise value.wrong(f"there is no {term.key} without a name")
        patterns = [
            Pattern(value.text, not value.is_quoted and any(letter in value.text for letter in "*?"))
            for value in term.values
        ]
        return {name: tuple(dict.fromkeys(patterns))}

    return read


def _batch(term: _Term) -> dict[str, Any]:
    if term.one.text == "":
        raise term.one.wrong("there is no batch without a name")
    return {"batch": term.one.text}


def _pool(term: _Term) -> dict[str, Any]:
    return {"pool": _whole(term.one, "a pool's number")}


def _id(term: _Term) -> dict[str, Any]:
    digits = term.one.text.lower().replace("-", "")
    if not _HEX.fullmatch(digits):
        raise term.one.wrong("an id, or its beginning, has up to 32 digits from 0 to 9 and a to f")
    return {"id": digits}


def _age(term: _Term) -> dict[str, Any]:
    seconds = span_of(term.one.text)
    if seconds is None:
        raise term.one.wrong(f"{term.one.text!r} is no span of time: write 90s, 5m, 12h, 30d or 2w")
    if seconds > _MAX_AGE_S:
        raise term.one.wrong("nothing is older than 100 years")
    if term.operator not in (">", "<", ">=", "<="):
        raise FilterError(f"an age is compared: write age>{term.one.text} or age<{term.one.text}", term.start, term.end)
    return {"older_s" if term.operator.startswith(">") else "younger_s": seconds}


def _attempt(term: _Term) -> dict[str, Any]:
    number = _whole(term.one, "a number of attempts")
    match term.operator:
        case ">" | ">=":
            return {"least_attempt": number + (term.operator == ">")}
        case "<" if number == 0:
            raise term.one.wrong("no number of attempts is below 0")
        case "<" | "<=":
            return {"most_attempt": number - (term.operator == "<")}
        case _:
            return {"least_attempt": number, "most_attempt": number}


def _whole(value: _Value, what: str) -> int:
    if not (value.text.isascii() and value.text.isdecimal()) or int(value.text) >= _MAX_INTEGER:
        raise value.wrong(f"{value.text!r} is not {what}")
    return int(value.text)


def _close(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]!s}?" if near else ""


_READERS: dict[str, Callable[[_Term], dict[str, Any]]] = {
    "status": _statuses,
    "queue": _patterns("queues"),
    "job": _patterns("jobs"),
    "error": _patterns("errors"),
    "batch": _batch,
    "pool": _pool,
    "id": _id,
    "age": _age,
    "attempt": _attempt,
}
