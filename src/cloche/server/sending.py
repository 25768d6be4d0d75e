"""From an ``HttpResponse`` to ASGI: bytes at once, files in pieces read by threads, streams as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, BinaryIO, Final

from cloche.aws.http import FileSlice, HttpResponse
from cloche.foundation.limits import KIB

Send = Callable[[dict[str, Any]], Awaitable[None]]
_PIECE_BYTES: Final = 256 * KIB
_BODILESS: Final = frozenset({204, 304})


async def send_response(
    response: HttpResponse, method: str, send: Send, pool: Executor, *, close: bool = False
) -> None:
    """Send it. ``close`` ends the connection after it (the request's body was not read to its end)."""
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
        await _send_file(body, response.status, headers, send, pool)
    else:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await _send_stream(body, send)


async def _send_file(
    body: FileSlice, status: int, headers: list[tuple[bytes, bytes]], send: Send, pool: Executor
) -> None:
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(pool, _open, body)
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        left = body.length
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


async def _send_stream(body: AsyncIterator[bytes], send: Send) -> None:
    async for piece in body:
        if piece:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
