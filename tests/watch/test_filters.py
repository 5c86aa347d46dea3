"""The filter line: what it says, what is refused and where, and that it can be written again."""

from __future__ import annotations

import fnmatch
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.errors import InvalidArguments
from currant_lab.status import Status
from currant_lab.watch.criteria import EXAMPLES, KEYS, Filter, FilterError, Pattern
from currant_lab.watch.filters import parse

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=30)
GLOBS = st.text(string.ascii_letters + "*?.:_-é", min_size=1, max_size=20).filter(lambda text: set(text) & set("*?"))
PATTERNS = st.one_of(st.builds(Pattern, NAMES), st.builds(Pattern, GLOBS, st.just(True)))
LISTS = st.lists(PATTERNS, max_size=3, unique=True).map(tuple)
SPANS = st.none() | st.floats(0, 3e9).map(lambda seconds: round(seconds, 6))
COUNTS = st.none() | st.integers(0, 1000)
FILTERS = st.builds(
    Filter,
    statuses=st.lists(st.sampled_from(Status), unique=True).map(tuple),
    queues=LISTS, jobs=LISTS, errors=LISTS, batch=st.none() | NAMES, pool=COUNTS,
    id=st.none() | st.text("0123456789abcdef", min_size=1, max_size=32),
    older_s=SPANS, younger_s=SPANS, least_attempt=COUNTS, most_attempt=COUNTS,
    words=st.lists(NAMES, max_size=3).map(tuple),
)  # fmt: skip


@given(FILTERS)
def test_a_filter_is_written_and_read_again(wanted: Filter) -> None:
    line = wanted.line()
    if len(line) <= 1_000:
        assert parse(line) == wanted


@given(st.one_of(st.text(), st.text(string.ascii_letters + '":,<>=* \\'), st.sampled_from(KEYS).flatmap(
    lambda key: st.text('":,<>=*? 5mhé\\').map(lambda rest: key + rest))))  # fmt: skip
def test_any_line_is_read_or_refused_with_a_place(line: str) -> None:
    found = _read(line)
    if isinstance(found, Filter):
        assert len(found.line()) > 1_000 or parse(found.line()) == found
        return
    assert 0 <= found.start < found.end
    assert found.start <= len(line)
    assert f"at character {found.start + 1}" in str(found)
    assert isinstance(found, InvalidArguments)


def _read(line: str) -> Filter | FilterError:
    try:
        return parse(line)
    except FilterError as error:
        return error


@given(GLOBS, st.text(string.ascii_letters + ".:_-é\n", max_size=20))
def test_a_glob_means_what_it_means_in_a_shell(glob: str, name: str) -> None:
    found = re.search(Pattern(glob, True).regex(), name, re.DOTALL)
    assert bool(found) == fnmatch.fnmatchcase(name, glob)


@given(NAMES, NAMES)
def test_a_name_in_quotes_means_itself(name: str, other: str) -> None:
    assert re.search(Pattern(name).regex(), name, re.DOTALL)
    if other != name and other.rstrip("\n") != name:
        assert not re.search(Pattern(name).regex(), other, re.DOTALL)


@pytest.mark.parametrize("name", ["fetch", "nb:fetch", "my.module:fetch", "a.b.fetch"])
def test_a_job_goes_by_its_functions_name_too(name: str) -> None:
    for text in ("fetch", "fe*", "f?tch", name):
        assert re.search(Pattern(text, "*" in text or "?" in text).regex(own_name=True), name)
    for text in ("etch", "fe", "x*"):
        assert not re.search(Pattern(text, "*" in text).regex(own_name=True), name)


def test_all_keys_at_once() -> None:
    line = 'status:failed,running queue:mail job:fetch* error:"a,b" batch:crawl-1 pool:3 id:0190-AB age>5m age<2d'
    assert parse(f'{line} attempt>1 attempt<=4 word "two words" a,b') == Filter(
        statuses=(Status.FAILED, Status.RUNNING), queues=(Pattern("mail"),), jobs=(Pattern("fetch*", True),),
        errors=(Pattern("a,b"),), batch="crawl-1", pool=3, id="0190ab", older_s=300, younger_s=172_800,
        least_attempt=2, most_attempt=4, words=("word", "two words", "a,b"),
    )  # fmt: skip
    assert parse("  \t ") == Filter()
    for example, _ in EXAMPLES:
        assert parse(example) != Filter()


@pytest.mark.parametrize(
    ("line", "what", "wrong"),
    [
        ("job:a status:faild", "there is no status 'faild': did you mean failed?", "faild"),
        ("status:xyzzy", "there is no status 'xyzzy': there are scheduled, waiting", "xyzzy"),
        ("stauts:failed", "there is no key 'stauts': did you mean status?", "stauts"),
        ("see http://x", "text with \":\" in it goes in quotes", "http"),
        ("queue>mail", "queue can't be compared: write queue:…", ">"),
        ("age:5m", "an age is compared: write age>5m or age<5m", "age:5m"),
        ("age>5 parsecs", "'5' is no span of time: write 90s, 5m", "5"),
        ("age>9999999999w", "nothing is older than 100 years", "9999999999w"),
        ("attempt>many", "'many' is not a number of attempts", "many"),
        ("attempt<0", "no number of attempts is below 0", "0"),
        ("pool:3,4", "pool takes one value", "4"),
        ("pool:²", "'²' is not a pool's number", "²"),
        ("id:xyz", "up to 32 digits", "xyz"),
        ("job:a job:b", "job is there twice: put commas between its values", "job:b"),
        ('job:"a', "these quotes are not closed", '"a'),
        ('job:"a"b', "a space is missing here", "b"),
        ('""', "there is no text in the quotes", '""'),
        ('queue:""', "there is no queue without a name", '""'),
        ("a\0b", "can't be looked for", "\0"),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where(line: str, what: str, wrong: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(line)
    assert what in caught.value.what
    assert line[caught.value.start : caught.value.end] == wrong


@pytest.mark.parametrize(
    ("line", "what"), [("job:", "a value for job is missing"), ("job:a,", "another value for job")]
)
def test_what_is_missing_at_the_end(line: str, what: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(line)
    assert what in caught.value.what
    assert caught.value.start == len(line)


def test_only_some_statuses() -> None:
    assert parse("status:failed,running").only(Status.FAILED, Status.CANCELLED) == parse("status:failed")
    assert parse("").only(Status.FAILED) == parse("status:failed")
    assert parse("status:running").only(Status.FAILED) is None
