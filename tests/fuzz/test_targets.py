"""The fuzz targets in every run: briefly, by Hypothesis, with seeds that are nearly right."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

PIECES = {
    "url": b"postgresql:// postgres: u:p@ [::1] :5432 , /db ?sslmode= host=%2ftmp & %zz".split(),
    "event": b'{"v":1,"pool":1 ,"queues":{"a":{ "claims":1 "wait_us":[[ 1,2] ] } }} , 1e400 -1 "batches":[{'.split(),
    "value": [
        *(b"\x01", b"\x00\x00\x00\x20", b"\x93NUMPY"),
        *b'{"value":[null],"parts":[{"at":[0], "kind":"numpy.ndarray","size": 7}]} [ ] {"*": }'.split(),
    ],
    "filter": [b" ", *b'status: failed queue: job: * age> 5m " \\ - attempt>= 999999999999999999999999999999'.split()],
}


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_anything_at_all_is_answered(name: str) -> None:
    pieces = st.lists(st.one_of(st.sampled_from(PIECES[name]), st.binary(max_size=12)), max_size=12).map(b"".join)

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @example(b"")
    @example(b"[" * 50_000)
    @given(pieces)
    def feed(data: bytes) -> None:
        TARGETS[name](data)

    feed()
