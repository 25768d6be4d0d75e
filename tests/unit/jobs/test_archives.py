"""Archives from outside: everything hostile is refused by name, and nothing appears outside the folder."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from cloche_jobs.contract.packing import is_empty, pack
from cloche_jobs.contract.unpacking import ArchiveRefused, Limits, unpack


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if data else None)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=kind, linkname=target)


HOSTILE: dict[str, tuple[list[tuple[tarfile.TarInfo, bytes]], str]] = {
    "parent": ([member("../escaped", b"x")], "leaves its folder"),
    "hidden parent": ([member("a/../../escaped", b"x")], "leaves its folder"),
    "absolute": ([member("/escaped", b"x")], "absolute name"),
    "link out": ([link("a", "../escaped")], "link that leaves"),
    "absolute link": ([link("a", "/etc/passwd")], "link that leaves"),
    "link by way of a link": (
        [member("d/e", type=tarfile.DIRTYPE), link("s", "d/e"), link("t", "s/../../x")],
        "leaves",
    ),
    "written through a link": (
        [member("d", type=tarfile.DIRTYPE), link("s", "d"), member("s/x", b"x")],
        "through a link",
    ),
    "hard link out": ([link("a", "../escaped", tarfile.LNKTYPE)], "link that leaves"),
    "hard link to nothing": ([link("a", "b", tarfile.LNKTYPE)], "nothing it holds"),
    "device": ([member("a", type=tarfile.CHRTYPE)], "device or pipe"),
    "pipe": ([member("a", type=tarfile.FIFOTYPE)], "device or pipe"),
    "long name": ([member("n" * 300, b"x")], "no file can have"),
    "very long name": ([member("n/" * 5000, b"x")], "no file can have"),
    "file and folder": ([member("a", b"x"), member("a/b", b"x")], "file and a folder"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_members_are_refused(kind: str, tmp_path: Path) -> None:
    members, sentence = HOSTILE[kind]
    folder = tmp_path / "in" / "side"
    with pytest.raises(ArchiveRefused, match=sentence) as refused:
        unpack(archive(tmp_path / "a.tar.gz", *members), folder, label="sourcedir.tar.gz")
    assert refused.value.message.startswith("sourcedir.tar.gz ")
    assert len(refused.value.message) < 500
    outside = [path for path in tmp_path.rglob("*") if not path.is_relative_to(folder)]
    assert {path.name for path in outside} == {"a.tar.gz", "in"}


BOMBS: dict[str, tuple[Callable[[Path], Path], Limits, str]] = {
    "bytes": (lambda p: archive(p, member("a", bytes(3_000_000))), Limits(bytes=1_000_000), "more than 1000000 bytes"),
    "ratio": (
        lambda p: archive(p, member("a", bytes(3_000_000))),
        Limits(ratio=10, ratio_free_bytes=100_000),
        "10 times its size",
    ),
    "members": (
        lambda p: archive(p, *(member(f"f{n}") for n in range(50))),
        Limits(members=20),
        "more than 20 members",
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_stop_at_the_limit(kind: str, tmp_path: Path) -> None:
    make, limits, sentence = BOMBS[kind]
    with pytest.raises(ArchiveRefused, match=sentence):
        unpack(make(tmp_path / "a.tar.gz"), tmp_path / "out", limits=limits)
    written = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert written <= 3_000_000


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_headers_are_not_read_into_memory_whatever_they_say(kind: bytes, tmp_path: Path) -> None:
    """``tarfile`` would read 64 MiB here, and 64 GiB in a larger bomb of the kind."""
    header, _ = member("x", type=kind)
    header.size = 64 << 20
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(header.size), 1))
    tracemalloc.start()
    with pytest.raises(ArchiveRefused, match="headers far longer"):
        unpack(bomb, tmp_path / "in")
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 8 << 20


def test_headers_that_describe_headers_end_somewhere(tmp_path: Path) -> None:
    """Each would be read within the reading of the last: the stack would end first."""
    chain = tmp_path / "chain.tar"
    chain.write_bytes(member("x", type=tarfile.XGLTYPE)[0].tobuf() * 3_000)
    with pytest.raises(ArchiveRefused, match="headers far longer"):
        unpack(chain, tmp_path / "in")


def test_a_size_below_zero_and_a_file_without_a_name(tmp_path: Path) -> None:
    header, _ = member("x")
    header.size = -512
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ArchiveRefused, match="negative size"):
        unpack(tmp_path / "a.tar", tmp_path / "in")
    with pytest.raises(ArchiveRefused, match="without a name"):
        unpack(archive(tmp_path / "b.tar.gz", member(".", b"x" * 600)), tmp_path / "in")


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    whole = archive(tmp_path / "whole", member("a", bytes(range(256)) * 500)).read_bytes()
    for name, data in {"text": b"hello", "empty": b"", "cut": whole[:80], "gz": gzip.compress(b"no tar" * 300)}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ArchiveRefused, match=f"{name} is not a readable tar archive"):
            unpack(tmp_path / name, tmp_path / "out")


def test_owners_and_bits_are_dropped_and_links_inside_stay(tmp_path: Path) -> None:
    made = archive(
        tmp_path / "a.tar.gz",
        member("./bin/run", b"x", mode=0o4755, uid=12345),
        member("data/file", b"y", mode=0o600),
        link("bin/again", "../data/file"),
        link("copy", "data/file", tarfile.LNKTYPE),
    )
    folder = tmp_path / "out"
    assert unpack(made, folder) == 2
    assert (folder / "bin" / "run").stat().st_mode & 0o7777 == 0o755
    assert (folder / "data" / "file").stat().st_mode & 0o7777 == 0o644
    assert (folder / "bin" / "again").read_bytes() == b"y"
    assert (folder / "copy").samefile(folder / "data" / "file")


def test_packing_is_the_reverse_and_repeatable(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "deep" / "er").mkdir(parents=True)
    assert is_empty(folder)
    (folder / "deep" / "er" / "ünïcode").write_bytes(bytes(range(256)))
    (folder / "a").write_text("a")
    (folder / "inside").symlink_to("a")
    (folder / "outside").symlink_to("/etc/hostname")
    assert not is_empty(folder)
    size = pack(tmp_path / "one.tar.gz", folder)
    pack(tmp_path / "two.tar.gz", folder)
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()
    assert size == (tmp_path / "one.tar.gz").stat().st_size
    unpack(tmp_path / "one.tar.gz", tmp_path / "back")
    found = {path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*")}
    assert found == {"a", "deep", "deep/er", "deep/er/ünïcode", "inside"}
    assert (tmp_path / "back" / "inside").read_text() == "a"
    assert not (tmp_path / "back" / "inside").is_symlink()
