"""Heads that are held against the last one: what is found in them is what a parser finds, or nothing is."""

from __future__ import annotations

from typing import Any

import pytest

from cloche.server.quick.forms import Sight, sight_of
from cloche.server.quick.heads import KnownHead, known_head

TARGET = b"/endpoints/e/invocations"
HEAD = (
    b"POST /endpoints/e/invocations HTTP/1.1\r\nAccept-Encoding: identity\r\nhost: 127.0.0.1:80\r\n"
    b"X-Amz-Date: 20261126T072043Z\r\n"
    b"Authorization: AWS4-HMAC-SHA256 Credential=A/20261126/us-east-1/sagemaker/aws4_request, "
    b"SignedHeaders=host;x-amz-date, Signature=00aa\r\n"
    b"amz-sdk-invocation-id: 230c6fe0-4a96\r\namz-sdk-request: attempt=1; max=3\r\nContent-Length: 3\r\n\r\n"
)


def lines_of(head: bytes) -> list[tuple[bytes, bytes]]:
    """As a parser hands them on."""
    pairs = [line.partition(b":") for line in head[:-4].split(b"\r\n")[1:]]
    return [(name.lower(), value.strip(b" \t")) for name, _, value in pairs]


def known_of(head: bytes) -> KnownHead | None:
    sight = sight_of(TARGET, lines_of(head))
    assert sight is not None
    make: Any = None
    return known_head(head + b"1,2", sight, lines_of(head), make)


@pytest.fixture
def known() -> KnownHead:
    found = known_of(HEAD)
    assert found is not None
    return found


def alike(sight: Sight, head: bytes) -> bool:
    other = sight_of(TARGET, lines_of(head))
    assert other is not None
    return (sight.key, sight.values, sight.signature) == (other.key, other.values, other.signature)


OTHERS = [
    (b"072043", b"072044"),
    (b"Signature=00aa", b"Signature=11bb"),
    (b"attempt=1; max=3", b"ttl=20261126T072143Z; attempt=2; max=3"),
    (b"230c6fe0-4a96", b"9"),
    (b"Content-Length: 3", b"Content-Length: 30000"),
]


@pytest.mark.parametrize(("old", "new"), OTHERS)
def test_a_head_with_other_values_is_found_as_a_parser_finds_it(known: KnownHead, old: bytes, new: bytes) -> None:
    head = HEAD.replace(old, new)
    found = known.find(head + b"body")
    assert found is not None
    assert alike(found, head)
    assert found.end == len(head)
    assert known.lines(found) == lines_of(head)


UNLIKE = [
    (b"POST", b"PUT"),
    (b"/e/", b"/f/"),
    (b"HTTP/1.1", b"HTTP/1.0"),
    (b"host: 127.0.0.1:80", b"host: evil:80"),
    (b"Content-Length: 3", b"Content-Length: 3\r\nTransfer-Encoding: chunked"),
    (b"Content-Length: 3", b"Content-Length: 3\r\nContent-Length: 4"),
    (b"Content-Length: 3", b"Content-Length:  3"),
    (b"Content-Length: 3", b"Content-Length: 3 "),
    (b"Content-Length: 3", b"Content-Length: "),
    (b"attempt=1; max=3", b"attempt=1\n; max=3"),
    (b"attempt=1; max=3", b"attempt=1\x00"),
    (b"attempt=1; max=3", "attempt=ä".encode()),
    (b"attempt=1; max=3", b"1" * 300),
    (b"attempt=1; max=3", b"1\r\n folded"),
    (b"20261126/us-east-1", b"20261127/us-east-1"),
    (b"\r\n\r\n", b"\r\n"),
]


@pytest.mark.parametrize(("old", "new"), UNLIKE)
def test_whatever_else_differs_is_the_parsers(known: KnownHead, old: bytes, new: bytes) -> None:
    assert known.find(HEAD.replace(old, new) + b"1,2") is None


@pytest.mark.parametrize("cut", [1, 40, 200, len(HEAD) - 1])
def test_a_head_that_has_come_in_part_is_the_parsers(known: KnownHead, cut: int) -> None:
    assert known.find(HEAD[:cut]) is None


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"host: ", b"host:"),
        HEAD.replace(b"identity", b"identity "),
        HEAD.replace(b"Accept-Encoding: identity", b"Accept-Encoding: identity" + b"y" * 5_000),
    ],
    ids=["no space", "space behind", "long"],
)
def test_heads_that_are_strangely_written_are_never_known(head: bytes) -> None:
    assert known_of(head) is None
