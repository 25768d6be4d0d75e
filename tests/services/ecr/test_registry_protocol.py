"""Pull, push, content discovery and content management, as the OCI distribution spec's conformance suite has them
(github.com/opencontainers/distribution-spec, conformance/); each against a repository of its own."""

from __future__ import annotations

import json

import pytest
from image_pushing import (
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    RegistryClient,
    SmallImage,
    described,
    digest_of,
)

from server_process import ServerProcess

NOWHERE = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def registry(server: ServerProcess) -> RegistryClient:
    return RegistryClient(server)


@pytest.fixture
def repository(server: ServerProcess, request: pytest.FixtureRequest) -> str:
    name = "spec/" + request.node.name.removeprefix("test_").replace("_", "-").partition("[")[0]
    server.client("ecr").create_repository(repositoryName=name)
    return name


# -- who may ---------------------------------------------------------------------------------------------------


def test_a_client_is_told_how_to_get_in(registry: RegistryClient) -> None:
    for path in ("/v2/", "/v2", "/v2/a/b/manifests/1"):
        answer = registry.ask("GET", path, token="")
        assert answer.status == 401
        assert answer.code == "UNAUTHORIZED"
        assert answer.headers["www-authenticate"] == (
            f'Basic realm="http://127.0.0.1:{registry.port}/",service="ecr.amazonaws.com"'
        )
    answer = registry.ask("GET", "/v2/")
    assert (answer.status, answer.headers["docker-distribution-api-version"]) == (200, "registry/2.0")


# -- pull ------------------------------------------------------------------------------------------------------


def test_manifests_and_blobs_are_pulled(registry: RegistryClient, repository: str) -> None:
    image = SmallImage(repository)
    registry.push(repository, image, "latest")
    for reference in ("latest", image.digest):
        for method in ("HEAD", "GET"):
            found = registry.ask(method, f"/v2/{repository}/manifests/{reference}", accept=OCI_MANIFEST)
            assert found.status == 200
            assert found.headers["content-type"] == OCI_MANIFEST
            assert found.headers["docker-content-digest"] == image.digest
            assert int(found.headers["content-length"]) == len(image.manifest)
            assert found.body == (image.manifest if method == "GET" else b"")
    layer = image.layers[0]
    path = f"/v2/{repository}/blobs/{digest_of(layer)}"
    head = registry.ask("HEAD", path)
    assert (head.status, int(head.headers["content-length"]), head.body) == (200, len(layer), b"")
    assert registry.ask("GET", path).body == layer
    encoded = registry.ask("GET", path.replace(":", "%3A"))
    assert encoded.body == layer


def test_what_is_not_there(registry: RegistryClient, repository: str) -> None:
    for method in ("GET", "HEAD"):
        for path, code in (
            (f"{repository}/manifests/nope", "MANIFEST_UNKNOWN"),
            (f"{repository}/manifests/{NOWHERE}", "MANIFEST_UNKNOWN"),
            (f"{repository}/blobs/{NOWHERE}", "BLOB_UNKNOWN"),
            ("spec/never-made/manifests/1", "NAME_UNKNOWN"),
            ("spec/never-made/tags/list" if method == "GET" else f"spec/never-made/blobs/{NOWHERE}", "NAME_UNKNOWN"),
        ):
            answer = registry.ask(method, f"/v2/{path}")
            assert answer.status == 404, path
            assert method == "HEAD" or answer.code == code


def test_ranges_of_a_blob(registry: RegistryClient, repository: str) -> None:
    content = bytes(range(100))
    path = f"/v2/{repository}/blobs/{registry.push_blob(repository, content)}"
    for asked, got in (("bytes=10-19", content[10:20]), ("bytes=90-", content[90:]), ("bytes=-5", content[-5:])):
        answer = registry.ask("GET", path, range=asked)
        assert (answer.status, answer.body) == (206, got)
    assert registry.ask("GET", path, range="bytes=10-19").headers["content-range"] == "bytes 10-19/100"
    beyond = registry.ask("GET", path, range="bytes=100-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */100")


