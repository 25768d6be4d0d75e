"""Taking a body in: from the connection into a data file, in pieces, without ever holding it whole.

Bytes are gathered to some mebibytes on the event loop and handed to threads that write and hash them, while the
next ones arrive: few and large, since each return from the system costs a thread its turn at the interpreter. A
body that ends early, is too long, does not have its checksum, or whose client goes away leaves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

from cloche.aws.http import HttpRequest
from cloche.aws.operation import Context
from cloche.foundation.limits import HANDLER_THREADS, MIB, OBJECT_PUT_BYTES_MAX
from cloche.services.s3.checksums import Expected
from cloche.services.s3.errors import s3_error
from cloche.services.s3.handling import store_of
from cloche.storage.objects import ContentWriter, ObjectStore, Written

BATCH_BYTES: Final = 2 * MIB
T = TypeVar("T")


@cache
def threads() -> ThreadPoolExecutor:
    """Where files are written. Its own pool: waiting for a disk must not keep other handlers waiting."""
    return ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="s3-bytes")


async def receive(ctx: Context, expected: Expected, algorithms: tuple[str, ...], then: Callable[[Written], T]) -> T:
    """The request's body as a durable data file, handed to ``then`` in the thread that finished it; its answer.
    Raises IncompleteBody, EntityTooLarge, BadDigest, whatever a broken signature or framing
    raises, and whatever ``then`` raises."""
    size = declared_size(ctx.http)
    if size is not None and size > OBJECT_PUT_BYTES_MAX:
        raise s3_error("EntityTooLarge", ProposedSize=size, MaxSizeAllowed=OBJECT_PUT_BYTES_MAX)
    named = (expected.algorithm,) if expected.algorithm else ()
    body = _Body(store_of(ctx), tuple(dict.fromkeys((*named, *algorithms))))
    try:
        async for piece in _pieces(ctx.http):
            await body.add(piece)
        await body.settled()
        trailers = dict(ctx.http.stream.trailers) if ctx.http.stream is not None else {}

        def finish() -> T:
            writer = body.last()
            if size is not None and writer.size != size:
                raise s3_error("IncompleteBody", ExpectedSize=size, ReceivedSize=writer.size)
            expected.check(writer.md5(), writer.checksums(), trailers)
            return then(writer.finish())

        return await asyncio.get_running_loop().run_in_executor(threads(), finish)
    finally:
        body.end()


class _Body:
    """A body on its way into a file: the batch that arrives, and the one before that is written and hashed, by two
    threads at once."""

    def __init__(self, store: ObjectStore, algorithms: tuple[str, ...]) -> None:
        self._store = store
        self._algorithms = algorithms
        self._writer: ContentWriter | None = None
        self._batch: list[bytes] = []
        self._held = 0
        self._under_way: list[asyncio.Future[None]] = []

    async def add(self, piece: bytes) -> None:
        self._batch.append(piece)
        self._held += len(piece)
        if self._held < BATCH_BYTES:
            return
        loop = asyncio.get_running_loop()
        if self._writer is None:
            self._writer = await loop.run_in_executor(threads(), self._store.writer, self._algorithms)
        await self.settled()
        data = await loop.run_in_executor(threads(), b"".join, self._batch)
        self._batch, self._held = [], 0
        self._under_way = [
            loop.run_in_executor(threads(), self._writer.store, data),
            loop.run_in_executor(threads(), self._writer.digest, data),
        ]

    async def settled(self) -> None:
        """What was handed over is in the file and in the hashes."""
        under_way, self._under_way = self._under_way, []
        for future in under_way:
            await future

    def last(self) -> ContentWriter:
        """In a thread: the file, with all that is left in it."""
        if self._writer is None:
            self._writer = self._store.writer(self._algorithms)
        for piece in self._batch:
            self._writer.write(piece)
        return self._writer

    def end(self) -> None:
        """Leave nothing of what was not finished."""
        if self._writer is not None:
            threads().submit(self._writer.abort)  # it may have to wait for a write that is under way


def declared_size(request: HttpRequest) -> int | None:
    """The body's size as the client declares it, without the framing of aws-chunked; ``None`` for a body of HTTP
    chunks, whose end is told by the last."""
    text = request.headers.get("x-amz-decoded-content-length") or request.headers.get("content-length")
    if not text:
        return None if "transfer-encoding" in request.headers else 0
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise s3_error("InvalidArgument", "The Content-Length is not a number")
    return int(text)


async def _pieces(request: HttpRequest) -> AsyncIterator[bytes]:
    if request.stream is None:
        yield request.body
        return
    async for piece in request.stream:
        yield piece
