"""InvokeEndpoint on the wire: the short way and the ordinary one say the same, and neither lets anybody by.

``server/quick`` takes plain requests; a header it does not expect sends the very same request the ordinary way.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from runtime_requests import Hosting, endpoint_that_serves, hosting_of

CSV = {"Content-Type": "text/csv"}
VARYING = {"date", "x-amzn-requestid"}


class Wire:
    """Signed requests to one server, sent as they are."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def signed(self, path: str, body: bytes, headers: dict[str, str], service: str = "sagemaker") -> dict[str, str]:
        keys = self.server.keys
        request = AWSRequest("POST", self.server.url + path, headers=headers, data=body)
        credentials = Credentials(keys["aws_access_key_id"], keys["aws_secret_access_key"])
        SigV4Auth(credentials, service, "us-east-1").add_auth(request)
        return dict(request.headers.items())

    def send(self, path: str, body: bytes, headers: dict[str, str], *, short: bool) -> tuple[int, dict[str, str], Any]:
        more = {} if short else {"Content-Encoding": "identity"}
        self.connection.request("POST", path, body, {**headers, **more})
        answer = self.connection.getresponse()
        shown = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in VARYING}
        return answer.status, shown, answer.read()


@pytest.fixture(scope="module")
def hosting(server: Any) -> Hosting:
    return hosting_of(server)


@pytest.fixture(scope="module")
def path(hosting: Hosting) -> Iterator[str]:
    name = endpoint_that_serves(hosting)
    yield f"/endpoints/{name}/invocations"
    hosting.gone(name)


@pytest.fixture
def wire(server: Any) -> Iterator[Wire]:
    made = Wire(server)
    yield made
    made.connection.close()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"0.5,1.0", CSV, 200),
        (b"0.5,1.0\n1,2", CSV, 200),
        (b"0.5,1.0", {**CSV, "Accept": "application/json"}, 200),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Target-Variant": "AllTraffic"}, 200),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Custom-Attributes": "a=b"}, 200),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Inference-Id": "one two"}, 200),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Inference-Id": "x" * 65}, 400),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Session-Id": "none"}, 400),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Inference-Component": "none"}, 400),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Inference-Component": "-none"}, 400),
        (b"", CSV, 200),
        (b"not,numbers", CSV, 424),
        (b"0.5,1.0", {"Content-Type": "image/png"}, 424),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Target-Variant": "Other"}, 400),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Target-Variant": "-bad-"}, 400),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Target-Model": "m"}, 400),
        (b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Custom-Attributes": "x" * 1025}, 400),
    ],
)
def test_both_ways_say_the_same(wire: Wire, path: str, body: bytes, headers: dict[str, str], status: int) -> None:
    full = wire.signed(path, body, headers)
    short, again, ordinary = (wire.send(path, body, full, short=short) for short in (True, True, False))
    assert short == again == ordinary  # the second by what was remembered of the first
    assert short[0] == status, short


@pytest.mark.parametrize("name", ["none", "a" * 64, "-bad-", "a%2Fb"])
def test_both_ways_refuse_the_same_names(wire: Wire, name: str) -> None:
    path = f"/endpoints/{name}/invocations"
    full = wire.signed(path, b"1", CSV)
    short, ordinary = (wire.send(path, b"1", full, short=short) for short in (True, False))
    assert short == ordinary
    assert short[0] >= 400


@pytest.mark.parametrize("short", [True, False])
class TestForged:
    """Nobody gets to a model without a signature that holds."""

    def refusal(self, answer: tuple[int, dict[str, str], bytes]) -> str:
        status, headers, body = answer
        assert status in (400, 403), answer
        assert b"0." not in body[:4]
        return headers.get("x-amzn-errortype", "") or body.decode()

    def test_another_body(self, wire: Wire, path: str, short: bool) -> None:
        headers = wire.signed(path, b"0.5,1.0", CSV)
        assert "Signature" in self.refusal(wire.send(path, b"0.5,2.0", headers, short=short))

    def test_another_header(self, wire: Wire, path: str, short: bool) -> None:
        headers = wire.signed(path, b"0.5,1.0", {**CSV, "X-Amzn-SageMaker-Target-Variant": "AllTraffic"})
        headers["X-Amzn-SageMaker-Target-Variant"] = "Other"
        assert "Signature" in self.refusal(wire.send(path, b"0.5,1.0", headers, short=short))

    def test_another_path(self, wire: Wire, path: str, short: bool) -> None:
        headers = wire.signed("/endpoints/other/invocations", b"0.5,1.0", CSV)
        assert "Signature" in self.refusal(wire.send(path, b"0.5,1.0", headers, short=short))

    def test_a_key_nobody_has(self, wire: Wire, path: str, short: bool) -> None:
        headers = wire.signed(path, b"0.5,1.0", CSV)
        known = wire.server.keys["aws_access_key_id"]
        headers["Authorization"] = headers["Authorization"].replace(known, "AKIAAAAAAAAAAAAAAAAA")
        self.refusal(wire.send(path, b"0.5,1.0", headers, short=short))

    def test_no_signature(self, wire: Wire, path: str, short: bool) -> None:
        self.refusal(wire.send(path, b"0.5,1.0", CSV, short=short))

    def test_an_old_signature(self, wire: Wire, path: str, short: bool) -> None:
        headers = wire.signed(path, b"0.5,1.0", CSV)
        headers["X-Amz-Date"] = "20200101T000000Z"
        self.refusal(wire.send(path, b"0.5,1.0", headers, short=short))

    def test_a_foreign_host(self, wire: Wire, path: str, short: bool) -> None:
        headers = {**wire.signed(path, b"0.5,1.0", CSV), "Host": "evil.example"}
        self.refusal(wire.send(path, b"0.5,1.0", headers, short=short))

    def test_a_web_pages_request(self, wire: Wire, path: str, short: bool) -> None:
        headers = {**wire.signed(path, b"0.5,1.0", CSV), "Origin": "https://evil.example"}
        self.refusal(wire.send(path, b"0.5,1.0", headers, short=short))


