"""Packages: what is taken, what is refused, and that nothing is ever written outside their folder."""

from __future__ import annotations

import io
import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from cloche.engines.functions import packages as module
from cloche.engines.functions.packages import Packages
from cloche.foundation.errors import Invalid

LINK = stat.S_IFLNK | 0o777


def _zip(*members: tuple[str, bytes, int], method: int = zipfile.ZIP_STORED) -> bytes:
    """Members with their modes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # names that are there twice are meant
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = method
            archive.writestr(info, content)
    return buffer.getvalue()


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path / "kept", tmp_path / "merged")


def test_a_package_is_kept_once_and_unpacked(packages: Packages) -> None:
    zipped = _zip(("a/run.sh", b"#!", 0o755), ("b.py", b"x = 1", 0), ("c", b"b.py", LINK), ("d/", b"", 0))
    code = packages.add(zipped)
    assert packages.add(zipped) == code
    folder = packages.folder(code.name)
    assert (folder / "a/run.sh").stat().st_mode & 0o777 == 0o755
    assert (folder / "b.py").stat().st_mode & 0o777 == 0o644
    assert (folder / "c").read_bytes() == b"x = 1" and (folder / "d").is_dir()
    assert (code.zipped_bytes, packages.archive(code.name).read_bytes()) == (len(zipped), zipped)


@pytest.mark.parametrize(
    "members",
    [
        [("../out", b"x", 0)],
        [("/etc/out", b"x", 0)],
        [("a/../../out", b"x", 0)],
        [("..\\out", b"x", 0)],
        [("link", b"/etc/passwd", LINK)],
        [("a/link", b"../../out", LINK)],
        [("link", b"x" * 5000, LINK)],
        [("d", b"e", LINK), ("d/out", b"x", LINK)],
        [("a", b"x", 0), ("a/b", b"y", 0)],
        [("a", b"x", 0), ("a", b"y", 0)],
        [("x" * 300, b"x", 0)],
        [("e/up", b"..", LINK), ("aside", b"e/up/..", LINK), ("aside/out", b"x", LINK)],
    ],
)
def test_what_would_leave_its_folder_is_refused(
    packages: Packages, tmp_path: Path, members: list[tuple[str, bytes, int]]
) -> None:
    with pytest.raises(Invalid, match="Could not unzip uploaded file"):
        packages.add(_zip(*members))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept", "merged"]


def test_bombs_stop_at_the_limit(packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_MAX", 1_000_000)
    monkeypatch.setattr(module, "PIECE_BYTES", 10_000)
    bomb = _zip(("big", bytes(5_000_000), 0), method=zipfile.ZIP_DEFLATED)
    with pytest.raises(Invalid, match="Unzipped size must be smaller than"):
        packages.add(bomb)
    lying = bomb.replace((5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with pytest.raises(Invalid):
        packages.add(lying)
    monkeypatch.setattr(module, "MEMBERS_MAX", 3)
    with pytest.raises(Invalid, match="more than 3 members"):
        packages.add(_zip(*((str(n), b"", 0) for n in range(4))))
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("content", [b"not a zip", b"PK\x05\x06", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_zip_is_refused(packages: Packages, content: bytes) -> None:
    with pytest.raises(Invalid, match="Could not unzip"):
        packages.add(content)


def test_torn_and_changed_zips_are_refused(packages: Packages) -> None:
    whole = _zip(("a", os.urandom(500), 0), ("b", os.urandom(500), 0), method=zipfile.ZIP_DEFLATED)
    for at in range(0, len(whole), 17):
        changed = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            packages.add(changed)
        except Invalid:
            continue
        assert {path.name for path in packages.root.iterdir()}


def test_later_layers_lie_over_earlier_ones(packages: Packages) -> None:
    first = packages.add(_zip(("a", b"1", 0), ("b", b"1", 0)))
    second = packages.add(_zip(("b", b"2", 0), ("c", b"b", LINK)))
    merged = packages.layers([first.name, second.name])
    assert merged is not None
    assert [(merged / name).read_bytes() for name in "abc"] == [b"1", b"2", b"2"]
    assert packages.layers([first.name]) == packages.folder(first.name)
    assert packages.layers([]) is None


def test_what_nothing_needs_is_removed_at_the_next_start(packages: Packages, tmp_path: Path) -> None:
    kept, gone = packages.add(_zip(("a", b"1", 0))), packages.add(_zip(("a", b"2", 0)))
    packages.keep(lambda: {kept.name})
    assert packages.archive(gone.name).exists()  # a row may be about to name it
    later = Packages(tmp_path / "kept", tmp_path / "merged")
    later.keep(lambda: {kept.name})
    assert not later.archive(gone.name).exists() and not (later.root / gone.name).exists()
    assert later.archive(kept.name).exists()
