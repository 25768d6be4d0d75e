"""From an ``HttpResponse`` to ASGI: bytes at once, streams as they come, files as they are where the connection takes
them (ASGI's extension ``zerocopysend``) and in pieces read by threads where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, BinaryIO, Final

from cloche.aws.http import FileSlice, HttpResponse
from cloche.foundation.limits import KIB

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
ZERO_COPY: Final = "http.response.zerocopysend"
"""asgi.readthedocs.io/en/latest/extensions.html, "Zero Copy Send"."""
_PIECE_BYTES: Final = 256 * KIB
_BODILESS: Final = frozenset({204, 304})


async def send_response(
    response: HttpResponse,
    method: str,
    send: Send,
    pool: Executor,
    *,
    close: bool = False,
    receive: Receive | None = None,
    straight: bool = False,
) -> None:
    """Send it. ``close`` ends the connection after it (the request's body was not read to its end). With ``receive`` a
    stream ends when its client goes away, also while it waits for its next piece. ``straight``: the connection takes
    files."""
    body = response.body
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if response.status not in _BODILESS and not any(name == b"content-length" for name, _ in headers):
        if isinstance(body, bytes):
            headers.append((b"content-length", b"%d" % len(body)))
        elif isinstance(body, FileSlice):
            headers.append((b"content-length", b"%d" % body.length))
    if close:
        headers.append((b"connection", b"close"))
    if isinstance(body, bytes):
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    elif method == "HEAD":
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
    elif isinstance(body, FileSlice):
        await _send_file(body, response.status, headers, send, pool, straight)
    else:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await _send_stream(body, send, receive)


async def _send_file(
    body: FileSlice, status: int, headers: list[tuple[bytes, bytes]], send: Send, pool: Executor, straight: bool
) -> None:
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(pool, _open, body)
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        left = body.length
        if straight and left:
            await send({"type": ZERO_COPY, "file": file, "offset": body.offset, "count": left})
            return
        while left:
            piece = await loop.run_in_executor(pool, file.read, min(left, _PIECE_BYTES))
            if not piece:
                raise OSError(f"{body.path} is shorter than it was")
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        if body.length == 0:
            await send({"type": "http.response.body", "body": b""})
    finally:
        file.close()


def _open(body: FileSlice) -> BinaryIO:
    file = body.path.open("rb")
    file.seek(body.offset)
    return file


async def _send_stream(body: AsyncIterator[bytes], send: Send, receive: Receive | None) -> None:
    if receive is None:
        await _forward(body, send)
        return
    forwarding = asyncio.ensure_future(_forward(body, send))
    leaving = asyncio.ensure_future(_leave(receive))
    try:
        await asyncio.wait({forwarding, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not forwarding.done():
            forwarding.cancel()
        await asyncio.wait({forwarding, leaving})
    if not forwarding.cancelled():
        forwarding.result()


async def _forward(body: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for piece in body:
            if piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if (close := getattr(body, "aclose", None)) is not None:
            await close()


async def _leave(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
