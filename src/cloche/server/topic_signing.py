"""The certificate under which Cloche signs notifications, and the route that tells it.

Made at the first signature, from Cloche's own authority; the key stays in the private folder. RSA, because receivers
verify ``SHA1withRSA`` and ``SHA256withRSA`` and nothing else
(docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html). The certificate's name holds its digest, as on
AWS, so that a receiver may keep what it has read.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.server.authority import Authority
from cloche.server.directory import write_private

ROUTE: Final = "/_cloche/sns/"


class TopicSigner:
    """A ``Signer`` of the topics' engine."""

    def __init__(self, authority: Authority, keys: Path, url: str) -> None:
        self._authority, self._path, self.url = authority, keys / "sns.pem", url
        self._lock = threading.Lock()

    @property
    def certificate_url(self) -> str:
        return f"{self.url}{ROUTE}{self._name}"

    @property
    def certificate(self) -> bytes:
        """PEM."""
        return self._made[1]

    def is_name(self, name: str) -> bool:
        return name == self._name

    @cached_property
    def _name(self) -> str:
        return f"SimpleNotificationService-{hashlib.md5(self.certificate, usedforsecurity=False).hexdigest()}.pem"

    def sign(self, text: str, version: str) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        digest = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - what version 1 is
        return base64.b64encode(self._made[0].sign(text.encode(), PKCS1v15(), digest)).decode()

    @property
    def _made(self) -> tuple[Any, bytes]:
        with self._lock:
            return self._key_and_certificate

    @cached_property
    def _key_and_certificate(self) -> tuple[Any, bytes]:
        from cryptography.hazmat.primitives import serialization

        if not self._path.exists() or _ends_soon(self._path.read_bytes()):
            write_private(self._path, self._authority.rsa_identity("sns.amazonaws.com").decode())
        pem = self._path.read_bytes()
        at = pem.index(b"-----BEGIN CERTIFICATE-----")
        return serialization.load_pem_private_key(pem[:at], password=None), pem[at:]


def _ends_soon(pem: bytes) -> bool:
    """By the machine's clock, which receivers check certificates with."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(pem).not_valid_after_utc < datetime.now(UTC) + timedelta(days=30)


class CertificateRoute:
    def __init__(self, signer: TopicSigner) -> None:
        self._signer = signer

    def owns(self, path: str) -> bool:
        return path.startswith(ROUTE)

    def admit(self, request: HttpRequest) -> None:
        """Anybody may read it."""
        if request.method != "GET":
            raise AwsError("MethodNotAllowed", "This is for GET.", 405)

    def answer(self, request: HttpRequest) -> HttpResponse:
        if not self._signer.is_name(request.path.removeprefix(ROUTE)):
            raise AwsError("NotFound", "There is no such certificate here.", 404)
        return HttpResponse(200, [("content-type", "application/x-pem-file")], self._signer.certificate)
