"""Cloche's certificates: a client that trusts its authority is content, and nobody else is."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from cloche.server.authority import Authority
from cloche.server.proxy import _target, upstream


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("keys"))
    made.ensure()
    return made


def handshake(authority: Authority, answered_as: str, asked_for: str, trusting: str | None) -> None:
    near, far = socket.socketpair()
    context = authority.context(answered_as)

    def answer() -> None:
        try:
            with context.wrap_socket(far, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            far.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        client = ssl.create_default_context(cafile=trusting)
        with client.wrap_socket(near, server_hostname=asked_for) as secured:
            secured.send(b"x")
    finally:
        near.close()
        thread.join()


def test_a_client_that_trusts_it(authority: Authority) -> None:
    handshake(authority, "sts.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com", str(authority.certificate))
    long = "a" * 60 + ".s3.eu-west-1.amazonaws.com"
    handshake(authority, long, long, str(authority.bundle))


def test_clients_that_do_not(authority: Authority) -> None:
    host = "sts.eu-west-1.amazonaws.com"
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority, host, host, None)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority, host, "iam.amazonaws.com", str(authority.certificate))


def test_files_are_private_and_kept(authority: Authority) -> None:
    before = authority.certificate.read_bytes()
    Authority(authority.certificate.parent).ensure()
    assert authority.certificate.read_bytes() == before
    assert {p.stat().st_mode & 0o777 for p in (authority.key, authority.certificate, authority.bundle)} == {0o600}
    left = {path.name for path in authority.certificate.parent.iterdir()}
    assert left == {"ca.pem", "ca.key", "bundle.pem", "ca.lock"}


def test_the_bundle_holds_the_public_authorities_too(authority: Authority) -> None:
    certificates = ssl.create_default_context(cafile=str(authority.bundle)).get_ca_certs()
    assert len(certificates) > 20


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"CONNECT sts.amazonaws.com:443 HTTP/1.1", ("sts.amazonaws.com", 443)),
        (b"CONNECT [::1]:8443 HTTP/1.1", ("::1", 8443)),
        (b"CONNECT sts.amazonaws.com HTTP/1.1", None),
        (b"CONNECT :443 HTTP/1.1", None),
        (b"CONNECT h:0 HTTP/1.1", None),
        (b"CONNECT h:99999 HTTP/1.1", None),
        (b"CONNECT h:443", None),
        (b"CONNECT h\x00:443 HTTP/1.1", None),
    ],
)
def test_what_is_asked_of_connect(line: bytes, target: tuple[str, int] | None) -> None:
    assert _target(line) == target


HERE = ("127.0.0.1", 4568)
"""Where the server's own listener is."""


def test_the_machines_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert upstream("packages.example", HERE) is None
    monkeypatch.setenv("https_proxy", "http://us%40er:pass@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "internal.example")
    found = upstream("packages.example", HERE)
    assert found is not None
    assert (found.host, found.port) == ("proxy.example", 3128)
    head = found.request(
        b"CONNECT packages.example:443 HTTP/1.1\r\nProxy-Authorization: Basic mine\r\nHost: packages.example:443"
    )
    assert b"Proxy-Authorization: Basic dXNAZXI6cGFzcw==\r\n\r\n" in head
    assert b"mine" not in head
    assert upstream("x.internal.example", HERE) is None


def test_the_authoritys_folder_is_not_the_system(tmp_path: Path) -> None:
    """A second data directory has an authority of its own."""
    other = Authority(tmp_path)
    other.ensure()
    assert other.certificate.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


def test_the_bundle_is_made_for_whoever_asks_first(tmp_path: Path) -> None:
    asked = Authority(tmp_path)
    assert not asked.bundle.exists()
    bundle = asked.ready_bundle()
    assert asked.certificate.read_text() in bundle.read_text()
    made = bundle.stat().st_mtime_ns
    assert asked.ready_bundle().stat().st_mtime_ns == made
