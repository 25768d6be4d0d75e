"""The mark of folders whose subfolders lie apart."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from cloche.foundation.apart import keep_apart


def _attributes(folder: Path) -> str:
    return subprocess.run(["lsattr", "-d", str(folder)], check=True, capture_output=True, text=True).stdout.split()[0]


def test_a_folder_is_marked_and_keeps_its_other_attributes(tmp_path: Path) -> None:
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)], check=True, capture_output=True, text=True).stdout
    if not kind.startswith("ext") or shutil.which("lsattr") is None:
        pytest.skip(f"only ext4 has the mark, and lsattr shows it: this is {kind.strip()}")
    subprocess.run(["chattr", "+A", str(tmp_path)], check=True)
    before = _attributes(tmp_path)
    keep_apart(tmp_path)
    keep_apart(tmp_path)
    assert set(_attributes(tmp_path)) - set(before) == {"T"}
    assert "A" in _attributes(tmp_path)


def test_where_there_is_no_such_mark_nothing_happens(tmp_path: Path) -> None:
    keep_apart(tmp_path / "missing")
    keep_apart(Path("/proc"))
