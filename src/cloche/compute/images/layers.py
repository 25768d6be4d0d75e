"""A program: ``python -I layers.py``, given an order, lays the layers of an image over each other into one folder.

It runs in a process of its own, because an image is somebody else's file: what it costs is bounded here (bytes,
members, memory, room on the disk), and what a reader of archives may have wrong stays here. The standard library, and
the job contract's look at headers, alone.

The rules are those of OCI's ``layer.md``: later layers win, ``.wh.NAME`` hides what lower layers have by that name,
``.wh..wh..opq`` all they have in a folder. A name is followed through the image's own links as the image sees them,
so none leads out of the folder. Devices are left out (a job has its own), and so are setuid bits. All of an image
belongs to the one user a job has, unless it has many: then each has what is his, by the number that is his on this
machine.

The order comes by standard input, as JSON: ``layers`` (``path``, ``compression``, ``diff``), ``target`` (a folder that
is made), ``bytes_max``, ``members_max``, ``free_bytes_min``, ``users`` (``first`` and ``count``, or null). The answer
is one line of JSON: ``bytes`` and ``members``, or ``error``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import shutil
import signal
import stat
import sys
import tarfile
import zlib
from contextlib import suppress
from typing import Any, BinaryIO, cast

from cloche_jobs.contract.members import has_more_members

HIDDEN, OPAQUE = ".wh.", ".wh..wh..opq"
COPY_BYTES = 1 << 20
LINKS_MAX = 40
MEMORY_BYTES_MAX = 2 << 30
FREE_LOOK_BYTES = 256 << 20
"""After so many bytes it is looked whether the disk has room left."""


class Refused(Exception):
    """The image's fault; the text is for people."""


class Stream:
    """A layer's tar: unpacked, counted and hashed as it is read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        """Of all there is; what follows the archive's end is read, too."""
        while self.read(COPY_BYTES):
            pass
        return f"sha256:{self._hash.hexdigest()}"


def opened(path: str, compression: str) -> BinaryIO:
    if compression == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if compression == "zstd":
        return _zstd(path)
    return open(path, "rb")  # noqa: PTH123


def _zstd(path: str) -> BinaryIO:
    """Python has it from 3.14 on."""
    try:
        from compression.zstd import ZstdFile  # type: ignore[import-not-found,unused-ignore]

        return cast(BinaryIO, ZstdFile(path))
    except ImportError:
        pass
    try:
        import zstandard  # type: ignore[import-not-found,unused-ignore]

        return cast(BinaryIO, zstandard.open(path, "rb"))
    except ImportError:
        raise Refused(
            "a layer is compressed with zstd, which this Python cannot read: pip install 'cloche[zstd]', or use Python "
            "3.14, or push the image with gzip layers"
        ) from None


