"""The blobs of container images, by the digest of their content: layers, configurations, manifests.

The folder is an OCI image layout (github.com/opencontainers/image-spec, ``image-layout.md``), so that any tool that
reads one can be pointed at it:

    oci-layout                the layout's version
    index.json                the images that were loaded under a name
    blobs/sha256/<hex>        contents, never changed
    uploads/<name>            what is on its way, hashed as it comes

A blob has its name once all of it is written, synced and hashed to that name; what was cut short is an upload, which
may be gone on with, or is swept when nobody has for long. Several servers and command lines may share the folder: two
that write the same blob put the same bytes in the same place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from cloche.foundation.durable import fsync_folder, replace_file
from cloche.foundation.errors import Invalid, LimitReached, NotFound

LAYOUT: Final = b'{"imageLayoutVersion": "1.0.0"}'
READ_BYTES: Final = 1 << 20
UPLOAD_SECONDS_MAX: Final = 7 * 24 * 3600
"""An upload that nobody went on with for so long is swept."""
_DIGEST: Final = re.compile(r"sha256:(?P<hex>[0-9a-f]{64})")
_UPLOAD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class DigestMismatch(Invalid):
    """The content is another than was said."""


@dataclass(frozen=True, slots=True)
class Digest:
    """``str()`` is how registries write it; ``size`` is the content's, in bytes."""

    hex: str
    size: int

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


def hex_of(digest: str) -> str:
    """The hexadecimal part of ``sha256:…``. Raises ``Invalid``: no other algorithm is kept."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise Invalid(f"{digest[:200]!r} is not a SHA-256 digest (sha256: and 64 hexadecimal digits)", field="digest")
    return match["hex"]


class BlobStore:
    """``root`` is made. Thread-safe, and safe beside other processes. Digests are given as ``sha256:<hex>``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._uploads = root / "uploads"
        if not (root / "oci-layout").exists():
            for folder in (self._blobs, self._uploads):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self._blobs.parent, root, root.parent):
                fsync_folder(folder)
            replace_file(root / "oci-layout", LAYOUT)
        if not (root / "index.json").exists():
            empty = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
            with suppress(FileExistsError):  # linked, not replaced: another process may have named an image meanwhile
                _create(root / "index.json", json.dumps(empty).encode())

    def path(self, digest: str) -> Path:
        """Where the blob is, if it is there."""
        return self._blobs / hex_of(digest)

    def has(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def size(self, digest: str) -> int:
        """In bytes. Raises ``NotFound``."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise _missing(digest) from None

    def open(self, digest: str) -> BinaryIO:
        """The blob for reading; it stays readable when it is deleted meanwhile. Raises ``NotFound``."""
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise _missing(digest) from None

    def read(self, digest: str, limit: int) -> bytes:
        """All of a small one. Raises ``NotFound``, and ``LimitReached`` for more than ``limit`` bytes."""
        with self.open(digest) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise LimitReached(f"{digest} has more than {limit} bytes")
        return content

    def write(
        self, stream: BinaryIO | Iterable[bytes], expected: str | None = None, limit: int | None = None
    ) -> Digest:
        """Keep all that ``stream`` has; it is durable when this returns. Raises ``DigestMismatch`` where it is not
        ``expected``, ``LimitReached`` beyond ``limit`` bytes; then nothing is kept."""
        upload = self.upload(f"write-{secrets.token_hex(16)}", limit)
        try:
            for piece in _pieces(stream):
                upload.append(piece)
            return upload.finish(expected)
        except BaseException:
            upload.discard()
            raise

    def delete(self, digest: str) -> bool:
        """Whether it was there."""
        try:
            self.path(digest).unlink()
        except FileNotFoundError:
            return False
        return True

    def digests(self) -> Iterator[Digest]:
        """All that are there."""
        for entry in os.scandir(self._blobs):
            if _DIGEST.fullmatch(f"sha256:{entry.name}"):
                yield Digest(entry.name, entry.stat().st_size)

    def upload(self, name: str, limit: int | None = None) -> Upload:
        """A blob on its way, begun or gone on with: what was appended before is still there, after a ``kill -9`` too
        (less what was not written out, if the machine itself went). One at a time may go on with it."""
        if not _UPLOAD.fullmatch(name):
            raise Invalid(f"{name[:200]!r} cannot name an upload", field="name")
        return Upload(self, self._uploads / name, limit)

    def sweep(self, older_than_seconds: float = UPLOAD_SECONDS_MAX) -> None:
        """Remove uploads that nobody has gone on with for so long."""
        oldest = time.time() - older_than_seconds  # the file system's clock, not Cloche's
        for entry in os.scandir(self._uploads):
            with suppress(FileNotFoundError):
                if entry.stat().st_mtime < oldest:
                    Path(entry.path).unlink()

    def _keep(self, part: Path, digest: Digest) -> None:
        part.replace(self._blobs / digest.hex)
        fsync_folder(self._blobs)


class Upload:
    """A blob that comes in pieces; see ``BlobStore.upload``. Not thread-safe."""

    def __init__(self, store: BlobStore, path: Path, limit: int | None) -> None:
        self._store = store
        self._path = path
        self._limit = limit
        self._hash = hashlib.sha256()
        self.size = 0
        """In bytes, so far."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while piece := os.read(self._file, READ_BYTES):
            self._hash.update(piece)
            self.size += len(piece)

    @property
    def digest(self) -> str:
        """Of what is there so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def append(self, piece: bytes | bytearray | memoryview) -> None:
        """Raises ``LimitReached`` where it becomes more than may be; what was there before stays."""
        if self._limit is not None and self.size + len(piece) > self._limit:
            raise LimitReached(f"a blob of more than {self._limit} bytes is not taken")
        view = memoryview(piece)
        while view:
            written = os.write(self._file, view)
            self._hash.update(view[:written])
            self.size += written
            view = view[written:]

    def finish(self, expected: str | None = None) -> Digest:
        """Give it its name, durably. Raises ``DigestMismatch`` where it is not ``expected``; then it is as before."""
        digest = Digest(self._hash.hexdigest(), self.size)
        if expected is not None and hex_of(expected) != digest.hex:
            raise DigestMismatch(f"the content's digest is {digest}, not {expected}", field="digest")
        os.fsync(self._file)
        self._store._keep(self._path, digest)
        self.close()
        return digest

    def discard(self) -> None:
        """Leave nothing."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave what is there for another to go on with. Does nothing when called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _pieces(stream: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    read = getattr(stream, "read", None)
    if read is None:
        yield from stream
        return
    while piece := read(READ_BYTES):
        yield piece


def _create(path: Path, content: bytes) -> None:
    """A file that is there whole or not at all. Raises ``FileExistsError``."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    replace_file(part, content)
    try:
        os.link(part, path)
    finally:
        part.unlink()


def _missing(digest: str) -> NotFound:
    return NotFound(f"there is no blob {digest}")