def test_forged_ones_among_good_ones_on_one_connection(wire: Wire, path: str) -> None:
    """Whatever the connection has remembered, nobody hears what the model says to another."""
    rows = [b"0.5,1.0", b"1.5,1.0", b"0.1,1.0"]
    good = [wire.signed(path, row, CSV) for row in rows]
    said = [wire.send(path, row, headers, short=False)[2] for row, headers in zip(rows, good, strict=True)]
    assert len(set(said)) == 3
    for _ in range(20):
        for row, headers, expected in zip(rows, good, said, strict=True):
            assert wire.send(path, row, headers, short=True)[2] == expected
        status, answered, body = wire.send(path, rows[0], good[1], short=True)
        assert (status, answered["x-amzn-errortype"]) == (403, "InvalidSignatureException"), body
        assert said[0] not in body


def test_a_key_that_is_taken_away_is_refused_at_once(wire: Wire, path: str, client: Any) -> None:
    """Though a request just like it was remembered as good."""
    iam, body = client("iam"), b"0.5,1.0"
    iam.create_user(UserName="alike")
    made = iam.create_access_key(UserName="alike")["AccessKey"]
    request = AWSRequest("POST", wire.server.url + path, headers=CSV, data=body)
    SigV4Auth(Credentials(made["AccessKeyId"], made["SecretAccessKey"]), "sagemaker", "us-east-1").add_auth(request)
    headers = dict(request.headers.items())
    assert [wire.send(path, body, headers, short=True)[0] for _ in range(3)] == [200, 200, 200]
    iam.update_access_key(UserName="alike", AccessKeyId=made["AccessKeyId"], Status="Inactive")
    status, answered, _ = wire.send(path, body, headers, short=True)
    assert (status, answered["x-amzn-errortype"]) == (403, "UnrecognizedClientException")


def test_requests_sent_at_once_are_answered_in_their_order(wire: Wire, path: str) -> None:
    """Pipelining: the second arrives while the first is under way."""
    import socket

    rows = [b"0.5,1.0", b"1.5,1.0", b"0.1,1.0"]
    requests = b""
    for row in rows:
        headers = {**wire.signed(path, row, CSV), "Host": f"127.0.0.1:{wire.server.port}"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": str(len(row))}.items())
        requests += f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + row
    alone = [wire.send(path, row, wire.signed(path, row, CSV), short=True)[2] for row in rows]
    with socket.create_connection(("127.0.0.1", wire.server.port), timeout=30) as connection:
        connection.sendall(requests)
        received = b""
        while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(alone[-1]):
            piece = connection.recv(65536)
            assert piece, received
            received += piece
    at = [received.index(answer) for answer in alone]
    assert at == sorted(at) and len(set(alone)) == 3


def test_a_body_that_comes_late_and_in_pieces(wire: Wire, path: str) -> None:
    import socket
    import time

    row = b"0.5,1.0"
    headers = {**wire.signed(path, row, CSV), "Host": f"127.0.0.1:{wire.server.port}", "Content-Length": str(len(row))}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", wire.server.port), timeout=30) as connection:
        for piece in (head.encode(), row[:3], row[3:]):
            connection.sendall(piece)
            time.sleep(0.02)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    with socket.create_connection(("127.0.0.1", wire.server.port), timeout=30) as connection:
        connection.sendall(head.encode() + row[:3])  # and one that never comes
    assert wire.send(path, row, wire.signed(path, row, CSV), short=True)[0] == 200
