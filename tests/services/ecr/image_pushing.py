"""A client of the registry protocol that sends what it is told to, and small images to send."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from server_process import ServerProcess

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def described(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The one error of the spec's document."""
        (error,) = self.json["errors"]
        assert {"code", "message"} <= error.keys()
        return str(error["code"])


@dataclass(frozen=True)
class SmallImage:
    """A configuration, layers of a few bytes, and the manifest over them."""

    name: str
    """Makes its bytes its own."""
    members: Mapping[str, Any] = field(default_factory=dict)

    @property
    def layers(self) -> list[bytes]:
        return [f"a layer of {self.name}".encode(), f"another of {self.name}".encode()]

    @property
    def config(self) -> bytes:
        return json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"of": self.name}}}).encode()

    @property
    def manifest(self) -> bytes:
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": described(self.config, OCI_CONFIG),
                "layers": [described(layer, OCI_LAYER) for layer in self.layers],
                **self.members,
            }
        ).encode()

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


class RegistryClient:
    """Of one server, with the token of one account."""

    def __init__(self, server: ServerProcess, region: str = "us-east-1", **arguments: Any) -> None:
        self.port = server.port
        data = server.client("ecr", region_name=region, **arguments).get_authorization_token()
        self.token = data["authorizationData"][0]["authorizationToken"]

    @property
    def password(self) -> str:
        return base64.b64decode(self.token).decode().removeprefix("AWS:")

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """``token`` empty sends none. Header names in Python's spelling: ``content_range``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token != "":
            sent["authorization"] = f"Basic {token or self.token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, sent, encode_chunked=not isinstance(body, bytes | None))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def upload(self, repository: str) -> str:
        """Begins one; where to send it."""
        begun = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert begun.status == 202, begun
        return begun.headers["location"]

    def push_blob(self, repository: str, content: bytes) -> str:
        digest = digest_of(content)
        done = self.ask("PUT", f"{self.upload(repository)}?digest={digest}", content)
        assert done.status == 201, done
        return digest

    def push(self, repository: str, image: SmallImage, reference: str = "") -> str:
        """The whole image; its digest."""
        for content in (image.config, *image.layers):
            self.push_blob(repository, content)
        put = self.put_manifest(repository, image.manifest, reference or image.digest)
        assert put.status == 201, put
        return image.digest

    def put_manifest(self, repository: str, content: bytes, reference: str, media_type: str = OCI_MANIFEST) -> Answer:
        return self.ask("PUT", f"/v2/{repository}/manifests/{reference}", content, content_type=media_type)
