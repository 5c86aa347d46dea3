"""Latencies in log buckets: how far off a percentile may be, and that merging loses nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from currant_lab.latency import Histogram, bucket_of, bucket_range

latencies = st.integers(0, 2**40)


@given(latencies)
def test_a_value_lies_in_its_bucket_and_a_bucket_is_narrow(value: int) -> None:
    low, high = bucket_range(bucket_of(value))
    assert low <= value < high
    assert (high - low) * 16 <= max(low, 16)


def test_buckets_follow_each_other_without_a_gap() -> None:
    edge = 0
    for bucket in range(600):
        low, high = bucket_range(bucket)
        assert low == edge
        assert bucket_of(low) == bucket_of(high - 1) == bucket
        edge = high
    assert bucket_of(-5) == 0


@given(st.lists(latencies, min_size=1, max_size=300), st.floats(0, 1))
def test_a_percentile_is_at_most_a_thirty_second_off(values: list[int], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    exact = sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
    assert abs(histogram.quantile(share) - exact) <= exact / 32


@given(st.lists(st.lists(latencies, max_size=50), max_size=5))
def test_merged_histograms_are_the_histogram_of_all(parts: list[list[int]]) -> None:
    whole, merged = Histogram(), Histogram()
    for part in parts:
        one = Histogram()
        for value in part:
            one.record(value)
            whole.record(value)
        before = one.counts()
        merged = merged + one
        assert one.counts() == before
    assert merged == whole
    assert len(merged) == sum(map(len, parts))
    assert Histogram(whole.counts()) == whole


def test_an_empty_one_has_no_percentile() -> None:
    assert math.isnan(Histogram().quantile(0.5))
    assert len(Histogram()) == 0
    assert "Histogram of 0" in repr(Histogram())


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100), (0, 1)])
def test_known_percentiles(share: float, expected: int) -> None:
    histogram = Histogram()
    for value in range(1, 101):
        histogram.record(value)
    assert histogram.quantile(share) == pytest.approx(expected, rel=1 / 32)
