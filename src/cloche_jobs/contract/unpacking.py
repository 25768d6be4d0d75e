"""Opening archives that users hand in, as if every one were hostile.

What is refused, by name: absolute names, ``..``, links of either kind that point outside the folder or through
another link, devices, pipes, names too long for the file system, more members, more bytes or a higher ratio than
the limits allow, headers that would fill the memory. Nothing is written outside ``folder``; owners, set-user-id bits
and foreign times are dropped. The archive is read once, streaming: a bomb is stopped at the limit, not after it.
What was written before a refusal stays in ``folder``, which the caller throws away.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

from cloche_jobs.contract.failure import UserError
from cloche_jobs.contract.members import has_too_many

_CHUNK: Final = 1 << 20
_NAME_BYTES_MAX: Final = 4_096
# Headers that only describe the next one (long names, PAX records) are read into memory whole, and each is read
# within the reading of the last: a member has two or three of some hundred bytes.
_EXTENDED: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_EXTENDED_BYTES_MAX: Final = 1 << 20
_EXTENDED_BYTES_IN_ALL_MAX: Final = 64 << 20
_EXTENDED_IN_A_ROW_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what an archive may unpack to; ``ratio`` counts beyond the first ``ratio_free_bytes``."""

    bytes: int = 20 * 1024**3
    ratio: int = 200
    members: int = 100_000
    ratio_free_bytes: int = 64 * 1024**2


class ArchiveRefused(UserError):
    """The archive is not one, or would do harm; the message names it, the member and the rule."""


def unpack(archive: Path, folder: Path, *, limits: Limits | None = None, label: str | None = None) -> int:
    """Unpack ``archive`` (tar, plain or gzip, bzip2, xz) into ``folder``; the answer is the number of bytes written.

    ``label`` is what messages call the archive. Raises ``ArchiveRefused`` and ``OSError``.
    """
    limits = limits or Limits()
    name = label or archive.name
    folder.mkdir(parents=True, exist_ok=True)
    work = _Unpacking(name, folder, limits, max(1, archive.stat().st_size))
    if has_too_many(archive, limits.members):
        raise ArchiveRefused(f"{name} has more than {limits.members} members")
    try:
        header = _bounded_header(name)
        with archive.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|*", tarinfo=header) as tar:
            for member in tar:
                work.take(tar, member)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ArchiveRefused(f"{name} is not a readable tar archive: {error}") from error
    except OSError as error:
        if error.errno is None:  # gzip's own "not a gzipped file", "CRC check failed"
            raise ArchiveRefused(f"{name} is not a readable tar archive: {error}") from error
        raise
    return work.bytes


def _bounded_header(name: str) -> type[tarfile.TarInfo]:
    """What a header of this one archive may be. ``tarfile`` itself believes any size."""

    class Header(tarfile.TarInfo):
        in_a_row = 0
        bytes_in_all = 0

        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
            made = super().frombuf(buf, encoding, errors)
            if made.size < 0:
                raise ArchiveRefused(f"{name} holds a member of negative size")
            if made.type not in _EXTENDED:
                cls.in_a_row = 0
                return made
            cls.in_a_row += 1
            cls.bytes_in_all += made.size
            if (
                made.size > _EXTENDED_BYTES_MAX
                or cls.bytes_in_all > _EXTENDED_BYTES_IN_ALL_MAX
                or cls.in_a_row > _EXTENDED_IN_A_ROW_MAX
            ):
                raise ArchiveRefused(f"{name} holds headers far longer than any name or attribute needs")
            return made

    return Header


