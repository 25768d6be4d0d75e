"""Hostile bytes and hostile pages against the real server: never a 5xx, never a second request, never a hang."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

HOST = b"Host: 127.0.0.1\r\n"


def talk(server: Any, raw: bytes, *, seconds: float = 10.0, until: bytes | None = None) -> bytes:
    """What comes back for these bytes, until the server closes, is silent, or has said ``until``."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        try:
            connection.sendall(raw)
            while until is None or until not in received:
                piece = connection.recv(65536)
                if not piece:
                    break
                received += piece
        except (TimeoutError, ConnectionError):
            pass
    return received


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


CLOSE = b"Connection: close\r\n"


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", {400}),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", {400}),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -3\r\n\r\n", {400}),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3x\r\n\r\n", {400}),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {400, 403, 405}),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Name : v\r\n\r\n", {400}),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Folded: a\r\n b\r\n" + CLOSE + b"\r\n", {400, 401}),
        (b"GET / HTTP/1.1\r\n" + CLOSE + b"\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + CLOSE + b"\r\n", {400}),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n" + CLOSE + b"\r\n", {403}),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n" + CLOSE + b"\r\n", {403}),
        (b"GET / HTTP/9.9\r\n\r\n", {400}),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
        (b"NONSENSE\r\n\r\n", {400}),
        (b"GET /\x00 HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400}),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", {400}),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
        (b"CONNECT nowhere HTTP/1.1\r\n\r\n", {400}),
    ],
)
def test_malformed_requests(server: Any, raw: bytes, statuses: set[int]) -> None:
    answer = talk(server, raw, seconds=5)
    assert status(answer) in statuses, answer[:300]
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "path",
    [b"/../", b"/%2e%2e/", b"/..%2f", b"/b/../../etc/passwd", b"//", b"/%00", b"/%ff", b"/b/%zz", b"/_cloche/../x"],
)
def test_raw_paths(server: Any, path: bytes) -> None:
    answer = talk(server, b"GET " + path + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert 400 <= status(answer) < 500, answer[:300]
    assert b"root:" not in answer


def test_one_huge_header(server: Any) -> None:
    answer = talk(server, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n")
    assert status(answer) in (431, 0)


def test_ten_thousand_headers(server: Any) -> None:
    headers = b"".join(b"X-%d: a\r\n" % n for n in range(10_000))
    assert status(talk(server, b"GET / HTTP/1.1\r\n" + HOST + headers + b"\r\n")) in (431, 0)


def test_a_header_without_end(server: Any) -> None:
    """It is cut off long before its 20 MB are through."""
    answer = talk(server, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 20_000_000)
    assert status(answer) in (431, 0)


def test_no_continue_for_the_unsigned(server: Any) -> None:
    for method, path in ((b"PUT", b"/bucket/key"), (b"POST", b"/")):
        for length in (b"5", b"99000000000000"):
            head = method + b" " + path + b" HTTP/1.1\r\n" + HOST + b"Content-Length: " + length
            answer = talk(server, head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert b"100 Continue" not in answer
            assert 400 <= status(answer) < 500, answer[:300]


def test_an_unread_body_ends_the_connection(server: Any) -> None:
    """What follows a refused body is never taken for a request."""
    smuggled = b"GET /_cloche/health HTTP/1.1\r\n" + HOST + b"\r\n"
    head = b"PUT /bucket/key HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(smuggled)
    answer = talk(server, head + smuggled)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()


def test_pipelined_requests_are_answered_in_order(server: Any) -> None:
    one = b"GET /_cloche/health HTTP/1.1\r\n" + HOST + b"\r\n"
    last = b"GET /_cloche/health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
    assert talk(server, one * 4 + last).count(b"HTTP/1.1 200") == 5


def test_a_slow_head_does_not_hold_up_others(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"GET / HT")
        time.sleep(0.05)
        assert status(talk(server, b"GET /_cloche/health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")) == 200


def test_the_first_bytes_may_come_one_by_one(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"COPY / HTTP/1.1\r\nHost: evil.example\r\n\r\n":
            slow.sendall(bytes([byte]))
        assert b"HTTP/1.1 403" in slow.recv(65536)


@pytest.mark.parametrize(
    "headers",
    [
        b"Origin: https://evil.example\r\nContent-Type: text/plain\r\n",
        b"Origin: null\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        b"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nContent-Type: text/plain\r\n",
        b"Content-Type: text/plain\r\n",
    ],
)
def test_a_web_pages_post(server: Any, headers: bytes) -> None:
    """The simple POSTs that a page may send anywhere: each is refused, signed or not."""
    body = b'{"TrainingJobName": "x"}'
    target = b"X-Amz-Target: SageMaker.StopTrainingJob\r\n" if b"Origin" not in headers else b""
    head = b"POST / HTTP/1.1\r\n" + HOST + headers + target + b"Content-Length: %d\r\n" % len(body) + CLOSE + b"\r\n"
    answer = talk(server, head + body)
    assert 400 <= status(answer) < 500, answer[:300]
    assert b"access-control-allow-origin" not in answer.lower()


def test_a_preflight_is_refused(server: Any) -> None:
    head = b"OPTIONS / HTTP/1.1\r\n" + HOST + b"Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n"
    answer = talk(server, head + CLOSE + b"\r\n")
    assert status(answer) == 403
    assert b"access-control-allow" not in answer.lower()


def test_refusals_carry_a_request_id(server: Any) -> None:
    answer = talk(server, b"POST / HTTP/1.1\r\n" + HOST + b"X-Amz-Target: SageMaker.ListModels\r\n" + CLOSE + b"\r\n")
    assert status(answer) == 403
    assert b"x-amzn-requestid: " in answer.lower()
    assert b"MissingAuthenticationTokenException" in answer


def test_it_is_still_well_and_said_nothing_of_faults(server: Any, client: Any) -> None:
    assert client("sts").get_caller_identity()["Account"] == "123456789012"
    assert "Traceback" not in server.log()