class Tree:
    """The folder that becomes the image's root. Only this process writes in it."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.root = order["target"]
        self.order = order
        self.bytes = self.members = self.unlooked = 0
        self.users: dict[str, int] | None = order["users"]
        self.folders: dict[str, tuple[int, float]] = {}
        """Modes and times that folders get at last: until then they can be written in."""
        self.known: dict[str, str] = {"": self.root}
        """Real paths of folders by their names in archives; good until a link is made or something is removed."""
        os.mkdir(self.root, 0o755)  # noqa: PTH102

    def lay(self, layer: dict[str, str]) -> None:
        made: set[str] = set()
        with opened(layer["path"], layer["compression"]) as source:
            if has_more_members(source.read, self.order["members_max"] - self.members):
                raise self._too_many()
        with opened(layer["path"], layer["compression"]) as source:
            stream = Stream(source)
            with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|") as archive:
                for member in archive:
                    self._count()
                    self._add(archive, member, made)
                    archive.members = []  # type: ignore[attr-defined]  # tarfile remembers all it has seen
            if stream.digest() != layer["diff"]:
                raise Refused(f"a layer's content is not the one its image names, {layer['diff']}")

    def finish(self) -> None:
        """Give folders their modes and times. The folders that are there are asked, not the ones that were: what was a
        folder may have become a link to somewhere else."""
        for path, _, _ in os.walk(self.root, topdown=False):
            known = self.folders.get(path)
            if known is not None:
                os.chmod(path, known[0])  # noqa: PTH101
                os.utime(path, (known[1], known[1]))

    # -- members -----------------------------------------------------------------------------------------

    def _add(self, archive: tarfile.TarFile, member: tarfile.TarInfo, made: set[str]) -> None:
        parts = _parts(member.name)
        if not parts:
            if member.isdir():
                self.folders[self.root] = (self._mode(member, 0o700), member.mtime)
                self._give(member, self.root)
            return
        name, folder = parts[-1], self._folder(parts[:-1], made)
        if name.startswith(HIDDEN):
            self._hide(folder, name, made)
            return
        path = f"{folder}/{name}"
        if member.isdir():
            self._make_folder(path, member)
        elif member.isfile() or member.issym() or member.islnk() or member.isfifo():
            self._make(archive, member, path, made)
        else:
            return
        if not member.islnk():
            self._give(member, path)
        made.add(path)

    def _make(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, made: set[str]) -> None:
        target = self._linked(member, made) if member.islnk() else ""
        if target == path:
            return
        self._clear(path)
        if member.issym():
            os.symlink(member.linkname, path)  # noqa: PTH211
            self.known = {"": self.root}
        elif member.islnk():
            try:
                os.link(target, path, follow_symlinks=False)
            except OSError as error:
                raise Refused(
                    f"{_shown(member.name)} is a link to {_shown(member.linkname)}: {error.strerror}"
                ) from None
        elif member.isfifo():
            os.mkfifo(path, self._mode(member, 0o600))
        else:
            self._write(archive, member, path)

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        self._room(member.size)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            source = archive.extractfile(member)
            assert source is not None
            left = member.size
            while left:
                data = source.read(min(left, COPY_BYTES))
                if not data:
                    raise Refused(f"{_shown(member.name)} ends early")
                _write_all(descriptor, data)
                left -= len(data)
            os.fchmod(descriptor, self._mode(member, 0o600))
            os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)

    def _linked(self, member: tarfile.TarInfo, made: set[str]) -> str:
        """What a hard link is to; a link there is not followed."""
        parts = _parts(member.linkname)
        if not parts:
            raise Refused(f"{_shown(member.name)} is a link to the image's root")
        return f"{self._folder(parts[:-1], made)}/{parts[-1]}"

    def _make_folder(self, path: str, member: tarfile.TarInfo) -> None:
        if not _is_folder(path):
            self._clear(path)
            os.mkdir(path, 0o700)  # noqa: PTH102
        self.folders[path] = (self._mode(member, 0o700), member.mtime)

    def _hide(self, folder: str, name: str, made: set[str]) -> None:
        """Whiteouts are of lower layers alone: what this layer has brought stays."""
        if name == OPAQUE:
            for each in os.listdir(folder):  # noqa: PTH208
                self._hide_below(f"{folder}/{each}", made)
        elif not name.startswith(".wh..wh."):  # of other kinds, for aufs' own use
            path = f"{folder}/{name.removeprefix(HIDDEN)}"
            if path.rpartition("/")[2] in ("", ".", ".."):
                raise Refused(f"{_shown(name)} hides no file")
            if path not in made:
                self._clear(path)

    def _hide_below(self, path: str, made: set[str]) -> None:
        if path not in made:
            self._clear(path)
        elif _is_folder(path):
            for each in os.listdir(path):  # noqa: PTH208
                self._hide_below(f"{path}/{each}", made)

    # -- owners ------------------------------------------------------------------------------------------

    def _give(self, member: tarfile.TarInfo, path: str) -> None:
        """To whom it belongs; whom no job can be has the last number there is, which is nobody's."""
        if self.users is not None:
            os.chown(path, self._number(member.uid), self._number(member.gid), follow_symlinks=False)

    def _number(self, known_as: int) -> int:
        assert self.users is not None
        if known_as == 0:
            return 0
        return self.users["first"] + (known_as if 0 < known_as < self.users["count"] else self.users["count"] - 2)

    def _mode(self, member: tarfile.TarInfo, least: int) -> int:
        """Where all of an image is its one user's, he may do with his own what root may with everybody's."""
        if self.users is None:
            return (member.mode & 0o777) | least
        return member.mode & (0o3777 if member.isdir() else 0o777)

    # -- names -------------------------------------------------------------------------------------------

    def _folder(self, parts: list[str], made: set[str]) -> str:
        """The real path of a folder of the image, which is made where it is missing."""
        name = "/".join(parts)
        known = self.known.get(name)
        if known is not None:
            return known
        path = resolved(self.root, parts)
        if not _is_folder(path):
            missing: list[str] = []
            while not os.path.lexists(path):
                missing.append(path)
                path = path.rpartition("/")[0]
            if not _is_folder(path):
                raise Refused(f"{_shown(name)} lies below what is no folder")
            for each in reversed(missing):
                self._count()
                os.mkdir(each, 0o755)  # noqa: PTH102
                made.add(each)
            path = missing[0] if missing else path
        self.known[name] = path
        return path

    # -- bounds ------------------------------------------------------------------------------------------

    def _clear(self, path: str) -> None:
        if _is_folder(path):
            self.known = {"": self.root}
            shutil.rmtree(path)
        else:
            with suppress(FileNotFoundError):
                if stat.S_ISLNK(os.lstat(path).st_mode):
                    self.known = {"": self.root}
                os.unlink(path)  # noqa: PTH108

    def _count(self) -> None:
        self.members += 1
        if self.members > self.order["members_max"]:
            raise self._too_many()

    def _too_many(self) -> Refused:
        return Refused(f"it has more than {self.order['members_max']} files, folders and links")

    def _room(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self.order["bytes_max"]:
            raise Refused(f"it unpacks to more than {self.order['bytes_max']} bytes")
        self.unlooked += size
        if self.unlooked >= FREE_LOOK_BYTES or self.bytes == size:
            self.unlooked = 0
            disk = os.statvfs(self.root)
            if disk.f_bavail * disk.f_frsize < self.order["free_bytes_min"] + size:
                raise Refused("No space left on device: the disk of this machine is all but full")


def resolved(root: str, parts: list[str]) -> str:
    """Where a name of the image is, all its links followed as the image itself would follow them."""
    here, links = root, 0
    left = list(reversed(parts))
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            here = here.rpartition("/")[0] if here != root else here
            continue
        path = f"{here}/{part}"
        try:
            target = os.readlink(path)  # noqa: PTH115
        except OSError:
            here = path
            continue
        links += 1
        if links > LINKS_MAX:
            raise Refused(f"{_shown('/'.join(parts))} goes round in links")
        if target.startswith("/"):
            here = root
        left.extend(reversed(target.split("/")))
    return here


def _parts(name: str) -> list[str]:
    """Raises ``Refused`` for a name that leads upwards; an absolute one is meant from the image's root, as tar takes
    it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Refused(f"the name {_shown(name)} leads out of it")
    return parts


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _shown(text: str) -> str:
    return ascii(text[:200])


def _sync(path: str) -> None:
    """All of the file system that holds ``path``: one call instead of one for each file."""
    import ctypes

    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None).syncfs(descriptor) != 0:
            os.sync()
    except AttributeError:
        os.sync()
    finally:
        os.close(descriptor)


def unpack(order: dict[str, Any]) -> dict[str, Any]:
    tree = Tree(order)
    try:
        for layer in order["layers"]:
            tree.lay(layer)
        tree.finish()
    except Refused as error:
        return {"error": str(error)}
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        return {"error": f"a layer is not an archive that can be read: {error}"}
    except MemoryError:
        return {"error": "a layer takes more memory to read than an archive should"}
    except (OSError, ValueError, OverflowError) as error:
        return {"error": f"it could not be unpacked: {error}"}
    _sync(order["target"])
    return {"bytes": tree.bytes, "members": tree.members}


def _die_with_parent() -> None:
    """The half that is unpacked is of no use to anybody once who asked for it was killed."""
    import ctypes

    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: linux/prctl.h


def main() -> None:
    _die_with_parent()
    os.umask(0o022)
    order = json.load(sys.stdin.buffer)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    print(json.dumps(unpack(order)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
