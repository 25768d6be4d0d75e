"""From an ASGI scope to an ``HttpRequest``, within the bounds of ``foundation/limits``.

Nothing of a body is asked for before its size has been looked at; uvicorn sends ``100 Continue`` only when it is,
so a client that waits for it never sends what would be refused.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, TypeVar

from cloche.aws.errors import AwsError
from cloche.aws.http import Headers, HttpRequest
from cloche.foundation.limits import (
    INVOKE_BODY_BYTES_MAX,
    LAYER_PART_BODY_BYTES_MAX,
    MIB,
    OBJECT_PUT_BYTES_MAX,
    PACKAGE_BODY_BYTES_MAX,
    PARSED_BODY_BYTES_MAX,
)

T = TypeVar("T")
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_PACKAGES: Final = re.compile(r"/2015-03-31/functions(?:/[^/]+/code)?/?|/2018-10-31/layers/[^/]+/versions")
"""Where Lambda's packages come in, as Base64 in JSON."""
_FRAMING_BYTES_MAX: Final = OBJECT_PUT_BYTES_MAX // 8 + MIB
"""What aws-chunked may add: heads of 90 bytes to chunks of 8 KiB or so, and trailers."""


class Disconnected(Exception):
    """The client has gone; there is nobody to answer."""


def head_of(scope: Scope) -> HttpRequest:
    """The request without its body. Raises ``AwsError`` (400, 411, 413) for one that is not well formed."""
    headers = Headers.received([(str(name, "latin-1"), str(value, "latin-1")) for name, value in scope["headers"]])
    request = HttpRequest(
        scope["method"],
        str(scope["raw_path"], "latin-1"),
        str(scope["query_string"], "latin-1"),
        headers,
        b"",
        None,
        scope["scheme"],
        (scope.get("client") or ("",))[0] or "",
    )
    if "transfer-encoding" in headers:
        _check_transfer_encoding(headers)
    elif headers.repeats and len(headers.all("content-length")) > 1:
        raise AwsError("InvalidRequest", "A request has one Content-Length.")
    if request.path[:1] != "/":
        raise AwsError("InvalidRequest", "The request target must be a path.")
    return request


def _check_transfer_encoding(headers: Headers) -> None:
    if "content-length" in headers:
        raise AwsError("InvalidRequest", "A request has Content-Length or Transfer-Encoding, not both.")
    if [value.lower() for value in headers.all("transfer-encoding")] != ["chunked"]:
        raise AwsError("NotImplemented", "The only Transfer-Encoding offered is chunked.", 501)


def declared_length(request: HttpRequest) -> int | None:
    """``Content-Length``; 0 where there is no body, ``None`` where its length is not told."""
    text = request.headers.get("content-length")
    if text:
        if not (text.isascii() and text.isdigit()) or len(text) > 18:
            raise AwsError("InvalidRequest", "Content-Length is not a number.")
        return int(text)
    return None if "transfer-encoding" in request.headers else 0


def length_max(request: HttpRequest) -> int:
    """The most bytes a whole body may have."""
    if request.path.startswith("/endpoints/") and "/invocations" in request.path:
        return INVOKE_BODY_BYTES_MAX
    if request.headers.get("x-amz-target").endswith(".UploadLayerPart"):
        return LAYER_PART_BODY_BYTES_MAX
    return PACKAGE_BODY_BYTES_MAX if _PACKAGES.fullmatch(request.path) else PARSED_BODY_BYTES_MAX


class Arriving:
    """A body that is read once, as the client sends it: whole, or piece by piece. ``ended`` tells whether all of it
    has come. Raises ``AwsError`` for more bytes than allowed, ``Disconnected`` when the client goes."""

    __slots__ = ("_receive", "_request", "ended")

    def __init__(self, request: HttpRequest, receive: Receive) -> None:
        self._request = request
        self._receive = receive
        self.ended = declared_length(request) == 0

    async def whole(self, most: int = 0) -> bytes:
        most = most or length_max(self._request)
        if (declared_length(self._request) or 0) > most:
            raise too_large(most)
        if self.ended:
            return b""
        pieces, total, more = [], 0, True
        while more:
            piece, more = await self._next()
            pieces.append(piece)
            total += len(piece)
            if total > most:
                raise too_large(most)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.pieces(OBJECT_PUT_BYTES_MAX + _FRAMING_BYTES_MAX, _object_too_large)

    async def pieces(self, most: int, refusal: Callable[[], AwsError] | None = None) -> AsyncIterator[bytes]:
        """As they come, ``most`` bytes in all."""
        total, more = declared_length(self._request) or 0, not self.ended
        if total > most:
            raise refusal() if refusal else too_large(most)
        total = 0
        while more:
            piece, more = await self._next()
            total += len(piece)
            if total > most:
                raise refusal() if refusal else too_large(most)
            if piece:
                yield piece

    async def gone(self) -> None:
        """Returns when the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _next(self) -> tuple[bytes, bool]:
        """The next piece, and whether more will come."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        self.ended = not message.get("more_body")
        return message.get("body", b""), not self.ended


async def unless_gone(work: Coroutine[Any, Any, T], arriving: Arriving) -> T:
    """What ``work`` answers, given up where the client goes first: raises ``Disconnected``. Of a request whose body
    has been read."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(arriving.gone())
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Disconnected
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


def with_body(request: HttpRequest, body: bytes) -> HttpRequest:
    return replace(request, body=body)


def streaming(request: HttpRequest, stream: Any) -> HttpRequest:
    return replace(request, stream=stream)


def too_large(most: int) -> AwsError:
    return AwsError("RequestEntityTooLargeException", f"The request body may have {most} bytes at most.", 413)


def _object_too_large() -> AwsError:
    return AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.", 400)
