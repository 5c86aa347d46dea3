"""Jobs before any database: names, policies, backoff, versions, the registry."""

from __future__ import annotations

import functools
import json
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from currant_lab import job
from currant_lab.errors import InvalidArguments
from currant_lab.jobs import MAX_NAME, Backoff, JobSpec, Policy, Registry, check_name

POLICY = Policy()


def fetch(url: str) -> str:
    return url


async def afetch(url: str) -> str:
    return url


@pytest.mark.parametrize("name", ["a", "ü", "it's", 'say "hi"', "a b", "🎉", "x" * MAX_NAME, "日本", "'; DROP --"])
def test_names_that_do(name: str) -> None:
    assert check_name("queue", name) == name
    assert JobSpec(fetch, POLICY, name).name_in("lab") == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        ("x" * (MAX_NAME + 1), "201 characters; at most 200"),
        ("x" * 1_000, "1000 characters"),
        ("a\nb", "control"),
        ("a\tb", "control"),
        ("a\0", "control"),
        ("\ud83c", "control"),
        ("\u202e", "control"),
        (b"a", "not bytes"),
        (None, "not NoneType"),
    ],
)
def test_names_that_don_t(name: Any, why: str) -> None:
    with pytest.raises(InvalidArguments, match=f"queue.*{why}") as caught:
        check_name("queue", name)
    str(caught.value).encode()
    assert isinstance(caught.value, TypeError)


@given(st.text(max_size=300))
def test_a_name_is_taken_as_it_is_or_refused(name: str) -> None:
    try:
        assert check_name("queue", name) == name
    except InvalidArguments as error:
        str(error).encode()
    else:
        assert 0 < len(name.encode()) <= 4 * MAX_NAME
        assert name.isprintable()


@pytest.mark.parametrize(
    "options",
    [
        {"priority": -32769},
        {"priority": 32768},
        {"priority": 0.0},
        {"priority": True},
        {"priority": None},
        {"retries": -1},
        {"retries": 32768},
        {"retries": "3"},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("inf")},
        {"timeout": float("nan")},
        {"timeout": "1"},
        {"timeout": True},
        {"queue": ""},
        {"backoff": -1},
        {"backoff": float("nan")},
        {"backoff": float("inf")},
        {"backoff": "1"},
        {"backoff": True},
        {"backoff": None},
    ],
)
def test_policies_without_a_meaning_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments, match=next(iter(options)) if "backoff" not in options else "backoff|base"):
        POLICY.changed(**options)


@pytest.mark.parametrize(
    "fields", [{"base": -1}, {"factor": 0.5}, {"jitter": 2}, {"jitter": -0.1}, {"maximum": float("inf")}, {"base": "1"}]
)
def test_backoffs_without_a_meaning_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments, match=next(iter(fields))):
        Backoff(**fields)


def test_backoff_doubles_up_to_its_maximum() -> None:
    plain = Backoff(jitter=0)
    assert [plain.delay(n) for n in (1, 2, 3, 9, 10, 11, 5_000, 32_768)] == [1, 2, 4, 256, 300, 300, 300, 300]
    assert POLICY.changed(backoff=7).backoff.delay(1) == pytest.approx(7, rel=0.1)
    assert Backoff(base=3, factor=1, jitter=0).delay(50) == 3


@given(
    st.floats(0, 1e12),
    st.floats(1, 1e300) | st.integers(1, 10**300),
    st.floats(0, 1e9),
    st.floats(0, 1),
    st.integers(1, 40_000),
)
def test_any_backoff_gives_a_wait_that_can_be_kept(
    base: float, factor: float, maximum: float, jitter: float, failures: int
) -> None:
    wait = Backoff(base, factor, maximum, jitter).delay(failures)
    assert 0 <= wait <= maximum * (1 + jitter)


def test_jitter_spreads_evenly_around_the_wait() -> None:
    waits = [Backoff(base=10, jitter=0.5).delay(1) for _ in range(2_000)]
    assert min(waits) >= 5
    assert max(waits) <= 15
    assert statistics.mean(waits) == pytest.approx(10, abs=0.5)  # 8 standard errors
    assert len(set(waits)) > 1_900


def test_row_options_hold_what_differs_and_come_back() -> None:
    own = Policy(timeout=5, retries=2)
    assert own.row_options(own) is None
    other = own.changed(timeout=None, backoff=Backoff(base=2, factor=3))
    row = other.row_options(own)
    assert row is not None
    assert set(json.loads(row)) == {"timeout", "backoff"}
    assert own.of_row(None, row) == other
    assert own.of_row(7, None).retries == 7
    assert own.of_row(2, None) is own


@pytest.mark.parametrize(
    "row",
    ["[", "3", "null", '"timeout"', '{"timeout": -1}', '{"timeout": "x"}', '{"backoff": 3}', '{"backoff": {"x": 1}}'],
)
def test_rows_of_others_are_refused_not_run_without_their_options(row: str) -> None:
    with pytest.raises(InvalidArguments):
        POLICY.of_row(None, row)


def test_what_is_no_job_is_refused() -> None:
    def generates() -> Any:
        yield 1

    async def generates_too() -> Any:
        yield 1

    for wrong in (3, None, "fetch", generates, generates_too):
        with pytest.raises(InvalidArguments):
            JobSpec(wrong, POLICY)  # type: ignore[arg-type]


def test_a_job_from_here_takes_the_namespace_and_one_from_a_module_its_module() -> None:
    spec = JobSpec(fetch, POLICY)
    assert spec.name_in("lab") == f"{__name__}:fetch"
    local = JobSpec(functools.wraps(fetch)(lambda url: url), POLICY)
    local.function.__module__ = "__main__"
    assert local.name_in("lab") == "lab:fetch"
    assert (spec.is_async, JobSpec(afetch, POLICY).is_async) == (False, True)


def test_a_version_is_that_of_the_source() -> None:
    def one() -> int:
        return 1

    first, again = JobSpec(one, POLICY), JobSpec(one, Policy(retries=2))

    def one() -> int:  # type: ignore[no-redef]
        return 2

    assert first.version == again.version != JobSpec(one, POLICY).version
    assert len(first.version) == 12


def test_the_registry_has_the_newest_and_tells_of_new_names() -> None:
    registry, told = Registry(), []
    forget = registry.on_change(lambda: told.append(registry.names()))

    def one() -> int:
        return 1

    first = JobSpec(one, POLICY, "one")

    def one() -> int:  # type: ignore[no-redef]
        return 2

    second = JobSpec(one, POLICY, "one")
    assert registry.add(first) is None
    assert registry.add(first) is None
    assert registry.add(second) is first
    assert registry.get("one") is second
    assert told == [["one"]]
    registry.set_namespace("other")
    assert (registry.namespace, told) == ("other", [["one"], ["one"]])
    forget()
    registry.add(JobSpec(one, POLICY, "two"))
    assert (list(registry), len(told), set(registry.specs())) == (["one", "two"], 2, {"one", "two"})
    with pytest.raises(InvalidArguments):
        registry.set_namespace("")


def test_a_plain_call_touches_nothing() -> None:
    @job(retries=3)
    def add(a: int, b: int = 2) -> int:
        """Add them."""
        return a + b

    assert add(1) == 3
    assert (add.__name__, add.__doc__) == ("add", "Add them.")
    assert "add" in repr(add)
