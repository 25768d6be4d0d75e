"""A file's bytes to a connection inside the kernel (``sendfile``), never through this process's memory.

Two take turns. A thread goes on while the connection takes more, for reading a file may wait for a disk; what it does
at a time is bounded, so that a long download holds none. The event loop waits for a client that reads slowly.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from time import monotonic
from typing import Final

from cloche.foundation.limits import HANDLER_THREADS, KIB, MIB

TURN_SECONDS: Final = 0.05
"""What a thread does before the next download gets it."""
_PATIENCE_MILLISECONDS: Final = 10
"""How long it waits for a client that keeps up but for a moment; going round the event loop takes longer."""
_STEP_BYTES: Final = 8 * MIB
_COPIED_BYTES: Final = 256 * KIB
_NOT_POSSIBLE: Final = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""``sendfile`` from a file system that has no pages to give."""


@cache
def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="straight")


async def sent_from(
    connection: int, file: int, offset: int, count: int, woken: asyncio.Event
) -> AsyncGenerator[int, None]:
    """Sends, and tells after each turn how many bytes are still to be sent, 0 at the end. ``connection`` and ``file``
    stay the caller's and may be closed whenever he no longer asks. Whatever sets ``woken`` ends the wait for a slow
    client. Raises ``OSError``: ``ConnectionError`` where the client has gone."""
    loop = asyncio.get_running_loop()
    connection, file = _own(connection, file)
    work = threads().submit(_send, connection, file, offset, offset + count)

    def close(_ended: object) -> None:
        os.close(connection)
        os.close(file)

    try:
        while True:
            reached = await asyncio.wrap_future(work)
            left = offset + count - reached
            yield left
            if not left:
                return
            await _writable(loop, connection, woken)
            work = threads().submit(_send, connection, file, reached, offset + count)
    finally:
        work.add_done_callback(close)


def _own(connection: int, file: int) -> tuple[int, int]:
    """Numbers of its own for both: one that somebody else closes is soon another's."""
    own = os.dup(connection)
    try:
        return own, os.dup(file)
    except OSError:
        os.close(own)
        raise


async def _writable(loop: asyncio.AbstractEventLoop, connection: int, woken: asyncio.Event) -> None:
    woken.clear()
    loop.add_writer(connection, woken.set)
    try:
        await woken.wait()
    finally:
        loop.remove_writer(connection)


def _send(connection: int, file: int, at: int, end: int) -> int:
    """In a thread: until the end, the end of the turn, or the client reads no more for now. How far it came."""
    until = monotonic() + TURN_SECONDS
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    while at < end and monotonic() < until:
        try:
            done = _send_some(connection, file, at, min(end - at, _STEP_BYTES))
        except BlockingIOError:
            if not poll.poll(_PATIENCE_MILLISECONDS):
                break
            continue
        if not done:
            raise OSError(errno.EIO, "the file is shorter than it was")
        at += done
    return at


def _send_some(connection: int, file: int, at: int, count: int) -> int:
    try:
        return os.sendfile(connection, file, at, count)
    except OSError as error:
        if error.errno not in _NOT_POSSIBLE:
            raise
    data = os.pread(file, min(count, _COPIED_BYTES), at)
    return os.write(connection, data) if data else 0
