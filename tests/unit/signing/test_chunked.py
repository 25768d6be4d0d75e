"""Bodies in aws-chunked framing: every chunk, trailer and checksum, whatever pieces they arrive in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import zlib
from collections.abc import AsyncIterator

import pytest
from signing_world import SECRET

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers
from cloche.aws.operation import Caller
from cloche.aws.signing.chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, checked
from cloche.aws.signing.keys import signing_key
from cloche.aws.signing.sigv4 import UNSIGNED, Seal, Verified

DATE, SCOPE, SEED = "20261125T120000Z", "20261125/eu-west-1/s3/aws4_request", "ab" * 32
SIGNING_KEY = signing_key(SECRET, "20261125", "eu-west-1", "s3")
CHUNKS = (b"a" * 70_000, b"b" * 66_000, b"end")
DATA = b"".join(CHUNKS)
CRC32 = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
SUMS = {
    "x-amz-checksum-crc32": CRC32,
    "x-amz-checksum-sha1": base64.b64encode(hashlib.sha1(DATA).digest()).decode(),
    "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(DATA).digest()).decode(),
}


def hex_sign(text: str) -> str:
    return hmac.new(SIGNING_KEY, text.encode(), hashlib.sha256).hexdigest()


def framed(
    chunks: tuple[bytes, ...] = CHUNKS,
    *,
    signed: bool = True,
    trailers: dict[str, str] | None = None,
    sign_trailers: bool = False,
) -> bytes:
    """An independent writer of the framing, from AWS's description."""
    body, last = b"", SEED
    for chunk in (*chunks, b""):
        head = b"%x" % len(chunk)
        if signed:
            empty, digest = hashlib.sha256().hexdigest(), hashlib.sha256(chunk).hexdigest()
            last = hex_sign(f"AWS4-HMAC-SHA256-PAYLOAD\n{DATE}\n{SCOPE}\n{last}\n{empty}\n{digest}")
            head += b";chunk-signature=" + last.encode()
        body += head + b"\r\n" + chunk + (b"\r\n" if chunk else b"")
    lines = "".join(f"{name}:{value}\n" for name, value in sorted((trailers or {}).items()))
    body += lines.replace("\n", "\r\n").encode()
    if sign_trailers:
        digest = hashlib.sha256(lines.encode()).hexdigest()
        signature = hex_sign(f"AWS4-HMAC-SHA256-TRAILER\n{DATE}\n{SCOPE}\n{last}\n{digest}")
        body += f"x-amz-trailer-signature:{signature}\r\n".encode()
    return body + b"\r\n"


def read(
    body: bytes, payload: str, *, piece: int = 4096, declared: str = "", length: int = len(DATA), key: bool = True
) -> tuple[bytes, dict[str, str]]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), piece):
            yield body[start : start + piece]

    async def whole() -> tuple[bytes, dict[str, str]]:
        headers = [("x-amz-decoded-content-length", str(length))] + ([("x-amz-trailer", declared)] if declared else [])
        seal = Seal(SIGNING_KEY if key else None, DATE, SCOPE, SEED)
        stream = checked(pieces(), Headers(headers), Verified(Caller("1", "a", "u", "k"), "eu-west-1", payload, seal))
        data = b"".join([part async for part in stream])
        return data, stream.trailers

    return asyncio.run(whole())


def refused(body: bytes, payload: str, **more: object) -> AwsError:
    with pytest.raises(AwsError) as caught:
        read(body, payload, **more)  # type: ignore[arg-type]
    return caught.value


def test_the_documented_example() -> None:
    """docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, "Example: PUT Object"."""
    key = signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3")
    seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    seal = Seal(key, "20130524T000000Z", "20130524/us-east-1/s3/aws4_request", seed)
    signatures = (
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    )
    chunks = (b"a" * 65536, b"a" * 1024, b"")
    body = b"".join(
        b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), signature.encode(), chunk)
        for chunk, signature in zip(chunks, signatures, strict=True)
    )

    async def whole() -> bytes:
        async def pieces() -> AsyncIterator[bytes]:
            yield body

        headers = Headers([("x-amz-decoded-content-length", "66560")])
        caller = Caller("1", "a", "u", "k")
        return b"".join([part async for part in checked(pieces(), headers, Verified(caller, "", SIGNED, seal))])

    assert asyncio.run(whole()) == b"a" * 66560


@pytest.mark.parametrize("piece", [1009, 4096, 1_000_000])
def test_signed_chunks(piece: int) -> None:
    assert read(framed(), SIGNED, piece=piece)[0] == DATA


def test_one_byte_at_a_time() -> None:
    body = framed((b"hello", b"world"), trailers={"x-amz-checksum-crc32": "1"}, signed=False)
    crc = base64.b64encode(zlib.crc32(b"helloworld").to_bytes(4, "big"))
    body = body.replace(b"crc32:1", b"crc32:" + crc)
    data, trailers = read(body, UNSIGNED_TRAILER, piece=1, declared="x-amz-checksum-crc32", length=10)
    assert (data, trailers) == (b"helloworld", {"x-amz-checksum-crc32": crc.decode()})


def test_an_empty_body() -> None:
    assert read(framed(()), SIGNED, length=0)[0] == b""


