"""What a manifest is and names. Pure: whether what it names is there is asked in ``images``.

Four kinds are taken: Docker's schema 2 and its lists, the OCI's manifests and its indexes. Docker's schema 1 is not:
its signature is over a form of the text that clients of today no longer make.
Sources: github.com/opencontainers/image-spec, manifest.md, image-index.md, descriptor.md;
github.com/distribution/distribution, docs/content/spec/manifest-v2-2.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from cloche.engines.image_registry.errors import ManifestInvalid
from cloche.foundation.limits import MIB

MANIFEST_BYTES_MAX: Final = 4 * MIB
"""The distribution spec asks for at least this; ECR's model has it as the most (ImageManifest)."""
PARTS_MAX: Final = 1_000
"""Descriptors in one manifest. Docker itself stops at 127 layers."""
DEPTH_MAX: Final = 4
"""Indexes of indexes of …"""
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
INDEXES: Final = frozenset({DOCKER_LIST, OCI_INDEX})
TAKEN: Final = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_FOREIGN: Final = ("nondistributable", "foreign")


@dataclass(frozen=True, slots=True)
class Part:
    """What a manifest names: a blob, or another manifest."""

    digest: str
    size: int
    media_type: str
    needed: bool = True
    """Layers that may not be distributed stay where their ``urls`` say (image-spec, layer.md)."""


@dataclass(frozen=True, slots=True)
class Manifest:
    digest: str
    content: bytes
    media_type: str
    artifact_type: str
    """As the referrers API tells it; empty for a list."""
    blobs: Sequence[Part] = ()
    """The configuration, then the layers."""
    children: Sequence[Part] = ()
    subject: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Of what it names, in bytes; each blob once."""
        return sum({part.digest: part.size for part in self.blobs}.values())


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read(content: bytes, media_type: str = "") -> Manifest:
    """``media_type`` is what the client says that it is; empty where it says nothing. Raises ``ManifestInvalid``."""
    if len(content) > MANIFEST_BYTES_MAX:
        raise ManifestInvalid(f"a manifest has {MANIFEST_BYTES_MAX} bytes at most")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ManifestInvalid("the manifest is not JSON") from None
    if not isinstance(document, dict):
        raise ManifestInvalid("the manifest is not a JSON object")
    kind = _kind(document, media_type.partition(";")[0].strip())
    if document.get("schemaVersion") != 2:
        raise ManifestInvalid("schemaVersion must be 2: manifests of schema 1 are not taken")
    subject = _part(document["subject"], "subject").digest if document.get("subject") is not None else None
    annotations = _annotations(document.get("annotations"))
    if kind in INDEXES:
        if any(member in document for member in ("config", "layers")):
            raise ManifestInvalid("an index has no config and no layers")
        children = _parts(document.get("manifests"), "manifests")
        artifact_type = _text(document, "artifactType")
        return Manifest(digest_of(content), content, kind, artifact_type, (), children, subject, annotations)
    if "manifests" in document:
        raise ManifestInvalid("an image's manifest has no manifests")
    config = _part(document.get("config"), "config")
    blobs = [config, *_parts(document.get("layers"), "layers")]
    artifact_type = _text(document, "artifactType") or config.media_type
    return Manifest(digest_of(content), content, kind, artifact_type, blobs, (), subject, annotations)


def _kind(document: Mapping[str, Any], said: str) -> str:
    own = document.get("mediaType")
    if own is not None and not isinstance(own, str):
        raise ManifestInvalid("mediaType is a text")
    if own and said in TAKEN and own != said:
        raise ManifestInvalid(f"the manifest says that it is {own[:200]}, the request that it is {said}")
    kind = said if said in TAKEN else own or said
    if not kind or kind in ("application/json", "application/octet-stream"):
        kind = OCI_INDEX if "manifests" in document else OCI_MANIFEST
    if kind not in TAKEN:
        raise ManifestInvalid(f"manifests of type {kind[:200]} are not taken, but {', '.join(TAKEN)}")
    return kind


def _parts(given: Any, member: str) -> list[Part]:
    if not isinstance(given, list):
        raise ManifestInvalid(f"{member} is not a list")
    if len(given) > PARTS_MAX:
        raise ManifestInvalid(f"{member} has more than {PARTS_MAX} descriptors")
    return [_part(each, f"{member}[{place}]") for place, each in enumerate(given)]


def _part(given: Any, member: str) -> Part:
    if not isinstance(given, dict):
        raise ManifestInvalid(f"{member} is not a descriptor")
    digest, size, media_type = given.get("digest"), given.get("size"), given.get("mediaType")
    if not isinstance(digest, str) or DIGEST.fullmatch(digest) is None:
        raise ManifestInvalid(f"the digest of {member} is not sha256: and 64 hexadecimal digits")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63:
        raise ManifestInvalid(f"the size of {member} is no number of bytes")
    if not isinstance(media_type, str) or _MEDIA_TYPE.fullmatch(media_type) is None:
        raise ManifestInvalid(f"the mediaType of {member} is no media type")
    return Part(digest, size, media_type, not any(word in media_type for word in _FOREIGN))


def _text(document: Mapping[str, Any], member: str) -> str:
    value = document.get(member)
    if value is None:
        return ""
    if not isinstance(value, str) or _MEDIA_TYPE.fullmatch(value) is None:
        raise ManifestInvalid(f"{member} is no media type")
    return value


def _annotations(given: Any) -> Mapping[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ManifestInvalid("annotations are a map of texts")
    return given
