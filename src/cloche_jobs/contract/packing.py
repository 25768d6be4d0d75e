"""Writing ``model.tar.gz`` and ``output.tar.gz``.

Members are sorted and carry no owner, and the gzip header no time: the same folder packs to the same bytes as long
as the files' own times are the same. Everything streams; only regular files and folders are packed, links within
the folder become the files they point at and others are left out, as AWS's upload does not follow them either.
"""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

COMPRESSION_LEVEL: Final = 3
"""Boosters and arrays are nearly incompressible beyond this, and the time counts into every job."""


def is_empty(folder: Path) -> bool:
    """Whether there is nothing below ``folder`` to pack."""
    return next(files(folder), None) is None


def pack(target: Path, *folders: Path) -> int:
    """Write everything below ``folders`` to ``target``; the answer is the archive's size in bytes.

    Of a name that several folders have, the first folder's is taken. The archive appears under its own name only when
    it is whole. Raises ``OSError``.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as raw:
            with (
                gzip.GzipFile("", "wb", COMPRESSION_LEVEL, raw, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 16) as archive,
            ):
                for name, path in sorted(members(folders).items()):
                    _add(archive, path, name)
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def members(folders: Sequence[Path]) -> dict[str, Path]:
    """By name; nothing lies below what another folder has as a file."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in _entries(folder):
            name = path.relative_to(folder)
            above = (found.get(parent.as_posix()) for parent in name.parents)
            if name.as_posix() not in found and not any(taken is not None and not taken.is_dir() for taken in above):
                found[name.as_posix()] = path
    return found


def _entries(folder: Path) -> list[Path]:
    """Folders and files in sorted order; links are looked at once and never followed out of ``folder``."""
    root = folder.resolve()
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not (path.is_file() and path.resolve().is_relative_to(root)):
            continue
        if path.is_file() or (path.is_dir() and not path.is_symlink()):
            found.append(path)
    return found


def files(folder: Path) -> Iterator[Path]:
    """The files below ``folder`` that are packed."""
    return (path for path in _entries(folder) if path.is_file())


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    status = path.stat()
    member = tarfile.TarInfo(name)
    member.mtime = int(status.st_mtime)
    if path.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
        return
    member.size, member.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
    with path.open("rb") as stream:
        archive.addfile(member, stream)
