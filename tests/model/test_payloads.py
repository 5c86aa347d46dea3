"""Whatever is accepted comes back equal: through a real pool, from the arguments to the result and the logs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from currant_lab import NotStorable, job
from currant_lab.pool.pool import Pool
from tests.pool.conftest import start  # noqa: F401 - a fixture

anything = settings(
    max_examples=20, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

TEXTS = st.text(st.characters(exclude_categories=()), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=25,
)


@job
async def echo(value: Any) -> Any:
    return value


@job
def say(value: str) -> str:
    print(value)
    return value


@job
async def fail(value: str) -> None:
    raise ValueError(value)


@job
async def echo_bytes(value: bytes) -> bytes:
    return value


@pytest.fixture
def pool(start: Any) -> Pool:  # noqa: F811
    made: Pool = start(workers=16)
    return made


def equal(one: Any, other: Any) -> bool:
    """Equal, of the same kind, and not-a-number equal to itself."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@given(values=st.lists(JSON, min_size=1, max_size=20))
@anything
def test_json(pool: Pool, values: list[Any]) -> None:
    accepted = [value for value in values if is_accepted(value)]
    results = echo.map(accepted).results(20)
    for value, result in zip(accepted, results, strict=True):
        assert equal(value, result), (value, result)


def is_accepted(value: object) -> bool:
    """Refused ones are those with text that is no Unicode, and numbers of more than 64 bits."""
    try:
        echo.submit(value)
    except NotStorable:
        return False
    return True


@given(values=st.lists(st.binary(max_size=2_000), min_size=1, max_size=10))
@anything
def test_bytes(pool: Pool, values: list[bytes]) -> None:
    assert echo_bytes.map(values).results(20) == values


@given(text=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=200))
@anything
def test_text_in_results_logs_and_errors(pool: Pool, text: str) -> None:
    said, failed = say.submit(text), fail.submit(text)
    assert said.result(20) == text
    assert said.logs == text + "\n"
    failed.wait(20)
    assert failed.error is not None
    assert failed.error.message == text


def test_a_nul_is_refused_as_an_argument_and_shown_in_logs_and_errors(pool: Pool) -> None:
    with pytest.raises(NotStorable, match="NUL"):
        say.submit("a\0b")

    @job(name="nul")
    async def nul() -> None:
        print("a\0b")
        raise ValueError("c\0d")

    failed = nul.submit()
    failed.wait(20)
    assert "\0" not in failed.logs
    assert failed.logs[0] == "a"
    assert failed.logs[-2:] == "b\n"
    assert failed.error is not None
    assert failed.error.message[0] == "c"
