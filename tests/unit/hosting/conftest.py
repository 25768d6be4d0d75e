"""The world of hosting's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hosting_world import World

from cloche.engines.hosting import round as rounds


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(rounds, "LEAVING_SECONDS_MIN", 0.1)
    made = World(tmp_path)
    yield made
    made.end()