# -- push ------------------------------------------------------------------------------------------------------


def test_a_blob_in_one_request(registry: RegistryClient, repository: str) -> None:
    content = b"all at once"
    done = registry.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(content)}", content)
    assert (done.status, done.headers["location"]) == (201, f"/v2/{repository}/blobs/{digest_of(content)}")
    assert registry.ask("GET", done.headers["location"]).body == content
    empty = registry.push_blob(repository, b"")
    assert registry.ask("GET", f"/v2/{repository}/blobs/{empty}").body == b""


def test_a_blob_streamed(registry: RegistryClient, repository: str) -> None:
    """Docker's way: one PATCH of chunks without a length, and an empty PUT."""
    pieces = [bytes([number]) * 100_000 for number in range(30)]
    where = registry.upload(repository)
    sent = registry.ask("PATCH", where, iter(pieces))
    assert (sent.status, sent.headers["range"]) == (202, "0-2999999")
    digest = digest_of(b"".join(pieces))
    assert registry.ask("PUT", f"{sent.headers['location']}?digest={digest}").status == 201
    assert registry.ask("GET", f"/v2/{repository}/blobs/{digest}").body == b"".join(pieces)
    assert registry.ask("GET", where).code == "BLOB_UPLOAD_UNKNOWN"


def test_a_blob_in_chunks(registry: RegistryClient, repository: str) -> None:
    first, second = b"the first chunk, ", b"and the last"
    where = registry.upload(repository)
    status = registry.ask("GET", where)
    assert (status.status, status.headers["range"]) == (204, "0-0")
    early = registry.ask("PATCH", where, second, content_range=f"{len(first)}-{len(first + second) - 1}")
    assert (early.status, early.code, early.headers["range"]) == (416, "BLOB_UPLOAD_INVALID", "0-0")
    sent = registry.ask("PATCH", where, first, content_range=f"0-{len(first) - 1}")
    assert (sent.status, sent.headers["range"]) == (202, f"0-{len(first) - 1}")
    again = registry.ask("PATCH", where, first, content_range=f"0-{len(first) - 1}")
    assert (again.status, again.headers["range"]) == (416, f"0-{len(first) - 1}")
    status = registry.ask("GET", again.headers["location"])
    assert status.headers["range"] == f"0-{len(first) - 1}"
    lying = registry.ask("PATCH", where, second, content_range=f"{len(first)}-{len(first) + 99}")
    assert (lying.status, lying.code) == (400, "SIZE_INVALID")
    digest = digest_of(first + second)
    done = registry.ask(
        "PUT", f"{where}?digest={digest}", second, content_range=f"{len(first)}-{len(first + second) - 1}"
    )
    assert done.status == 201
    assert registry.ask("GET", done.headers["location"]).body == first + second


def test_a_wrong_digest_is_refused(registry: RegistryClient, repository: str) -> None:
    where = registry.upload(repository)
    assert registry.ask("PATCH", where, b"content").status == 202
    for digest in (NOWHERE, "sha256:short", "md5:" + "0" * 32, ""):
        answer = registry.ask("PUT", f"{where}?digest={digest}")
        assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    at_once = registry.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={NOWHERE}", b"content")
    assert (at_once.status, at_once.code) == (400, "DIGEST_INVALID")
    assert registry.ask("HEAD", f"/v2/{repository}/blobs/{digest_of(b'content')}").status == 404
    assert registry.ask("PUT", f"{where}?digest={digest_of(b'content')}").status == 201


