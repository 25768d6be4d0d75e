"""Taking a body in: from the connection into a data file, in pieces, without ever holding it whole.

Bytes are gathered to about a mebibyte on the event loop and handed to a thread that writes and hashes them, while
the next ones arrive. A body that ends early, is too long, does not have its checksum, or whose client goes away
leaves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from cloche.aws.http import HttpRequest
from cloche.aws.operation import Context
from cloche.foundation.limits import HANDLER_THREADS, MIB, OBJECT_PUT_BYTES_MAX
from cloche.services.s3.checksums import Expected
from cloche.services.s3.errors import s3_error
from cloche.services.s3.handling import store_of
from cloche.storage.objects import FileWriter, Written

BATCH_BYTES: Final = MIB


@cache
def threads() -> ThreadPoolExecutor:
    """Where files are written. Its own pool: waiting for a disk must not keep other handlers waiting."""
    return ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="s3-bytes")


async def receive(ctx: Context, expected: Expected, algorithms: tuple[str, ...] = ()) -> Written:
    """The request's body as a durable data file. Raises IncompleteBody, EntityTooLarge, MissingContentLength,
    BadDigest, and whatever a broken signature or framing raises."""
    size = declared_size(ctx.http)
    if size > OBJECT_PUT_BYTES_MAX:
        raise s3_error("EntityTooLarge", ProposedSize=size, MaxSizeAllowed=OBJECT_PUT_BYTES_MAX)
    loop = asyncio.get_running_loop()
    wanted = tuple(dict.fromkeys((expected.algorithm, *algorithms) if expected.algorithm else algorithms))
    writer: FileWriter | None = None
    writing: asyncio.Future[None] | None = None
    try:
        batch: list[bytes] = []
        held = 0
        async for piece in _pieces(ctx.http):
            batch.append(piece)
            held += len(piece)
            if held < BATCH_BYTES:
                continue
            if writer is None:
                writer = await loop.run_in_executor(threads(), store_of(ctx).writer, wanted)
            if writing is not None:
                await writing
            writing = loop.run_in_executor(threads(), _write, writer, batch)
            batch, held = [], 0
        if writing is not None:
            await writing
        trailers = dict(ctx.http.stream.trailers) if ctx.http.stream is not None else {}

        def finish() -> Written:
            nonlocal writer
            writer = writer or store_of(ctx).writer(wanted)
            _write(writer, batch)
            if writer.size != size:
                raise s3_error("IncompleteBody", ExpectedSize=size, ReceivedSize=writer.size)
            expected.check(writer.md5(), writer.checksums(), trailers)
            return writer.finish()

        return await loop.run_in_executor(threads(), finish)
    finally:
        if writer is not None:
            threads().submit(writer.abort)  # nothing after finish; it may have to wait for a write under way


def declared_size(request: HttpRequest) -> int:
    """The body's size as the client declares it, without the framing of aws-chunked."""
    text = request.headers.get("x-amz-decoded-content-length") or request.headers.get("content-length")
    if not text:
        if "transfer-encoding" in request.headers:
            raise s3_error("MissingContentLength")
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise s3_error("InvalidArgument", "The Content-Length is not a number")
    return int(text)


async def _pieces(request: HttpRequest) -> AsyncIterator[bytes]:
    if request.stream is None:
        yield request.body
        return
    async for piece in request.stream:
        yield piece


def _write(writer: FileWriter, batch: list[bytes]) -> None:
    for piece in batch:
        writer.write(piece)
