"""``cloche doctor`` tells what is so on this machine, with nothing running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloche.compute.local import examination
from cloche.compute.local.sandbox import bubblewrap


def doctor(data: Path, **environment: str) -> tuple[int, dict[str, list[str]]]:
    ran = subprocess.run(
        [sys.executable, "-m", "cloche.cli.main", "doctor", "--data", str(data)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    assert ran.stderr == ""
    lines = [line.split("\t") for line in ran.stdout.splitlines()]
    return ran.returncode, {line[1]: [line[0], *line[2:]] for line in lines}


def test_with_a_sandbox(tmp_path: Path) -> None:
    if bubblewrap() is None:
        pytest.skip("NOT TESTED: there is no bubblewrap that works here")
    code, found = doctor(tmp_path / "data")
    assert found["bubblewrap"][0] == "ok"
    assert "bubblewrap 0." in found["bubblewrap"][1]
    assert "shares this machine's network" in found["network"][1]
    assert code == (1 if any(line[0] == "missing" for line in found.values()) else 0)
    assert not (tmp_path / "data").exists()
    for state, _, advice in found.values():
        assert state in ("ok", "limited", "missing")
        assert advice or state == "ok"


def test_without_one(tmp_path: Path) -> None:
    code, found = doctor(tmp_path, PATH=str(tmp_path))
    assert code == 1
    assert found["bubblewrap"][0] == "missing"
    assert "can read your files" in found["bubblewrap"][1]
    assert "apt install bubblewrap" in found["bubblewrap"][2]
    assert "network" not in found


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 1 << 20

    def usage(path: Any) -> Full:
        return Full()

    monkeypatch.setattr(examination.shutil, "disk_usage", usage)
    found = {each.subject: each for each in examination.examine(tmp_path / "not" / "there")}
    assert found["disk"].state == "limited"
    assert "free some" in found["disk"].advice
