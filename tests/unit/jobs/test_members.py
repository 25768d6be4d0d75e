"""A look at an archive's headers tells of too many members before one is made, and never of too many that are not."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path

import pytest

from cloche_jobs.contract.members import CHUNK_BYTES, has_more_members, has_too_many
from cloche_jobs.contract.unpacking import ArchiveRefused, Limits, unpack


def many(count: int, form: int, size: int = 0) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"{'long' * (60 if number % 50 == 0 else 1)}/{number}")
            member.size = size
            if number % 7 == 0:
                member.type, member.size, member.linkname = tarfile.SYMTYPE, 0, "l" * 150
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return packed.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("size", [0, 1, 512, 3000])
def test_the_look_counts_as_a_reader_does(form: int, size: int) -> None:
    if form == tarfile.USTAR_FORMAT:
        plain = tarfile.TarInfo("a")
        content = b"".join(plain.tobuf(form) for _ in range(700))
    else:
        content = many(700, form, size)
    assert has_more_members(io.BytesIO(content).read, 699)
    assert not has_more_members(io.BytesIO(content).read, 700)
    uneven = io.BytesIO(content)
    assert has_more_members(lambda _: uneven.read(random.Random(1).randint(1, 1000)), 699)


def test_a_large_member_ends_the_look(tmp_path: Path) -> None:
    """An archive of a few large files is not read twice."""
    path = tmp_path / "large.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("a", "b", "c"):
            member = tarfile.TarInfo(name)
            member.size = 3 * CHUNK_BYTES
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    read = 0

    with path.open("rb") as file:

        def counted(size: int) -> bytes:
            nonlocal read
            read += size
            return file.read(size)

        assert not has_more_members(counted, 2)
    assert read == CHUNK_BYTES


NONE = {
    "empty": b"",
    "short": b"x" * 100,
    "text": b"x" * 10_000,
    "noise": random.Random(2).randbytes(5000),
    "zeros": bytes(4096),
    "cut": gzip.compress(b"x" * 600)[:-9],
}


@pytest.mark.parametrize("kind", NONE)
def test_what_is_no_archive_has_none_too_many(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(NONE[kind])
    assert not has_too_many(tmp_path / "a", 0)


def test_too_many_are_refused_before_the_first_is_made(tmp_path: Path) -> None:
    path = tmp_path / "many.tar.gz"
    path.write_bytes(gzip.compress(many(300, tarfile.PAX_FORMAT), 1))
    with pytest.raises(ArchiveRefused, match="more than 299 members"):
        unpack(path, tmp_path / "out", limits=Limits(members=299))
    assert list((tmp_path / "out").iterdir()) == []
    unpack(path, tmp_path / "whole", limits=Limits(members=300))
