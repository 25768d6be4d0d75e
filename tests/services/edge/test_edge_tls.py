"""HTTPS: boto3 that insists on it, with the bodies that it sends over TLS; names, plain HTTP and CONNECT beside it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import socket
import ssl
import subprocess
import sys
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, SSLError

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def secured(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    running = type(server)(tmp_path_factory.mktemp("tls") / "data", ("--tls",)).start()
    environment_of(running)  # makes the bundle
    yield running
    running.stop()


def environment_of(server: Any) -> dict[str, str]:
    command = [sys.executable, "-m", "cloche.cli.main", "env", "--format", "json", "--data", str(server.data)]
    said: dict[str, str] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return said


def secure_client(server: Any, service: str, host: str = "127.0.0.1", **arguments: Any) -> Any:
    return server.client(
        service,
        endpoint_url=f"https://{host}:{server.port}",
        verify=str(server.data / "keys" / "bundle.pem"),
        **arguments,
    )


def test_the_environment_says_https(secured: Any) -> None:
    said = environment_of(secured)
    assert said["AWS_ENDPOINT_URL"] == f"https://127.0.0.1:{secured.port}"
    assert said["AWS_CA_BUNDLE"] == str(secured.data / "keys" / "bundle.pem")
    assert said["HTTPS_PROXY"] == f"http://127.0.0.1:{secured.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_control_planes(secured: Any, host: str) -> None:
    assert secure_client(secured, "sts", host).get_caller_identity()["Account"] == "123456789012"
    assert secure_client(secured, "sagemaker", host).list_training_jobs()["TrainingJobSummaries"] == []
    with pytest.raises(ClientError, match="ValidationException"):
        secure_client(secured, "sagemaker", host).describe_training_job(TrainingJobName="nobody")


def test_clients_that_do_not_trust_it_refuse(secured: Any) -> None:
    client = secured.client("sts", endpoint_url=f"https://127.0.0.1:{secured.port}")
    with pytest.raises(SSLError):
        client.get_caller_identity()


def test_a_put_with_a_trailer(secured: Any) -> None:
    s3 = secure_client(secured, "s3")
    s3.create_bucket(Bucket="trailers")
    sent: list[dict[str, str]] = []
    s3.meta.events.register("before-send.s3", lambda request, **_: sent.append(dict(request.headers.items())))
    body = b"0123456789abcdef" * 20_000  # 320 kB: more than one chunk
    answer = s3.put_object(Bucket="trailers", Key="one", Body=io.BytesIO(body), ChecksumAlgorithm="CRC32")
    said = {name.lower(): value if isinstance(value, str) else value.decode() for name, value in sent[-1].items()}
    assert said["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert said["x-amz-trailer"] == "x-amz-checksum-crc32"
    assert answer["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert s3.get_object(Bucket="trailers", Key="one")["Body"].read() == body


def test_a_trailer_that_lies_is_refused(secured: Any) -> None:
    s3 = secure_client(secured, "s3")
    s3.create_bucket(Bucket="liars")
    wrong = base64.b64encode(b"\0\0\0\1").decode()
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="liars", Key="one", Body=b"something else", ChecksumCRC32=wrong)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "Contents" not in s3.list_objects_v2(Bucket="liars")


def test_empty_and_unseekable_bodies(secured: Any) -> None:
    s3 = secure_client(secured, "s3")
    s3.create_bucket(Bucket="bodies")
    s3.put_object(Bucket="bodies", Key="empty", Body=b"")
    assert s3.get_object(Bucket="bodies", Key="empty")["Body"].read() == b""
    body = b"x" * 300_000
    s3.upload_fileobj(io.BufferedReader(Unseekable(body)), "bodies", "unseekable")
    assert s3.get_object(Bucket="bodies", Key="unseekable")["Body"].read() == body


class Unseekable(io.RawIOBase):
    def __init__(self, body: bytes) -> None:
        self._left = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def test_large_bodies_in_parts_and_whole(secured: Any, tmp_path: Path) -> None:
    s3 = secure_client(secured, "s3")
    s3.create_bucket(Bucket="large")
    body = b"".join(hashlib.sha256(bytes([n % 251])).digest() * (MIB // 32) for n in range(20))
    (tmp_path / "large").write_bytes(body)
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=6 * MIB, max_concurrency=3)
    s3.upload_file(str(tmp_path / "large"), "large", "parts", Config=parts)
    s3.put_object(Bucket="large", Key="whole", Body=body)
    for key in ("parts", "whole"):
        s3.download_file("large", key, str(tmp_path / key), Config=parts)
        assert (tmp_path / key).read_bytes() == body
    assert s3.head_object(Bucket="large", Key="parts")["ETag"].endswith('-4"')


def test_names_of_buckets_have_certificates(secured: Any) -> None:
    """A virtual host: the name asked for by SNI gets a certificate of its own."""
    secure_client(secured, "s3").create_bucket(Bucket="virtual")
    for host in ("virtual.localhost", "virtual.s3.localhost", "s3.us-east-1.amazonaws.com"):
        with connection_as(secured, host) as stream:
            names = [name for _, name in stream.getpeercert()["subjectAltName"]]  # type: ignore[index]
            assert names == [host]


def connection_as(server: Any, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(server.data / "keys" / "bundle.pem"))
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    return context.wrap_socket(plain, server_hostname=host)


def test_plain_http_and_connect_go_on_beside_it(secured: Any) -> None:
    assert secured.client("sts").get_caller_identity()["Account"] == "123456789012"
    with urllib.request.urlopen(f"{secured.url}/_cloche/health") as answer:
        assert answer.status == 200
    bundle = str(secured.data / "keys" / "bundle.pem")
    proxied = http.client.HTTPSConnection(
        "127.0.0.1", secured.port, timeout=30, context=ssl.create_default_context(cafile=bundle)
    )
    # The client asks for AWS's own name through the tunnel, in plain as proxies are asked.
    session = boto3.session.Session(**secured.keys, region_name="us-east-1")
    import botocore.config

    configuration = botocore.config.Config(proxies={"https": f"http://127.0.0.1:{secured.port}"})
    sts = session.client("sts", verify=bundle, config=configuration, endpoint_url="https://sts.us-east-1.amazonaws.com")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    sts.close()
    proxied.request("GET", "/_cloche/health")
    assert proxied.getresponse().status == 200
    proxied.close()


def test_a_hello_in_pieces_and_bytes_that_are_none(secured: Any) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cafile=str(secured.data / "keys" / "bundle.pem"))
    stream = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", secured.port), timeout=30) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                stream.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    plain.send(bytes([byte]))
                incoming.write(plain.recv(65536))
        assert stream.version() == "TLSv1.3"
    with socket.create_connection(("127.0.0.1", secured.port), timeout=30) as plain:
        plain.sendall(b"\x16\x03\x01\x00\x05nonsense" * 20)
        while plain.recv(4096):  # an alert, then the end
            pass
    assert secure_client(secured, "sts").get_caller_identity()["Account"] == "123456789012"


def test_many_connections_at_once(secured: Any) -> None:
    streams = [connection_as(secured, "localhost") for _ in range(40)]
    for stream in streams:
        stream.sendall(b"GET /_cloche/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for stream in streams:
        assert stream.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        stream.close()


def test_a_server_without_it_does_not_answer_it(server: Any) -> None:
    with pytest.raises(OSError), connection_as_any(server):
        pass


def connection_as_any(server: Any) -> ssl.SSLSocket:
    context = ssl._create_unverified_context()
    return context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=30))


# --- a certificate of one's own ------------------------------------------------------------------------------------


def own_certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "own.pem", folder / "own.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths[1].write_bytes(private)
    return paths


def test_a_certificate_of_ones_own_on_a_port_of_its_own(start_server: Callable[..., Any], tmp_path: Path) -> None:
    certificate, key = own_certificate(tmp_path, "cloche.example.test", "localhost")
    running = start_server("--tls-cert", str(certificate), "--tls-key", str(key), "--tls-port", "0")
    said = environment_of(running)
    assert said["AWS_ENDPOINT_URL"].startswith("https://localhost:")
    assert not said["AWS_ENDPOINT_URL"].endswith(f":{running.port}")
    sts = running.client("sts", endpoint_url=said["AWS_ENDPOINT_URL"], verify=said["AWS_CA_BUNDLE"])
    assert sts.get_caller_identity()["Account"] == "123456789012"
    context = ssl.create_default_context(cafile=str(certificate))
    port = int(said["AWS_ENDPOINT_URL"].rpartition(":")[2])
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    with context.wrap_socket(plain, server_hostname="cloche.example.test") as stream:
        stream.sendall(b"GET /_cloche/health HTTP/1.1\r\nHost: cloche.example.test\r\n\r\n")
        assert stream.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    certificate, key = own_certificate(tmp_path, "localhost")
    (tmp_path / "other").mkdir()
    _, other = own_certificate(tmp_path / "other", "localhost")
    for arguments, said in (
        (["--tls-cert", str(certificate)], "--tls-cert needs --tls-key"),
        (["--tls-key", str(key)], "--tls-key needs --tls-cert"),
        (["--tls-cert", str(certificate), "--tls-key", str(other)], "cannot be used"),
        (["--tls-cert", str(key), "--tls-key", str(key)], "cannot be used"),
    ):
        command = [sys.executable, "-m", "cloche.cli.main", "up", "--port", "0", "--data", str(tmp_path / "data")]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert said in done.stderr
