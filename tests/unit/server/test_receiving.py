"""Heads and bodies within their bounds; nothing is asked of the client before its size was looked at."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cloche.aws.errors import AwsError
from cloche.foundation.limits import INVOKE_BODY_BYTES_MAX, PARSED_BODY_BYTES_MAX
from cloche.server.receiving import Arriving, Disconnected, head_of


def scope(
    *headers: tuple[bytes, bytes], method: str = "POST", path: bytes = b"/", query: bytes = b""
) -> dict[str, Any]:
    return {
        "method": method,
        "raw_path": path,
        "query_string": query,
        "headers": list(headers),
        "scheme": "http",
    }


class Client:
    """Sends these pieces when asked; counts how often it was asked."""

    def __init__(self, *pieces: bytes, leaves: bool = False) -> None:
        self.pieces = list(pieces)
        self.leaves = leaves
        self.asked = 0

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        if not self.pieces:
            assert self.leaves
            return {"type": "http.disconnect"}
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces) or self.leaves}


def whole(client: Client, *headers: tuple[bytes, bytes], path: bytes = b"/") -> bytes:
    return asyncio.run(Arriving(head_of(scope(*headers, path=path)), client.receive).whole())


def test_the_target_stays_encoded() -> None:
    request = head_of(scope(path=b"/b/a%2Fb//\xc3\xa9", query=b"x=%2F"))
    assert (request.path, request.query) == ("/b/a%2Fb//\u00c3\u00a9", "x=%2F")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], 400),
        ([(b"content-length", b"1"), (b"content-length", b"1")], 400),
        ([(b"content-length", b"1"), (b"content-length", b"2")], 400),
        ([(b"content-length", b"-1")], 400),
        ([(b"content-length", b"+1")], 400),
        ([(b"content-length", b"1" * 30)], 400),
        ([(b"transfer-encoding", b"gzip, chunked")], 501),
        ([(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity")], 501),
    ],
)
def test_framing_that_is_refused(headers: list[tuple[bytes, bytes]], status: int) -> None:
    with pytest.raises(AwsError) as caught:
        whole(Client(b"x"), *headers)
    assert caught.value.status == status


def test_targets_that_are_no_path() -> None:
    with pytest.raises(AwsError):
        head_of(scope(path=b"*"))


def test_a_body_in_one_and_in_many_pieces() -> None:
    assert whole(Client(b"abc"), (b"content-length", b"3")) == b"abc"
    assert whole(Client(b"a", b"", b"bc"), (b"transfer-encoding", b"chunked")) == b"abc"
    client = Client()
    assert whole(client) == b""
    assert client.asked == 0


def test_a_declared_size_is_refused_before_a_byte_is_asked_for() -> None:
    client = Client(b"x")
    with pytest.raises(AwsError) as caught:
        whole(client, (b"content-length", b"99000000000000"))
    assert (caught.value.status, client.asked) == (413, 0)


def test_an_undeclared_size_is_refused_when_it_is_reached() -> None:
    piece = bytes(1024 * 1024)
    client = Client(*[piece] * 100)
    with pytest.raises(AwsError) as caught:
        whole(client, (b"transfer-encoding", b"chunked"))
    assert caught.value.status == 413
    assert client.asked <= PARSED_BODY_BYTES_MAX // len(piece) + 1


def test_invocations_may_be_larger() -> None:
    body = bytes(INVOKE_BODY_BYTES_MAX)
    length = (b"content-length", str(len(body)).encode())
    assert whole(Client(body), length, path=b"/endpoints/e/invocations") == body
    with pytest.raises(AwsError):
        whole(Client(body), length)


def test_a_client_that_leaves() -> None:
    with pytest.raises(Disconnected):
        whole(Client(b"a", leaves=True), (b"content-length", b"3"))
