"""Cloche's own certificate authority, for the AWS host names that clients insist on reaching by https.

Made at the first start, for this data directory alone; its key never leaves it (0600) and no system store is
touched: only programs started with ``cloche run`` or ``cloche env`` trust it. Certificates for hosts are made when
a host is first asked for. ``cryptography`` is imported then, not before: it costs 10 MB.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import ssl
import tempfile
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any, Final

from cloche.server.directory import write_private

_YEARS: Final = 10
_LEAF_DAYS: Final = 397
_CONTEXTS_MAX: Final = 64


class Authority:
    """``folder`` is the private ``keys`` folder of the data directory. ``also`` is a certificate that the bundle is
    to hold besides: one that the user gave for ``--tls``."""

    def __init__(self, folder: Path, also: Path | None = None) -> None:
        self._also = also
        self.certificate = folder / "ca.pem"
        self.key = folder / "ca.key"
        self.bundle = folder / "bundle.pem"
        self._folder = folder
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._lock = Lock()
        self._loaded: tuple[Any, Any] | None = None
        self._leaf_key: Any = None

    def ensure(self) -> None:
        """Make the authority if it is not there, and the bundle of it with the public authorities.

        The server and the commands may call it at the same moment: whoever comes first makes it.
        """
        lock = os.open(self._folder / "ca.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(lock, "a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self._ensure()

    def ready_bundle(self) -> Path:
        """The bundle, made first where it is not there yet: a job may come in a server's first moments."""
        if not self.bundle.exists():
            self.ensure()
        return self.bundle

    def _ensure(self) -> None:
        if not (self.certificate.exists() and self.key.exists()):
            _make(self.certificate, self.key)
        bundle = public_authorities(besides=self.bundle) + self.certificate.read_text()
        if self._also is not None:
            bundle += self._also.read_text()
        if not self.bundle.exists() or self.bundle.read_text() != bundle:
            write_private(self.bundle, bundle)

    def context(self, host: str) -> ssl.SSLContext:
        """What answers TLS as ``host``."""
        with self._lock:
            found = self._contexts.get(host)
            if found is None:
                found = self._contexts[host] = self._new_context(host)
                if len(self._contexts) > _CONTEXTS_MAX:
                    self._contexts.popitem(last=False)
            self._contexts.move_to_end(host)
            return found

    def _new_context(self, host: str) -> ssl.SSLContext:
        return self.context_for((host,))

    def context_for(self, names: tuple[str, ...]) -> ssl.SSLContext:
        """What answers TLS under all of these names and addresses; the first is the certificate's subject."""
        chain = self._leaf(names)
        context = server_context()
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".pem") as file:
            file.write(chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def rsa_identity(self, name: str) -> bytes:
        """A new RSA key and its certificate for that name, as PEM: for signatures that receivers expect of RSA."""
        from cryptography.hazmat.primitives.asymmetric import rsa

        with self._lock:
            return self._certified((name,), rsa.generate_private_key(public_exponent=65_537, key_size=2_048))

    def _leaf(self, names: tuple[str, ...]) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec

        if self._leaf_key is None:
            self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        return self._certified(names, self._leaf_key)

    def _certified(self, names: tuple[str, ...], subject_key: Any) -> bytes:
        """The key and a certificate of its public half."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID

        if self._loaded is None:
            self.ensure()
            key = serialization.load_pem_private_key(self.key.read_bytes(), password=None)
            self._loaded = (x509.load_pem_x509_certificate(self.certificate.read_bytes()), key)
        issuer, issuer_key = self._loaded
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
        now = datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer.subject)
            .public_key(subject_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=_LEAF_DAYS))
            .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usages, critical=False)
            .add_extension(authority_id, critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        key_bytes: bytes = subject_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key_bytes + certificate.public_bytes(serialization.Encoding.PEM)


def server_context() -> ssl.SSLContext:
    """TLS 1.2 or newer, HTTP/1.1 inside; its certificate is yet to be loaded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _alternative(name: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


_CHOSEN: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")


def public_authorities(*, besides: Path) -> str:
    """What a client would trust without us: the system's authorities (else those botocore carries), and what this
    process's environment names besides them, for networks with an authority of their own."""
    found: list[str] = []
    system = ssl.get_default_verify_paths().cafile
    named = [Path(os.environ[name]) for name in _CHOSEN if os.environ.get(name)]
    for path in dict.fromkeys([*([Path(system)] if system else [_carried()]), *named]):
        if path.is_file() and path != besides:
            text = path.read_text(errors="ignore").strip() + "\n"
            if text not in found:
                found.append(text)
    return "".join(found)


def _carried() -> Path:
    spec = importlib.util.find_spec("botocore")
    return Path(spec.origin).with_name("cacert.pem") if spec is not None and spec.origin else Path()


def _make(certificate_path: Path, key_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Cloche"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "Cloche, this machine's own authority"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(key_path, pem.decode())
    write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM).decode())
