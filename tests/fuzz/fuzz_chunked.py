"""aws-chunked bodies: no data is accepted that was not announced, whatever the pieces they arrive in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from wire_request import refused_in_words

from cloche.aws.http import Headers
from cloche.aws.operation import Caller
from cloche.aws.signing.chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, checked
from cloche.aws.signing.sigv4 import Seal, Verified

KINDS = (UNSIGNED_TRAILER, SIGNED, SIGNED_TRAILER)
TRAILERS = ("", "x-amz-checksum-crc32", "x-amz-checksum-sha256", "x-amz-checksum-crc64nvme,x-amz-meta-a")


def one(data: bytes) -> None:
    if len(data) < 4:
        return
    kind, trailer = KINDS[data[0] % 3], TRAILERS[data[1] % 4]
    length, piece, body = data[2], data[3] % 40 + 1, data[4:]
    outcomes = [decoded(body, kind, trailer, length, size) for size in (piece, max(1, len(body)))]
    assert outcomes[0] == outcomes[1], "the answer depends on how the body was cut"
    assert outcomes[0] is None or len(outcomes[0]) == length


def decoded(body: bytes, kind: str, trailer: str, length: int, size: int) -> bytes | None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    async def whole() -> bytes:
        headers = Headers([("x-amz-decoded-content-length", str(length)), ("x-amz-trailer", trailer)])
        key = b"k" * 32 if length % 2 else None
        seal = Seal(key, "20261125T120000Z", "20261125/eu-west-1/s3/aws4_request", "0" * 64)
        stream = checked(pieces(), headers, Verified(Caller("1", "a", "u", "k"), "eu-west-1", kind, seal))
        return b"".join([part async for part in stream])

    return refused_in_words(lambda: asyncio.run(whole()))
