"""Where torch is taken from: the machine's own places if they have it, else PyTorch's index, which uv knows."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import pytest

from cloche.compute.images import torch_source
from cloche.compute.images.interpreter import find_uv


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a wheel of something called torch, which pip's configuration names."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "torch-2.13.0+cpu-py3-none-any.whl", "w") as archive:
        about = "torch-2.13.0+cpu.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0+cpu\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "pip").mkdir(parents=True)
    (tmp_path / "config" / "pip" / "pip.conf").write_text(f"[global]\nfind-links = {folder}\n")
    return folder


def options(lock: Path) -> tuple[str, ...]:
    uv = find_uv()
    assert uv is not None
    return torch_source.options(uv, sys.executable, lock)


def test_the_machines_own_wheel_is_taken_where_its_hash_is_right(place: Path, tmp_path: Path) -> None:
    (wheel,) = place.iterdir()
    lock = tmp_path / "torch.txt"
    lock.write_text(f"torch==2.13.0+cpu --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    assert options(lock) == ("--find-links", str(place))
    lock.write_text(f"torch==2.12.0+cpu --hash=sha256:{'0' * 64}\n")
    assert options(lock) == torch_source.FROM_PYTORCH


def test_without_such_a_place_uv_asks_pytorch(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    lock = tmp_path / "torch.txt"
    lock.write_text(f"torch==2.13.0+cpu --hash=sha256:{'0' * 64}\n")
    assert options(lock) == torch_source.FROM_PYTORCH
