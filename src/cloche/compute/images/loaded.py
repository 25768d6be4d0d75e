"""The images that were loaded under a name, without a registry: entries of the layout's ``index.json``.

The names are where the layout keeps them (``org.opencontainers.image.ref.name``), so that nothing else need be asked,
and a command line may add one while a server runs. One writer at a time holds ``index.lock``.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from cloche.compute.images.archives import REFERENCE
from cloche.compute.images.manifest import OCI_INDEX, OCI_MANIFEST, read_document
from cloche.compute.images.store import BlobStore, hex_of
from cloche.foundation.durable import replace_file
from cloche.foundation.errors import Invalid

LATEST: Final = "latest"
_NAME: Final = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""Both: github.com/opencontainers/distribution-spec, ``spec.md``, "Pulling manifests"."""
_DOCKER: Final = ("docker.io/library/", "docker.io/")
"""What Docker writes before names that people write without."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """``digest`` is the manifest's, or of an index of several platforms."""

    name: str
    tag: str
    digest: str
    media_type: str
    size: int

    @property
    def reference(self) -> str:
        return f"{self.name}:{self.tag}"


def parse_name(text: str) -> tuple[str, str]:
    """(name, tag) of ``NAME[:TAG]``. Raises ``Invalid``."""
    for prefix in _DOCKER:
        text = text.removeprefix(prefix)
    name, colon, tag = text.partition(":")
    if len(name) > 256 or not _NAME.fullmatch(name) or (colon and not _TAG.fullmatch(tag)):
        raise Invalid(f"{text[:200]!r} is not the name of an image: NAME or NAME:TAG, in lower case, such as mine:1.0")
    return name, tag or LATEST


class LoadedImages:
    """Of one store. What is written is durable."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._index = store.root / "index.json"

    def all(self) -> list[Loaded]:
        return [each for entry in self._entries() if (each := _loaded(entry)) is not None]

    def find(self, name: str, reference: str) -> Loaded | None:
        """``reference`` is a tag or a digest."""
        for each in self.all():
            if each.name == name and reference in (each.tag, each.digest):
                return each
        return None

    def put(self, name: str, tag: str, digest: str) -> Loaded:
        """Name an image of the store; another of that name loses it."""
        hex_of(digest)
        document = read_document(self._store, digest)
        media_type = document.get("mediaType") or (OCI_INDEX if "manifests" in document else OCI_MANIFEST)
        made = Loaded(name, tag, digest, str(media_type), self._store.size(digest))
        entry = {
            "mediaType": made.media_type,
            "digest": digest,
            "size": made.size,
            "annotations": {REFERENCE: made.reference},
        }
        with self._alone():
            self._write([each for each in self._entries() if not _is(each, made.reference)] + [entry])
        return made

    def remove(self, name: str, tag: str) -> bool:
        """Whether there was one; its blobs stay."""
        with self._alone():
            entries = self._entries()
            kept = [each for each in entries if not _is(each, f"{name}:{tag}")]
            self._write(kept)
        return len(kept) < len(entries)

    def _entries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._index.read_bytes())["manifests"]
        return found

    def _write(self, entries: list[dict[str, Any]]) -> None:
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        replace_file(self._index, json.dumps(document, indent=1).encode())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        held = os.open(self._store.root / "index.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)


def _loaded(entry: dict[str, Any]) -> Loaded | None:
    name, _, tag = (entry.get("annotations") or {}).get(REFERENCE, "").partition(":")
    return Loaded(name, tag, entry["digest"], entry["mediaType"], entry["size"]) if name and tag else None


def _is(entry: dict[str, Any], reference: str) -> bool:
    return bool((entry.get("annotations") or {}).get(REFERENCE) == reference)
