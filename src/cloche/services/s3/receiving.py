"""Taking a body in: from the connection into a data file, in pieces, without ever holding it whole.

What arrives is handed to two threads, one that writes and one that hashes, each of which goes on with the next piece
by itself: the hash is what an upload waits for, so it must never wait for anything else. A body that ends early, is
too long, does not have its checksum, or whose client goes away leaves nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

from cloche.aws.http import HttpRequest
from cloche.aws.operation import Context
from cloche.foundation.limits import HANDLER_THREADS, KIB, OBJECT_PUT_BYTES_MAX
from cloche.services.s3.checksums import Expected
from cloche.services.s3.errors import s3_error
from cloche.services.s3.handling import store_of
from cloche.storage.objects import ContentWriter, Written

BATCH_BYTES: Final = 128 * KIB
"""Smaller pieces are put together: each one handed to a thread costs it a turn at the interpreter."""
WAITING_MAX: Final = 16
"""Pieces of a body that may wait for a thread; then its connection waits."""
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
    body = _Body(store_of(ctx).writer(dict.fromkeys((*named, *algorithms))))
    try:
        async for piece in _pieces(ctx.http):
            await body.add(piece)
        await body.settled()
        trailers = dict(ctx.http.stream.trailers) if ctx.http.stream is not None else {}

        def finish() -> T:
            body.finish_rest()
            writer = body.writer
            if size is not None and writer.size != size:
                raise s3_error("IncompleteBody", ExpectedSize=size, ReceivedSize=writer.size)
            expected.check(writer.md5(), writer.checksums(), trailers)
            return then(writer.finish())

        return await asyncio.get_running_loop().run_in_executor(threads(), finish)
    finally:
        body.end()


class _Body:
    """A body on its way into a content: written by one thread and hashed by another while it arrives."""

    def __init__(self, writer: ContentWriter) -> None:
        self.writer = writer
        self._loop = asyncio.get_running_loop()
        self._storing, self._hashing = self._lanes = (_Lane(self._told), _Lane(self._told))
        self._is_large = False
        self._small: list[bytes] = []
        self._small_bytes = 0
        self._moved: asyncio.Future[None] | None = None

    async def add(self, piece: bytes) -> None:
        """Take a piece; waits while too many are not worked off yet."""
        self._small.append(piece)
        self._small_bytes += len(piece)
        if self._small_bytes < BATCH_BYTES:
            return
        self._hand_on()
        while max(lane.waiting for lane in self._lanes) > WAITING_MAX:
            await self._moving()

    def _hand_on(self) -> None:
        batch = self._small[0] if len(self._small) == 1 else b"".join(self._small)
        self._small, self._small_bytes, self._is_large = [], 0, True
        self._storing.add(lambda: self.writer.store(batch))
        self._hashing.add(lambda: self.writer.digest(batch))

    async def settled(self) -> None:
        """All is in the content and in the hashes, or a thread has raised. The hash is always the last to be done, so
        the file is synced meanwhile."""
        if self._is_large:
            if self._small:
                self._hand_on()
            self._storing.add(self.writer.sync)
        while any(lane.waiting for lane in self._lanes):
            await self._moving()
        for lane in self._lanes:
            lane.raise_failure()

    async def _moving(self) -> None:
        self._moved = self._loop.create_future()
        await self._moved

    def _told(self) -> None:
        self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)

    def finish_rest(self) -> None:
        """In a thread: a body that was too little to be handed on."""
        for piece in self._small:
            self.writer.write(piece)

    def end(self) -> None:
        """Leave nothing of what was not finished."""
        for lane in self._lanes:
            lane.stop()
        threads().submit(self.writer.abort)  # it may have to wait for a write that is under way


class _Lane:
    """Work on pieces in their order, in a thread that is held only while there is some."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self.waiting = 0
        """What is not worked off."""
        self._moved = moved
        self._works: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._failure: Exception | None = None

    def add(self, work: Callable[[], None]) -> None:
        self.raise_failure()
        with self._lock:
            self._works.append(work)
            self.waiting += 1
            idle = self.waiting == 1
        if idle:
            threads().submit(self._run)

    def _run(self) -> None:
        while True:
            work = self._works.popleft()
            try:
                if self._failure is None:
                    work()
            except Exception as error:
                self._failure = error
            with self._lock:
                self.waiting -= 1
                ended = self.waiting == 0
            self._moved()
            if ended:
                return

    def stop(self) -> None:
        """Pass over what waits."""
        self._failure = self._failure or OSError("the body was given up")

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


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
