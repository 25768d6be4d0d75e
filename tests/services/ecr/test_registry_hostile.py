"""Requests of the registry protocol that mean no good."""

from __future__ import annotations

import base64
import json
import socket
import time

import pytest
from image_pushing import OCI_INDEX, OCI_MANIFEST, RegistryClient, SmallImage, described, digest_of

from server_process import ServerProcess

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def registry(server: ServerProcess) -> RegistryClient:
    server.client("ecr").create_repository(repositoryName="hostile/things")
    return RegistryClient(server)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/../keys/manifests/1", 400, "NAME_INVALID"),
        ("/v2/%2e%2e/%2e%2e/keys/manifests/1", 400, "NAME_INVALID"),
        ("/v2/hostile//things/manifests/1", 400, "NAME_INVALID"),
        ("/v2/hostile%2fthings/manifests/none", 404, "MANIFEST_UNKNOWN"),
        ("/v2/hostile/things%00/manifests/1", 400, "NAME_INVALID"),
        ("/v2/Hostile/manifests/1", 400, "NAME_INVALID"),
        ("/v2/" + "a/" * 200 + "b/manifests/1", 400, "NAME_INVALID"),
        ("/v2/" + "a" * 2_000 + "/manifests/1", 404, "UNSUPPORTED"),
        ("/v2/" + "-" * 800 + "/manifests/1", 400, "NAME_INVALID"),
        ("/v2/hostile/things/manifests/..", 400, "TAG_INVALID"),
        ("/v2/hostile/things/manifests/" + "t" * 129, 400, "TAG_INVALID"),
        ("/v2/hostile/things/manifests/sha256:../../x", 404, "UNSUPPORTED"),
        ("/v2/hostile/things/manifests/sha256:abc", 400, "DIGEST_INVALID"),
        ("/v2/hostile/things/blobs/sha256:" + "A" * 64, 400, "DIGEST_INVALID"),
        ("/v2/hostile/things/blobs/sha256:" + "0" * 63 + "%2f", 404, "UNSUPPORTED"),
        ("/v2/hostile/things/blobs/uploads/../../../keys", 404, "UNSUPPORTED"),
        ("/v2/hostile/things/blobs/uploads/index.json", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/hostile/things/blobs/uploads/" + "0" * 8 + "-0000-0000-0000-" + "0" * 12, 404, "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/hostile/things/referrers/none", 400, "DIGEST_INVALID"),
        ("/v2/hostile/things", 404, "UNSUPPORTED"),
    ],
)
def test_paths(registry: RegistryClient, path: str, status: int, code: str) -> None:
    answer = registry.ask("GET", path)
    assert (answer.status, answer.code) == (status, code)


def test_a_layer_is_for_those_who_have_it(registry: RegistryClient, server: ServerProcess) -> None:
    """A digest is no secret: nobody gets a blob of another repository by knowing its digest."""
    server.client("ecr").create_repository(repositoryName="hostile/other")
    digest = registry.push_blob("hostile/things", b"of one repository")
    assert registry.ask("GET", f"/v2/hostile/other/blobs/{digest}").status == 404
    image = SmallImage("hostile", {"layers": [described(b"of one repository", "application/x.layer")]})
    registry.push_blob("hostile/other", image.config)
    answer = registry.put_manifest("hostile/other", image.manifest, "1")
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_manifests_are_no_larger_than_four_mebibytes(registry: RegistryClient) -> None:
    head = (
        f"PUT /v2/hostile/things/manifests/1 HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic {registry.token}\r\n"
    )
    with socket.create_connection(("127.0.0.1", registry.port), timeout=30) as connection:
        connection.sendall(f"{head}content-length: {4 * MIB + 1}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4_096), b""))
    assert answer.startswith(b"HTTP/1.1 413 ") and b"SIZE_INVALID" in answer, "before the body has come"
    assert registry.put_manifest("hostile/things", b" " * 4 * MIB, "1").code == "MANIFEST_INVALID"
    for content in (b"[" * MIB, b"\xff\xfe", json.dumps({"schemaVersion": 1}).encode()):
        assert registry.put_manifest("hostile/things", content, "1").code == "MANIFEST_INVALID"


def test_lists_of_lists_end_somewhere(registry: RegistryClient) -> None:
    image = SmallImage("hostile/deep")
    registry.push("hostile/things", image)
    content, kind, statuses = image.manifest, OCI_MANIFEST, []
    for _ in range(5):
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [described(content, kind)]}
        content, kind = json.dumps(index).encode(), OCI_INDEX
        statuses.append(registry.put_manifest("hostile/things", content, digest_of(content), kind).status)
    assert statuses == [201, 201, 201, 201, 400]


def test_nobody_gets_in_by_another_door(registry: RegistryClient, server: ServerProcess) -> None:
    key = server.keys["aws_access_key_id"]
    for secret in (server.keys["aws_secret_access_key"], "", registry.token):
        pair = base64.b64encode(f"{key}:{secret}".encode()).decode()
        assert registry.ask("GET", "/v2/", token=pair).status == 401
    assert registry.ask("GET", "/v2/", token=registry.token[:-4]).status == 401
    page = registry.ask("GET", "/v2/_catalog", origin="http://elsewhere.example")
    assert page.status == 403, "a web page of another origin"
    assert registry.ask("GET", "/v2/_catalog", host="elsewhere.example").status == 403


def test_two_requests_do_not_mix_in_one_upload(registry: RegistryClient) -> None:
    where = registry.upload("hostile/things")
    head = f"PATCH {where} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic {registry.token}\r\n"
    with socket.create_connection(("127.0.0.1", registry.port), timeout=30) as slow:
        slow.sendall(f"{head}content-length: {2 * MIB}\r\n\r\n".encode() + b"s" * (MIB + 1))
        statuses = set()
        while 409 not in statuses:
            time.sleep(0.02)
            statuses.add(registry.ask("GET", where).status)
        assert registry.ask("PATCH", where, b"quick").code == "BLOB_UPLOAD_INVALID"
    while (status := registry.ask("GET", where)).status == 409:
        time.sleep(0.02)
    assert status.headers["range"] in {f"0-{size - 1}" for size in range(1, 2 * MIB)} | {"0-0"}
    assert registry.ask("DELETE", where).status == 204
