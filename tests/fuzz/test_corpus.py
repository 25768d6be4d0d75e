"""Every kept input of every harness, once more: what was found stays mended. No fuzzer is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py"))


@pytest.fixture(scope="module")
def harness() -> Iterator[Callable[[str], Callable[[bytes], None]]]:
    sys.path.insert(0, str(HERE))

    def load(target: str) -> Callable[[bytes], None]:
        one: Callable[[bytes], None] = import_module(f"fuzz_{target}").one
        return one

    yield load
    sys.path.remove(str(HERE))


@pytest.mark.parametrize("target", TARGETS)
def test_replay(harness: Callable[[str], Callable[[bytes], None]], target: str) -> None:
    one = harness(target)
    inputs = sorted((HERE / "corpus" / target).iterdir())
    assert len(inputs) >= 3, "a corpus"
    for path in inputs:
        one(path.read_bytes())
    for made in (b"", b"\x00", bytes(range(256)), b"\x00" * 1_000, b"\xff" * 1_000):
        one(made)


def test_each_corpus_has_a_harness_and_stays_small() -> None:
    folders = {path.name for path in (HERE / "corpus").iterdir()}
    assert folders == set(TARGETS)
    assert sum(path.stat().st_size for path in HERE.glob("corpus/*/*")) < 1 << 20
