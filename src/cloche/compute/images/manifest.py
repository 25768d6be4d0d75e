"""What a manifest says: which layers, which configuration, and, of several platforms, which is this machine's.

Both families of documents are read, which differ in little but their media types: OCI's (github.com/opencontainers/
image-spec, ``manifest.md``, ``image-index.md``, ``config.md``) and Docker's (distribution.github.io/distribution/spec/
manifest-v2-2). Docker's first schema, with its signed history, is refused by name.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloche.compute.images.store import BlobStore, hex_of
from cloche.foundation.errors import Invalid, NotFound, NotSupported
from cloche.foundation.limits import IMAGE_DOCUMENT_BYTES_MAX, IMAGE_LAYERS_MAX

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_INDEXES: Final = frozenset((OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"))
_INDEX_DEPTH_MAX: Final = 4
_MACHINES: Final = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
"""What the kernel calls processors, and what images do: go.dev/doc/install/source#environment."""


@dataclass(frozen=True, slots=True)
class Layer:
    """``compression`` is empty, ``gzip`` or ``zstd``; ``diff`` is the digest of what comes out."""

    digest: str
    compression: str
    diff: str


@dataclass(frozen=True, slots=True)
class Config:
    """How the image's maker wants it run: the members of ``config`` in the image's configuration."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    directory: str = "/"
    user: str = ""
    """As written: empty, ``name``, ``uid``, ``name:group`` or ``uid:gid``."""
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image for one platform. ``digest`` is its manifest's, and names the image for ever."""

    digest: str
    config: Config
    layers: tuple[Layer, ...]
    platform: str


def this_platform() -> str:
    machine = platform.machine()
    return f"linux/{_MACHINES.get(machine, machine)}"


def read_manifest(store: BlobStore, digest: str, layers_max: int = IMAGE_LAYERS_MAX) -> Manifest:
    """The image that ``digest`` means on this machine. Raises ``NotFound`` where a blob is not there, ``Invalid`` where
    a document is none, and ``NotSupported`` for another platform or form."""
    document = read_document(store, digest)
    for _ in range(_INDEX_DEPTH_MAX):
        if not is_index(document):
            break
        digest = _for_this_platform(document, digest)
        document = read_document(store, digest)
    return _manifest(store, digest, document, layers_max)


def read_document(store: BlobStore, digest: str) -> dict[str, Any]:
    """A blob that is a JSON object."""
    return parse_document(store.read(digest, IMAGE_DOCUMENT_BYTES_MAX), digest)


def parse_document(content: bytes, name: str) -> dict[str, Any]:
    """Raises ``Invalid`` for what is no JSON object; ``name`` says what it should have been."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Invalid(f"{name} is not a JSON object")
    return document


def is_index(document: Mapping[str, Any]) -> bool:
    return document.get("mediaType") in _INDEXES or ("manifests" in document and "layers" not in document)


def digests_in(document: Mapping[str, Any]) -> list[str]:
    """What a manifest or an index refers to, without what it only names (a layer that is elsewhere)."""
    if is_index(document):
        return [_digest(each) for each in _list(document, "manifests")]
    if "config" not in document:
        raise NotSupported(
            "The manifest has no configuration: Docker's first schema is not supported; push the image again."
        )
    return [_digest(document["config"]), *(_digest(each) for each in _list(document, "layers"))]


def _for_this_platform(index: Mapping[str, Any], digest: str) -> str:
    wanted = this_platform()
    entries = [(_platform(each.get("platform")), each) for each in _list(index, "manifests")]
    for name, each in entries:
        if name == wanted or name.startswith(f"{wanted}/"):
            return _digest(each)
    known = [each for name, each in entries if name]
    if len(entries) == 1 and not known:
        return _digest(entries[0][1])
    names = ", ".join(sorted({name for name, _ in entries if name and not name.startswith("unknown")})) or "none"
    raise NotSupported(f"The image {digest} is not made for this machine, {wanted}; its platforms are: {names}.")


def _platform(document: Any) -> str:
    if not isinstance(document, dict):
        return ""
    return "/".join(str(document[part]) for part in ("os", "architecture", "variant") if document.get(part))


def _manifest(store: BlobStore, digest: str, document: Mapping[str, Any], layers_max: int) -> Manifest:
    if is_index(document):
        raise Invalid(f"{digest} is an index of indexes of indexes")
    config_digest, *digests = digests_in(document)
    found = read_document(store, config_digest)
    name = _platform(found)
    if name and not (name == this_platform() or name.startswith(f"{this_platform()}/")):
        raise NotSupported(f"The image {digest} is made for {name}, and this machine is {this_platform()}.")
    if len(digests) > layers_max:
        raise Invalid(f"{digest} has {len(digests)} layers; {layers_max} are taken")
    rootfs = found.get("rootfs")
    diffs = _texts(rootfs.get("diff_ids") if isinstance(rootfs, dict) else None, "rootfs.diff_ids")
    if len(diffs) != len(digests):
        raise Invalid(f"{digest} has {len(digests)} layers, and its configuration tells of {len(diffs)}")
    for each in (*digests, *diffs):
        hex_of(each)
    for each in digests:
        if not store.has(each):
            raise NotFound(f"the layer {each} of {digest} is not there")
    media = [str(each.get("mediaType", "")) for each in document["layers"]]
    layers = tuple(
        Layer(each, compression_of(kind, store, each), diff)
        for each, kind, diff in zip(digests, media, diffs, strict=True)
    )
    return Manifest(digest, parse_config(found.get("config") or {}), layers, name or this_platform())


def compression_of(media_type: str, store: BlobStore, digest: str) -> str:
    """By the media type, else by how the blob begins."""
    for suffix, compression in (("gzip", "gzip"), ("zstd", "zstd")):
        if media_type.endswith(suffix):
            return compression
    if "encrypted" in media_type:
        raise NotSupported(f"The layer {digest} is encrypted, which is not supported.")
    with store.open(digest) as file:
        start = file.read(4)
    return "gzip" if start[:2] == b"\x1f\x8b" else "zstd" if start == b"\x28\xb5\x2f\xfd" else ""


def parse_config(config: Mapping[str, Any]) -> Config:
    """Raises ``Invalid`` where a member has not the form it must have."""
    if not isinstance(config, dict):
        raise Invalid("the image's config is not a JSON object")
    environment = dict(each.partition("=")[::2] for each in _texts(config.get("Env"), "Env"))
    labels, volumes = config.get("Labels") or {}, config.get("Volumes") or {}
    if not isinstance(labels, dict) or not isinstance(volumes, dict):
        raise Invalid("Labels and Volumes of an image's config are JSON objects")
    return Config(
        entrypoint=_texts(config.get("Entrypoint"), "Entrypoint"),
        command=_texts(config.get("Cmd"), "Cmd"),
        environment=tuple((name, value) for name, value in environment.items() if name),
        directory=str(config.get("WorkingDir") or "/"),
        user=str(config.get("User") or ""),
        volumes=tuple(str(each) for each in volumes),
        stop_signal=str(config.get("StopSignal") or ""),
        labels=tuple((str(name), str(value)) for name, value in labels.items()),
    )


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(each, str) and "\0" not in each for each in value):
        raise Invalid(f"{name} of an image's configuration is not a list of texts")
    return tuple(value)


def _list(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Invalid(f"{name} of a manifest is not a list of descriptors")
    return found


def _digest(descriptor: Any) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str):
        raise Invalid("a descriptor without a digest")
    hex_of(digest)
    return digest
