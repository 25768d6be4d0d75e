"""Images as files: an OCI image layout, as a folder or a tar, and what ``docker save`` writes.

Everything goes into the store by its digest first, and is believed only then. A layout has its digests in it; an
archive of Docker's older kind has not, so a manifest is written for what it holds. A tar is read once to see
what there is, and then by its members' places: nothing is unpacked on the way.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, Final, cast

from cloche.compute.images.bounds import Bounds
from cloche.compute.images.manifest import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, digests_in, is_index, parse_document
from cloche.compute.images.store import BlobStore
from cloche.foundation.errors import Invalid, NotFound
from cloche.foundation.limits import (
    IMAGE_ARCHIVE_MEMBERS_MAX,
    IMAGE_DOCUMENT_BYTES_MAX,
)

REFERENCE: Final = "org.opencontainers.image.ref.name"
CONTAINERD_NAME: Final = "io.containerd.image.name"
"""Annotations by which an index says what its images are called: ``image-layout.md``; Docker writes the second too."""


class Archive:
    """Members by name. Raises ``NotFound`` for one that is not there."""

    def __init__(self, open_member: Callable[[str], IO[bytes]]) -> None:
        self._open = open_member

    def open(self, name: str) -> IO[bytes]:
        return self._open(name)

    def has(self, name: str) -> bool:
        try:
            self._open(name).close()
        except NotFound:
            return False
        return True

    def document(self, name: str) -> Any:
        with self.open(name) as file:
            content = file.read(IMAGE_DOCUMENT_BYTES_MAX + 1)
        if len(content) > IMAGE_DOCUMENT_BYTES_MAX:
            raise Invalid(f"{name} has more than {IMAGE_DOCUMENT_BYTES_MAX} bytes")
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise Invalid(f"{name} is not JSON: {error}") from None


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The image file or folder at ``path``. Raises ``Invalid`` for what is neither."""
    if path.is_dir():
        yield Archive(lambda name: _in_folder(path, name))
        return
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(tarfile.open(path, "r:*"))
            members: dict[str, tarfile.TarInfo] = {}
            for number, member in enumerate(archive):
                if number >= IMAGE_ARCHIVE_MEMBERS_MAX:
                    raise Invalid(f"{path} has more than {IMAGE_ARCHIVE_MEMBERS_MAX} members")
                members[str(PurePosixPath(member.name))] = member
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Invalid(f"{path} is not an image: {error}") from None
        yield Archive(lambda name: _in_tar(archive, members, name))


def _in_folder(folder: Path, name: str) -> BinaryIO:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Invalid(f"{name} leaves the folder of the image")
    try:
        return path.open("rb")
    except OSError:
        raise NotFound(f"the image has no {name}") from None


def _in_tar(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> IO[bytes]:
    member = members.get(name)
    for _ in range(8):  # Docker links layers that it has twice
        if member is None or not member.issym():
            break
        member = members.get(_joined(str(PurePosixPath(member.name).parent), member.linkname))
    file = archive.extractfile(member) if member is not None and (member.isfile() or member.islnk()) else None
    if file is None:
        raise NotFound(f"the image has no {name}")
    return file


def _joined(folder: str, name: str) -> str:
    parts: list[str] = []
    for part in (*folder.split("/"), *name.split("/")):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def load(store: BlobStore, path: Path, bounds: Bounds | None = None) -> list[tuple[str, str]]:
    """Keep every image of the file or folder at ``path``: (name or nothing, digest of its manifest or index). Raises
    ``Invalid`` with a sentence for what is no image or not whole."""
    try:
        with opened(path) as archive:
            if archive.has("index.json"):
                return list(_load_layout(store, archive, bounds or Bounds()))
            if archive.has("manifest.json"):
                return list(_load_saved(store, archive, bounds or Bounds()))
    except NotFound as error:
        raise Invalid(f"{path} is not a whole image: {error.message}") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise Invalid(f"{path} cannot be read as an image: {error}") from None
    raise Invalid(
        f"{path} is not an image: neither an OCI image layout (index.json) nor what docker save writes (manifest.json)"
    )


# -- OCI image layouts ---------------------------------------------------------------------------------------


def _load_layout(store: BlobStore, archive: Archive, bounds: Bounds) -> Iterator[tuple[str, str]]:
    index = archive.document("index.json")
    if not isinstance(index, dict) or not isinstance(index.get("manifests"), list) or not index["manifests"]:
        raise Invalid("index.json names no image")
    for entry in index["manifests"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
            raise Invalid("index.json names an image without a digest")
        annotations = entry.get("annotations")
        names = annotations if isinstance(annotations, dict) else {}
        _copy(store, archive, entry["digest"], bounds, depth=0)
        yield str(names.get(CONTAINERD_NAME) or names.get(REFERENCE) or ""), entry["digest"]


def _copy(store: BlobStore, archive: Archive, digest: str, bounds: Bounds, depth: int) -> None:
    """A manifest or index with all it refers to. What an index refers to and the layout does not have stays away: a
    layout may hold one platform of many (``docker save`` writes such)."""
    if depth > 4:
        raise Invalid("an index within an index within an index")
    _take(store, archive, digest, IMAGE_DOCUMENT_BYTES_MAX)
    document = parse_document(store.read(digest, IMAGE_DOCUMENT_BYTES_MAX), digest)
    found = digests_in(document)
    for each in found:
        if not is_index(document):
            _take(store, archive, each, bounds.bytes)
        elif len(found) == 1 or archive.has(_blob(each)):
            _copy(store, archive, each, bounds, depth + 1)


def _take(store: BlobStore, archive: Archive, digest: str, limit: int) -> None:
    store.path(digest)
    if not store.has(digest):
        with archive.open(_blob(digest)) as file:
            store.write(cast(BinaryIO, file), digest, limit)


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


# -- what docker save writes ---------------------------------------------------------------------------------


def _load_saved(store: BlobStore, archive: Archive, bounds: Bounds) -> Iterator[tuple[str, str]]:
    """The older kind: a list of images, each with the names of its files (moby's ``image/spec``)."""
    images = archive.document("manifest.json")
    if not isinstance(images, list) or not all(isinstance(each, dict) for each in images) or not images:
        raise Invalid("manifest.json names no image")
    for image in images:
        layers, names = image.get("Layers"), image.get("RepoTags") or [""]
        if not isinstance(layers, list) or not isinstance(names, list):
            raise Invalid("an image of manifest.json has no list of layers")
        if len(layers) > bounds.layers:
            raise Invalid(f"an image of manifest.json has {len(layers)} layers; {bounds.layers} are taken")
        with archive.open(str(image.get("Config"))) as file:
            config = store.write(cast(BinaryIO, file), None, IMAGE_DOCUMENT_BYTES_MAX)
        kept = []
        for name in layers:
            with archive.open(str(name)) as file:
                kept.append(store.write(cast(BinaryIO, _unzipped(file)), None, bounds.bytes))
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": str(config), "size": config.size},
            "layers": [{"mediaType": OCI_LAYER, "digest": str(each), "size": each.size} for each in kept],
        }
        content = json.dumps(document, indent=1).encode()
        digest = str(store.write(io.BytesIO(content)))
        for name in names:
            yield str(name), digest


def _unzipped(file: IO[bytes]) -> IO[bytes]:
    start = file.read(2)
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if start == b"\x1f\x8b" else file