def test_an_upload_is_given_up(registry: RegistryClient, repository: str, server: ServerProcess) -> None:
    where = registry.upload(repository)
    registry.ask("PATCH", where, b"half of it")
    part = server.data / "registry" / "uploads" / where.rpartition("/")[2]
    assert part.read_bytes() == b"half of it"
    assert registry.ask("DELETE", where).status == 204
    assert registry.ask("DELETE", where).code == "BLOB_UPLOAD_UNKNOWN"
    assert not part.exists()


def test_a_blob_of_another_repository(registry: RegistryClient, repository: str, server: ServerProcess) -> None:
    other = f"{repository}/other"
    server.client("ecr").create_repository(repositoryName=other)
    digest = registry.push_blob(repository, b"to be mounted")
    assert registry.ask("HEAD", f"/v2/{other}/blobs/{digest}").status == 404
    mounted = registry.ask("POST", f"/v2/{other}/blobs/uploads/?mount={digest}&from={repository}")
    assert (mounted.status, mounted.headers["location"]) == (201, f"/v2/{other}/blobs/{digest}")
    assert registry.ask("GET", mounted.headers["location"]).body == b"to be mounted"
    for query in (f"mount={NOWHERE}&from={repository}", f"mount={digest}&from=spec/never-made", f"mount={NOWHERE}"):
        refused = registry.ask("POST", f"/v2/{other}/blobs/uploads/?{query}")
        assert refused.status == 202, "it has to be sent"
        assert registry.ask("DELETE", refused.headers["location"]).status == 204


def test_manifests_are_checked(registry: RegistryClient, repository: str) -> None:
    image = SmallImage(repository)
    missing = registry.put_manifest(repository, image.manifest, "1")
    assert (missing.status, missing.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert set(missing.json["errors"][0]["detail"]) == {digest_of(each) for each in (image.config, *image.layers)}
    registry.push(repository, image, "1")
    wrong = registry.put_manifest(repository, image.manifest, NOWHERE)
    assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
    other = registry.put_manifest(repository, image.manifest, "1", DOCKER_MANIFEST)
    assert (other.status, other.code) == (400, "MANIFEST_INVALID")
    assert registry.put_manifest(repository, image.manifest, "1").status == 201, "putting again is no error"
    lying = json.loads(image.manifest)
    lying["layers"][0]["size"] += 1
    answer = registry.put_manifest(repository, json.dumps(lying).encode(), "1")
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_an_index_over_images(registry: RegistryClient, repository: str) -> None:
    one, two = SmallImage(f"{repository} one"), SmallImage(f"{repository} two")
    children = [described(each.manifest, OCI_MANIFEST) for each in (one, two)]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}).encode()
    missing = registry.put_manifest(repository, index, "all", OCI_INDEX)
    assert (missing.status, missing.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    registry.push(repository, one)
    registry.push(repository, two)
    put = registry.put_manifest(repository, index, "all", OCI_INDEX)
    assert (put.status, put.headers["docker-content-digest"]) == (201, digest_of(index))
    kept = registry.ask("DELETE", f"/v2/{repository}/manifests/{one.digest}")
    assert (kept.status, kept.code) == (409, "DENIED")
    assert registry.ask("DELETE", f"/v2/{repository}/manifests/{digest_of(index)}").status == 202
    assert registry.ask("DELETE", f"/v2/{repository}/manifests/{one.digest}").status == 202


# -- content discovery -----------------------------------------------------------------------------------------


def test_tags_in_pages(registry: RegistryClient, repository: str) -> None:
    assert registry.ask("GET", f"/v2/{repository}/tags/list").json == {"name": repository, "tags": []}
    image = SmallImage(repository)
    registry.push(repository, image, "b")
    for tag in ("c", "a", "d"):
        assert registry.put_manifest(repository, image.manifest, tag).status == 201
    everything = registry.ask("GET", f"/v2/{repository}/tags/list")
    assert everything.json["tags"] == ["a", "b", "c", "d"]
    assert "link" not in everything.headers
    seen, path = [], f"/v2/{repository}/tags/list?n=3"
    while path:
        page = registry.ask("GET", path)
        seen.append(page.json["tags"])
        link = page.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        path = link[1:].partition(">")[0]
    assert seen == [["a", "b", "c"], ["d"]]
    assert registry.ask("GET", f"/v2/{repository}/tags/list?n=0").json["tags"] == []
    assert registry.ask("GET", f"/v2/{repository}/tags/list?last=b").json["tags"] == ["c", "d"]
    assert registry.ask("GET", f"/v2/{repository}/tags/list?n=x").status == 400


def test_repositories_in_pages(registry: RegistryClient, repository: str) -> None:
    found, path = [], "/v2/_catalog?n=2"
    while path:
        page = registry.ask("GET", path)
        found += page.json["repositories"]
        path = page.headers.get("link", "")[1:].partition(">")[0]
    assert repository in found
    assert found == sorted(set(found))


def test_referrers(registry: RegistryClient, repository: str) -> None:
    subject = SmallImage(repository)
    reference = {"subject": described(subject.manifest, OCI_MANIFEST), "annotations": {"why": "a test"}}
    signature = SmallImage(f"{repository} signature", {**reference, "artifactType": "application/x.signature"})
    sbom = SmallImage(f"{repository} sbom", {**reference, "artifactType": "application/x.sbom"})
    path = f"/v2/{repository}/referrers/{subject.digest}"
    none = registry.ask("GET", path)
    assert (none.status, none.headers["content-type"], none.json["manifests"]) == (200, OCI_INDEX, [])
    for artifact in (signature, sbom):  # before their subject is there
        for content in (artifact.config, *artifact.layers):
            registry.push_blob(repository, content)
        put = registry.put_manifest(repository, artifact.manifest, artifact.digest)
        assert (put.status, put.headers["oci-subject"]) == (201, subject.digest)
    registry.push(repository, subject, "subject")
    found = registry.ask("GET", path).json["manifests"]
    assert {each["digest"] for each in found} == {signature.digest, sbom.digest}
    filtered = registry.ask("GET", f"{path}?artifactType=application/x.sbom")
    assert filtered.headers["oci-filters-applied"] == "artifactType"
    assert filtered.json["manifests"] == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": sbom.digest,
            "size": len(sbom.manifest),
            "artifactType": "application/x.sbom",
            "annotations": {"why": "a test"},
        }
    ]


