"""The stub beside the binary says what is in it; `make check` compares the two with stubtest."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from currant_lab import _native

STUB = Path(_native.__file__).with_name("_native.pyi")


def test_the_stub_lists_what_the_module_exports() -> None:
    (listed,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert _native.__all__ == listed
    assert all(hasattr(_native, name) for name in listed)


@pytest.mark.parametrize("name", ["Claimed", "Engine", "Listener", "News", "Stats"])
def test_nobody_makes_one_by_hand(name: str) -> None:
    kind = getattr(_native, name)
    with pytest.raises(TypeError):
        kind()
    assert kind.__module__ == "currant_lab._native"