@pytest.mark.parametrize("name", SUMS)
def test_unsigned_trailers(name: str) -> None:
    trailers = {name: SUMS[name]}
    body = framed(signed=False, trailers=trailers)
    assert read(body, UNSIGNED_TRAILER, declared=name) == (DATA, trailers)
    wrong = framed(signed=False, trailers={name: base64.b64encode(bytes(len(base64.b64decode(SUMS[name])))).decode()})
    assert refused(wrong, UNSIGNED_TRAILER, declared=name).code == "BadDigest"


@pytest.mark.parametrize(
    ("name", "value"), [("x-amz-checksum-crc32c", "4waSgw=="), ("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")]
)
def test_the_checksums_that_python_lacks(name: str, value: str) -> None:
    """Check values of "123456789" from the catalogue of parametrised CRC algorithms."""
    body = framed((b"1234", b"56789"), signed=False, trailers={name: value})
    assert read(body, UNSIGNED_TRAILER, declared=name, length=9)[1] == {name: value}
    assert refused(body.replace(b"1234", b"1235"), UNSIGNED_TRAILER, declared=name, length=9).code == "BadDigest"


def test_signed_trailers() -> None:
    body = framed(trailers={"x-amz-checksum-crc32": CRC32}, sign_trailers=True)
    assert read(body, SIGNED_TRAILER, declared="x-amz-checksum-crc32")[0] == DATA
    forged = body.replace(b"trailer-signature:", b"trailer-signature:0")
    assert refused(forged, SIGNED_TRAILER, declared="x-amz-checksum-crc32").code == "SignatureDoesNotMatch"
    unsigned = framed(trailers={"x-amz-checksum-crc32": CRC32})
    assert refused(unsigned, SIGNED_TRAILER, declared="x-amz-checksum-crc32").code == "SignatureDoesNotMatch"


def test_altered_chunks() -> None:
    body = framed()
    assert refused(body.replace(b"aaaa", b"aaab", 1), SIGNED).code == "SignatureDoesNotMatch"
    assert refused(body.replace(b"\r\nend", b"\r\neng"), SIGNED).code == "SignatureDoesNotMatch"


def test_the_last_empty_chunk_is_signed_too() -> None:
    body = framed()
    at = body.rindex(b"0;chunk-signature=") + len(b"0;chunk-signature=")
    forged = body[:at] + bytes(64).replace(b"\0", b"0") + body[at + 64 :]
    assert refused(forged, SIGNED).code == "SignatureDoesNotMatch"


def test_chunks_swapped_or_dropped() -> None:
    two = (b"x" * 10, b"y" * 10)
    body = framed(two)
    first, second = body[: body.index(b"y") - 84], b""
    swapped = framed((two[1], two[0])).replace(b"y" * 10, b"z" * 10)
    assert refused(swapped, SIGNED, length=20).code == "SignatureDoesNotMatch"
    assert refused(first + second, SIGNED, length=20).code in ("IncompleteBody", "SignatureDoesNotMatch")


@pytest.mark.parametrize("kept", [0, 3, 5000, -200, -90, -3])
def test_cut_bodies(kept: int) -> None:
    assert refused(framed()[:kept], SIGNED).code == "IncompleteBody"


@pytest.mark.parametrize(
    "body",
    [b"-1\r\n", b"\r\n", b"zz\r\n", b"0x10\r\n", b"1" * 20 + b"\r\n", b"5\r\nhello!!\r\n", b"x" * 20_000],
)
def test_framing_that_is_none(body: bytes) -> None:
    assert refused(body, UNSIGNED_TRAILER, length=5).code == "IncompleteBody"


def test_lengths_must_agree() -> None:
    assert refused(framed(), SIGNED, length=len(DATA) - 1).code == "IncompleteBody"
    assert refused(framed(), SIGNED, length=len(DATA) + 1).code == "IncompleteBody"
    assert refused(framed() + b"more", SIGNED).code == "IncompleteBody"


@pytest.mark.parametrize(
    ("trailers", "declared"),
    [
        ({}, "x-amz-checksum-crc32"),
        ({"x-amz-checksum-crc32": CRC32}, ""),
        ({"x-amz-checksum-crc32": CRC32, "x-amz-meta-more": "1"}, "x-amz-checksum-crc32"),
        ({f"x-{n}": "" for n in range(100)}, ""),
    ],
)
def test_trailers_are_those_declared(trailers: dict[str, str], declared: str) -> None:
    body = framed(signed=False, trailers=trailers)
    assert refused(body, UNSIGNED_TRAILER, declared=declared).code == "MalformedTrailerError"


def test_unknown_kinds_are_refused_by_name() -> None:
    error = refused(b"", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
    assert error.status == 501
    assert "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD" in error.message


def test_without_the_secret_chunks_are_not_checked() -> None:
    assert read(framed().replace(b"aaaa", b"aaac", 1), SIGNED, key=False)[0] != DATA


def test_plain_bodies() -> None:
    assert read(b"data", UNSIGNED)[0] == b"data"
    assert read(b"data", hashlib.sha256(b"data").hexdigest())[0] == b"data"
    assert refused(b"datA", hashlib.sha256(b"data").hexdigest()).code == "XAmzContentSHA256Mismatch"
