"""When what ended jobs left is removed."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import pytest

from cloche.jobs import cleaning
from cloche.jobs.cleaning import Cleaner

LONG = 3600.0


class Removals:
    """In place of a compute backend: it only tells what is to be forgotten."""

    def __init__(self) -> None:
        self.files: queue.Queue[str] = queue.Queue()
        self.credentials: queue.Queue[str] = queue.Queue()

    def forget(self, process: str) -> None:
        self.files.put(process)


@pytest.mark.parametrize(("rest", "most"), [(0.0, LONG), (LONG, 0.0)])
def test_files_go_once_no_job_ends_any_more_or_at_their_own_last_moment(
    rest: float, most: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "REST_SECONDS", rest)
    monkeypatch.setattr(cleaning, "REST_SECONDS_MAX", most)
    removals: Any = Removals()
    cleaner = Cleaner("x-", tmp_path, removals, removals.credentials.put)
    for number in range(3):
        cleaner.later(f"x-{number}")
    assert [removals.files.get(timeout=60) for _ in range(3)] == ["x-0", "x-1", "x-2"]
    cleaner.close()


def test_credentials_go_at_once_and_the_rest_at_the_latest_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "REST_SECONDS", LONG)
    monkeypatch.setattr(cleaning, "REST_SECONDS_MAX", LONG)
    removals: Any = Removals()
    (tmp_path / "x-0" / "ml").mkdir(parents=True)
    cleaner = Cleaner("x-", tmp_path, removals, removals.credentials.put)
    cleaner.later("x-0")
    assert removals.credentials.get(timeout=60) == "x-0"
    assert removals.files.empty()
    assert (tmp_path / "x-0").exists()
    cleaner.close()
    assert removals.files.get(timeout=60) == "x-0"
    assert not (tmp_path / "x-0").exists()
