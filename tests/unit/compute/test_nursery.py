"""What becomes of runners that cannot begin."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloche.compute.local.nursery import Nursery
from cloche.compute.local.sandbox import compiled_runner, runner_command


@pytest.fixture
def nursery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    """One that was started in ``here``."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    nursery = Nursery(runner_command(compiled_runner(tmp_path / "runner"), "nursery"))
    yield nursery
    nursery.close()


def ended(nursery: Nursery, folder: Path) -> None:
    """A runner of that folder, which ends at once."""
    nothing = os.open(os.devnull, os.O_RDWR)
    pid = nursery.runner("run", folder, nothing, nothing)
    os.close(nothing)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_what_goes_wrong_is_told_in_the_folder(nursery: Nursery, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    ended(nursery, tmp_path / "folder")
    assert "FileNotFoundError" in (tmp_path / "folder" / "trouble").read_text(), "there is no spec"
    assert os.listdir() == []


def test_without_its_folder_nothing_is_told_anywhere(nursery: Nursery, tmp_path: Path) -> None:
    ended(nursery, tmp_path / "missing")
    assert os.listdir() == []
    assert sorted(os.listdir(tmp_path)) == ["here", "runner"]
