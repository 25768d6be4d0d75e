"""Writing ``model.tar.gz`` and ``output.tar.gz``.

Members are sorted and carry no owner, and the gzip header no time: the same folder packs to the same bytes as long
as the files' own times are the same. Everything streams; only regular files and folders are packed, links within
the folder become the files they point at and others are left out, as AWS's upload does not follow them either.
"""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

COMPRESSION_LEVEL: Final = 3
"""Boosters and arrays are nearly incompressible beyond this, and the time counts into every job."""


def is_empty(folder: Path) -> bool:
    """Whether there is nothing below ``folder`` to pack."""
    return next(files(folder), None) is None


def pack(folder: Path, target: Path) -> int:
    """Write everything below ``folder`` to ``target``; the answer is the archive's size in bytes.

    The archive appears under its name only when it is whole. Raises ``OSError``.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as raw:
            with (
                gzip.GzipFile("", "wb", COMPRESSION_LEVEL, raw, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 16) as archive,
            ):
                for path in _entries(folder):
                    _add(archive, path, path.relative_to(folder).as_posix())
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target.stat().st_size


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
