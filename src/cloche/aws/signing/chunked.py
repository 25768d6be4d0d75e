"""Bodies that are checked while they arrive.

``aws-chunked`` wraps a body into chunks of its own inside the HTTP body: ``size;chunk-signature=…``, data, and
after the empty last chunk perhaps trailers with a checksum and a signature. Each chunk's signature covers its data
and the signature before it, so none can be altered, dropped or moved; the last, empty one closes the chain. What
has passed before a fault is met has been handed on already: whoever reads must throw it away when this raises.

Source: docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers
from cloche.aws.signing.keys import same, sign
from cloche.aws.signing.refusals import S3
from cloche.aws.signing.sigv4 import EMPTY_SHA256, UNSIGNED, Seal, Verified, content_mismatch
from cloche.storage.objects.checksums import ALGORITHMS, Digest, digest

SIGNED: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_LINE_BYTES_MAX: Final = 8 * 1024
_TRAILER_LINES_MAX: Final = 16
_CHECKSUMS: Final = {f"x-amz-checksum-{name.lower()}": name for name in ALGORITHMS}
_HEX: Final = frozenset("0123456789abcdefABCDEF")


def checked(raw: AsyncIterator[bytes], headers: Headers, verified: Verified) -> PlainBody | ChunkedBody:
    """``raw`` with its framing undone and checked as ``verified.payload`` says. Raises ``AwsError`` at once for
    a kind of payload that there is not."""
    payload = verified.payload
    if not payload.startswith("STREAMING-"):
        return PlainBody(raw, None if payload == UNSIGNED else payload)
    if payload not in (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER):
        raise AwsError("NotImplemented", f"Cloche does not offer payloads of the kind {payload}.", 501)
    return ChunkedBody(raw, headers, verified)


class PlainBody:
    """A body as it comes, its SHA-256 compared at the end where one was signed."""

    def __init__(self, raw: AsyncIterator[bytes], expected_sha256: str | None) -> None:
        self.trailers: dict[str, str] = {}
        self._raw = raw
        self._expected = expected_sha256

    async def __aiter__(self) -> AsyncIterator[bytes]:
        expected = self._expected
        if expected is None:
            async for piece in self._raw:
                yield piece
            return
        digest = sha256()
        async for piece in self._raw:
            digest.update(piece)
            yield piece
        if not same(digest.hexdigest(), expected):
            raise content_mismatch(expected, digest.hexdigest())


class ChunkedBody:
    """An ``aws-chunked`` body undone. ``trailers`` is filled when the iteration has ended."""

    def __init__(self, raw: AsyncIterator[bytes], headers: Headers, verified: Verified) -> None:
        self.trailers: dict[str, str] = {}
        self._reader = _Reader(raw)
        self._length = _decoded_length(headers)
        self._declared = [n.strip().lower() for n in headers.get("x-amz-trailer").split(",") if n.strip()]
        self._has_trailers = verified.payload != SIGNED
        self._signed = verified.payload != UNSIGNED_TRAILER
        if verified.seal is None:
            raise S3.refuse(S3.mismatch)
        self._seal = verified.seal
        self._last = verified.seal.signature
        self._sums: dict[str, Digest] = {n: digest(_CHECKSUMS[n]) for n in self._declared if n in _CHECKSUMS}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        while True:
            size, signature = _chunk_head(await self._reader.line())
            total += size
            if total > self._length:
                raise _incomplete("more data came than x-amz-decoded-content-length says")
            hashed = sha256()
            left = size
            while left:
                piece = await self._reader.some(left)
                left -= len(piece)
                if self._signed:
                    hashed.update(piece)
                for checksum in self._sums.values():
                    checksum.update(piece)
                yield piece
            self._check_chunk(hashed.hexdigest(), signature)
            if size == 0:
                break
            if await self._reader.line() != b"":
                raise _incomplete("a chunk does not end where its size says")
        if total != self._length:
            raise _incomplete("less data came than x-amz-decoded-content-length says")
        await self._end()

    def _check_chunk(self, hashed: str, signature: str) -> None:
        seal = self._seal
        if not self._signed or seal.key is None:
            return
        text = "\n".join(("AWS4-HMAC-SHA256-PAYLOAD", seal.date, seal.scope, self._last, EMPTY_SHA256, hashed))
        computed = sign(seal.key, text)
        if not same(computed, signature):
            raise S3.refuse(S3.mismatch)
        self._last = computed

    async def _end(self) -> None:
        """The lines after the last chunk: trailers, their signature, an empty line, and then nothing."""
        found: dict[str, str] = {}
        for _ in range(_TRAILER_LINES_MAX + 1):
            line = await self._reader.line(end_is_empty=True)
            if line == b"":
                break
            name, colon, value = line.decode("latin-1").partition(":")
            name = name.strip().lower()
            if not colon or name in found:
                raise _malformed_trailer()
            found[name] = value.strip()
        else:
            raise _malformed_trailer()
        if await self._reader.line(end_is_empty=True) != b"" or not await self._reader.ended():
            raise _incomplete("there is data after the end of the body")
        signature = found.pop("x-amz-trailer-signature", "")
        if (found and not self._has_trailers) or set(found) != set(self._declared):
            raise _malformed_trailer()
        if self._has_trailers and self._signed:
            self._check_trailers(found, signature, self._seal)
        for name, checksum in self._sums.items():
            if found[name] != checksum.base64():
                text = f"The {_CHECKSUMS[name]} you specified did not match the calculated checksum."
                raise AwsError("BadDigest", text)
        self.trailers.update(found)

    def _check_trailers(self, found: dict[str, str], signature: str, seal: Seal) -> None:
        if seal.key is None:
            return
        lines = "".join([f"{name}:{found[name]}\n" for name in sorted(found)])
        hashed = sha256(lines.encode("latin-1")).hexdigest()
        text = "\n".join(("AWS4-HMAC-SHA256-TRAILER", seal.date, seal.scope, self._last, hashed))
        if not same(sign(seal.key, text), signature):
            raise S3.refuse(S3.mismatch)


class _Reader:
    """Lines and runs of bytes out of pieces of any size; never holds more than a piece and a line."""

    def __init__(self, raw: AsyncIterator[bytes]) -> None:
        self._raw = raw.__aiter__()
        self._held = b""

    async def _more(self) -> bool:
        async for piece in self._raw:
            if piece:
                self._held += piece
                return True
        return False

    async def line(self, *, end_is_empty: bool = False) -> bytes:
        """Up to the next CR LF, without it. The end of the body is a fault, or an empty line if so asked."""
        while (end := self._held.find(b"\r\n")) < 0:
            if len(self._held) > _LINE_BYTES_MAX:
                raise _incomplete("a chunk's head is too long")
            if not await self._more():
                if end_is_empty and not self._held:
                    return b""
                raise _incomplete("the body ends within a chunk")
        line, self._held = self._held[:end], self._held[end + 2 :]
        return line

    async def some(self, at_most: int) -> bytes:
        """What there is, at least one byte."""
        if not self._held and not await self._more():
            raise _incomplete("the body ends within a chunk")
        piece, self._held = self._held[:at_most], self._held[at_most:]
        return piece

    async def ended(self) -> bool:
        return not self._held and not await self._more()


def _chunk_head(line: bytes) -> tuple[int, str]:
    size, _, extension = line.decode("latin-1").partition(";")
    size = size.strip()
    if not size or len(size) > 16 or not _HEX.issuperset(size):
        raise _incomplete("a chunk's size is not a hexadecimal number")
    name, _, signature = extension.strip().partition("=")
    return int(size, 16), signature if name == "chunk-signature" else ""


def _decoded_length(headers: Headers) -> int:
    text = headers.get("x-amz-decoded-content-length")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    return int(text)


def _incomplete(reason: str) -> AwsError:
    text = "You did not provide the number of bytes specified by the Content-Length HTTP header"
    return AwsError("IncompleteBody", f"{text}: {reason}.")


def _malformed_trailer() -> AwsError:
    return AwsError(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
