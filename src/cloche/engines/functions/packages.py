"""Deployment packages and layers: zips that users hand in, kept by their digest and opened as if all were hostile.

``<root>/<digest>.zip`` is what GetFunction gives back; ``<root>/<digest>/`` what is seen at ``/var/task`` or ``/opt``.
Refused are names that leave the folder, links out of it, more bytes than AWS allows (counted while they are written,
not believed), more members than a file system likes. Links that stay inside are made last, so nothing is written
through one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import threading
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Final

from cloche.engines.functions.plan import Code
from cloche.foundation.durable import fsync_folder
from cloche.foundation.errors import Invalid

ZIPPED_BYTES_MAX: Final = 50 * 1024 * 1024
BYTES_MAX: Final = 262_144_000
"""docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: zipped (direct upload), and unzipped with layers."""
MEMBERS_MAX: Final = 50_000
LINK_BYTES_MAX: Final = 4096
PIECE_BYTES: Final = 1024 * 1024
_NOT_A_ZIP: Final = "Could not unzip uploaded file. Please check your file, then try to upload again."
TOO_LARGE: Final = f"Unzipped size must be smaller than {BYTES_MAX} bytes"


class Packages:
    """``root`` keeps zips and folders, ``merged`` folders made of several layers; both are made if need be."""

    def __init__(self, root: Path, merged: Path) -> None:
        self.root = root
        self._merged = merged
        self._lock = threading.Lock()
        self._added: set[str] = set()
        """Since this server started: a row may be about to name them."""
        for folder in (root, merged):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, zipped: bytes) -> Code:
        """Keep it, durably; the same package is kept once. Raises ``Invalid``."""
        if not zipped:
            raise Invalid("Uploaded file must be a non-empty zip", field="ZipFile")
        name = hashlib.sha256(zipped).hexdigest()
        archive, folder = self.archive(name), self.root / name
        with self._lock:
            if not (archive.exists() and folder.exists()):
                part = self.root / f".{name}.zip"
                part.write_bytes(zipped)
                with part.open("rb") as file:
                    os.fsync(file.fileno())
                self._open(part, name)
                part.replace(archive)
                fsync_folder(self.root)
            self._added.add(name)
            return Code(name, len(zipped), _size(folder))

    def archive(self, name: str) -> Path:
        return self.root / f"{name}.zip"

    def folder(self, name: str) -> Path:
        """Where the package is unpacked; unpacked again if it was swept away."""
        folder = self.root / name
        if not folder.exists():
            with self._lock:
                if not folder.exists():
                    self._open(self.archive(name), name)
        return folder

    def layers(self, names: Sequence[str]) -> Path | None:
        """One folder with all layers, later ones over earlier ones; ``None`` where there are none."""
        if len(names) <= 1:
            return self.folder(names[0]) if names else None
        target = self._merged / hashlib.sha256("/".join(names).encode()).hexdigest()
        if not target.exists():
            with self._lock:
                part = target.with_name(f".{target.name}")
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                for name in names:
                    _unpack(self.archive(name), part, again=True)
                if not target.exists():
                    part.rename(target)
        return target

    def keep(self, wanted: Callable[[], set[str]]) -> None:
        """Remove every package but those; none may be added between the question and the answer."""
        with self._lock:
            kept = wanted() | self._added
            for path in list(self.root.iterdir()):
                if path.name.removesuffix(".zip") in kept:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def clear_merged(self) -> None:
        """Where no environment uses any."""
        shutil.rmtree(self._merged, ignore_errors=True)
        self._merged.mkdir(parents=True, mode=0o700)

    def _open(self, archive: Path, name: str) -> None:
        part = self.root / f".{name}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o755)
        try:
            _unpack(archive, part)
            part.rename(self.root / name)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            if archive.name.startswith("."):
                archive.unlink(missing_ok=True)
            raise


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def _unpack(archive: Path, target: Path, *, again: bool = False) -> None:
    """Raises ``Invalid``. ``again``: it was unpacked before, elsewhere; what is there already is replaced."""
    try:
        with zipfile.ZipFile(archive) as opened:
            _unpack_members(opened, target, again)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise _refused(str(error)) from None  # RuntimeError: encrypted; NotImplementedError: a method nobody has
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _refused(f"{Path(str(error.filename)).name} is there twice") from None
    except (ValueError, UnicodeError) as error:
        raise _refused(type(error).__name__) from None
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
            raise
        raise _refused(str(error.strerror)) from None


def _unpack_members(opened: zipfile.ZipFile, target: Path, again: bool) -> None:
    members = opened.infolist()
    if len(members) > MEMBERS_MAX:
        raise _refused(f"it has more than {MEMBERS_MAX} members")
    if sum(member.file_size for member in members) > BYTES_MAX:
        raise Invalid(TOO_LARGE)
    links, room = [], BYTES_MAX
    for member in members:
        path = target / _inside(member.filename)
        _no_link_above(path, target)
        if stat.S_ISLNK(member.external_attr >> 16):
            links.append((member, path))
        elif member.is_dir():
            _folder(path)
        else:
            _folder(path.parent)
            with opened.open(member) as source:
                room -= _write(source, path, member, room, again=again)
    for member, path in links:
        _link(opened, member, path, target)


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name or len(name) > 4096:
        raise _refused(f"the member {name[:200]!r} would leave its folder")
    return path


def _no_link_above(path: Path, target: Path) -> None:
    for folder in path.parents:
        if folder == target:
            return
        if folder.is_symlink():
            raise _refused(f"the member {path.name[:200]!r} lies behind a link")


def _folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=0o755)


def _write(source: IO[bytes], path: Path, member: zipfile.ZipInfo, room: int, *, again: bool) -> int:
    """How many bytes it has."""
    mode = 0o755 if member.external_attr >> 16 & 0o111 else 0o644
    if again:
        path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    total = 0
    with os.fdopen(descriptor, "wb") as file:
        while piece := source.read(PIECE_BYTES):
            total += len(piece)
            if total > room:
                raise Invalid(TOO_LARGE)
            file.write(piece)
    path.chmod(mode)
    return total


def _link(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, target: Path) -> None:
    if member.file_size > LINK_BYTES_MAX:
        raise _refused(f"the link {member.filename[:200]!r} is too long")
    aim = opened.read(member).decode()
    where = os.path.normpath(path.parent.relative_to(target) / aim)
    if aim.startswith("/") or where.startswith("..") or "\0" in aim:
        raise _refused(f"the link {member.filename[:200]!r} leads out of its folder")
    _no_link_above(path, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    path.symlink_to(aim)


def _refused(why: str) -> Invalid:
    return Invalid(f"{_NOT_A_ZIP} ({why})")