# -- content management ----------------------------------------------------------------------------------------


def test_tags_images_and_blobs_are_deleted(registry: RegistryClient, repository: str) -> None:
    image = SmallImage(repository)
    registry.push(repository, image, "1")
    assert registry.ask("DELETE", f"/v2/{repository}/manifests/1").status == 202
    assert registry.ask("GET", f"/v2/{repository}/manifests/1").status == 404
    assert registry.ask("GET", f"/v2/{repository}/manifests/{image.digest}").status == 200
    layer = f"/v2/{repository}/blobs/{digest_of(image.layers[0])}"
    needed = registry.ask("DELETE", layer)
    assert (needed.status, needed.code) == (409, "DENIED")
    assert registry.ask("DELETE", f"/v2/{repository}/manifests/{image.digest}").status == 202
    assert registry.ask("DELETE", f"/v2/{repository}/manifests/{image.digest}").code == "MANIFEST_UNKNOWN"
    assert registry.ask("DELETE", layer).status == 202
    assert registry.ask("DELETE", layer).code == "BLOB_UNKNOWN"


def test_methods_that_are_not_offered(registry: RegistryClient, repository: str) -> None:
    for method, path in (
        ("PUT", f"/v2/{repository}/tags/list"),
        ("POST", f"/v2/{repository}/manifests/1"),
        ("PATCH", f"/v2/{repository}/blobs/{NOWHERE}"),
        ("DELETE", "/v2/"),
    ):
        answer = registry.ask(method, path)
        assert (answer.status, answer.code) == (405, "UNSUPPORTED")
