"""What is a manifest, and what only looks like one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloche.engines.image_registry.errors import ManifestInvalid
from cloche.engines.image_registry.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MANIFEST_BYTES_MAX,
    OCI_INDEX,
    OCI_MANIFEST,
    PARTS_MAX,
    digest_of,
    read,
)


def part(number: int = 0, **members: Any) -> dict[str, Any]:
    return {"mediaType": "application/x.part", "digest": f"sha256:{number:064x}", "size": number, **members}


def manifest(**members: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": part(1), "layers": [part(2), part(3)], **members}).encode()


def index(**members: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": [part(4)], **members}).encode()


def test_the_kinds_that_are_taken() -> None:
    for kind in (OCI_MANIFEST, DOCKER_MANIFEST):
        found = read(manifest(), f"{kind}; charset=utf-8")
        assert (found.media_type, found.size, len(found.blobs), found.children) == (kind, 6, 3, ())
        assert read(manifest(mediaType=kind)).media_type == kind
    for kind in (OCI_INDEX, DOCKER_LIST):
        found = read(index(), kind)
        assert (found.media_type, len(found.children), found.blobs) == (kind, 1, ())
    assert read(manifest()).media_type == OCI_MANIFEST
    assert read(index()).media_type == OCI_INDEX
    assert read(manifest()).digest == digest_of(manifest())


def test_an_artifacts_type_is_its_own_or_its_configurations() -> None:
    assert read(manifest()).artifact_type == "application/x.part"
    assert read(manifest(artifactType="application/x.sbom")).artifact_type == "application/x.sbom"
    assert read(index()).artifact_type == ""


def test_layers_that_stay_elsewhere_are_not_needed() -> None:
    foreign = part(5, mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls=["https://there"])
    assert [each.needed for each in read(manifest(layers=[foreign, part(2)])).blobs] == [True, False, True]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        manifest(schemaVersion=1),
        json.dumps({"schemaVersion": 1, "name": "x", "fsLayers": [], "history": []}).encode(),
        manifest(config=None),
        manifest(config=part(1, digest="sha256:../../../../etc/passwd")),
        manifest(config=part(1, digest="sha512:" + "0" * 128)),
        manifest(config=part(1, digest="sha256:" + "A" * 64)),
        manifest(config=part(1, size=-1)),
        manifest(config=part(1, size=True)),
        manifest(config=part(1, size=1.5)),
        manifest(config=part(1, size=1 << 64)),
        manifest(config=part(1, mediaType="text")),
        manifest(layers={}),
        manifest(layers=[[]]),
        manifest(layers=[part(number) for number in range(PARTS_MAX + 1)]),
        manifest(subject=[]),
        manifest(annotations={"a": 1}),
        manifest(artifactType="no type"),
        manifest(manifests=[part(4)], mediaType=OCI_MANIFEST),
        index(layers=[]),
        manifest(mediaType="application/vnd.docker.distribution.manifest.v1+prettyjws"),
        manifest(mediaType="text/html"),
        manifest(mediaType=7),
        b" " * (MANIFEST_BYTES_MAX + 1),
    ],
)
def test_what_is_none(content: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        read(content)


def test_the_request_and_the_manifest_must_agree() -> None:
    with pytest.raises(ManifestInvalid, match="the request that it is"):
        read(manifest(mediaType=OCI_MANIFEST), DOCKER_MANIFEST)
    with pytest.raises(ManifestInvalid, match="are not taken"):
        read(manifest(), "application/vnd.docker.distribution.manifest.v1+json")