class _Unpacking:
    def __init__(self, name: str, folder: Path, limits: Limits, packed_bytes: int) -> None:
        self.name, self.folder, self.limits, self.packed_bytes = name, folder, limits, packed_bytes
        self.bytes = 0
        self.members = 0

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise ArchiveRefused(f"{self.name} has more than {self.limits.members} members")
        parts = self.checked_parts(member.name)
        if not parts:
            if member.size:
                raise ArchiveRefused(f"{self.name} holds a file without a name")
            return
        target = self.folder.joinpath(*parts)
        self.make_folder(parts[:-1], member.name)
        if member.isdir():
            self.make_folder(parts, member.name)
        elif member.isreg():
            self.count(member)
            with self.create(target, member) as stream:
                self.copy(tar.extractfile(member), stream)
        elif member.issym() or member.islnk():
            self.link(target, parts, member)
        else:
            raise ArchiveRefused(f"{self.name} holds a device or pipe: {_shown(member.name)}")

    def checked_parts(self, name: str) -> tuple[str, ...]:
        if "\0" in name or len(name.encode("utf-8", "surrogateescape")) > _NAME_BYTES_MAX:
            raise ArchiveRefused(f"{self.name} holds a name that no file can have: {_shown(name)}")
        path = PurePosixPath(name)
        if path.is_absolute():
            raise ArchiveRefused(f"{self.name} holds an absolute name: {_shown(name)}")
        if ".." in path.parts:
            raise ArchiveRefused(f"{self.name} holds a name that leaves its folder: {_shown(name)}")
        if any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in path.parts):
            raise ArchiveRefused(f"{self.name} holds a name that no file can have: {_shown(name)}")
        return path.parts

    def make_folder(self, parts: tuple[str, ...], name: str) -> None:
        """Make the folders on the way, none of which may be a link: a file is never written through one."""
        path = self.folder
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise ArchiveRefused(f"{self.name} writes through a link: {_shown(name)}")
            try:
                path.mkdir(exist_ok=True)
            except FileExistsError:
                raise ArchiveRefused(f"{self.name} holds a file and a folder of one name: {_shown(name)}") from None

    def create(self, target: Path, member: tarfile.TarInfo) -> IO[bytes]:
        if target.is_dir() and not target.is_symlink():
            raise ArchiveRefused(f"{self.name} holds a file and a folder of one name: {_shown(member.name)}")
        target.unlink(missing_ok=True)
        mode = 0o755 if member.mode & 0o100 else 0o644
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        return os.fdopen(descriptor, "wb")

    def count(self, member: tarfile.TarInfo) -> None:
        if self.bytes + member.size > self.limits.bytes:
            raise ArchiveRefused(f"{self.name} unpacks to more than {self.limits.bytes} bytes")

    def copy(self, source: IO[bytes] | None, stream: IO[bytes]) -> None:
        assert source is not None
        while chunk := source.read(_CHUNK):
            self.bytes += len(chunk)
            allowed = self.limits.ratio_free_bytes + self.limits.ratio * self.packed_bytes
            if self.bytes > allowed:
                raise ArchiveRefused(f"{self.name} unpacks to more than {self.limits.ratio} times its size")
            stream.write(chunk)

    def link(self, target: Path, parts: tuple[str, ...], member: tarfile.TarInfo) -> None:
        """Links are kept when they stay inside; a hard link's name counts from the archive's root.

        ``..`` may only lead: after a name it would be taken from wherever that name, maybe a link, leads.
        """
        base = parts[:-1] if member.issym() else ()
        names = PurePosixPath(member.linkname).parts
        up = next((at for at, part in enumerate(names) if part != ".."), len(names))
        inside = (*base[: len(base) - up], *names[up:])
        if member.linkname.startswith("/") or up > len(base) or ".." in names[up:] or not inside:
            raise ArchiveRefused(f"{self.name} holds a link that leaves its folder: {_shown(member.name)}")
        if target.is_dir() and not target.is_symlink():
            raise ArchiveRefused(f"{self.name} holds a file and a folder of one name: {_shown(member.name)}")
        target.unlink(missing_ok=True)
        if member.issym():
            target.symlink_to(member.linkname)
            return
        source = self.folder.joinpath(*inside)
        if source.is_symlink() or not source.is_file() or not source.resolve().is_relative_to(self.folder.resolve()):
            raise ArchiveRefused(f"{self.name} holds a link to nothing it holds: {_shown(member.name)}")
        os.link(source, target)


def _shown(name: str) -> str:
    """A hostile name, fit for a message: bounded, printable."""
    return ascii(name if len(name) <= 200 else name[:200] + "…")[1:-1]
