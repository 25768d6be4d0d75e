"""Writing and reading where there is nothing to wait for.

An event loop gathers what is written while it calls back, and writes it when all callbacks of the turn are done. What
is whole and short can leave at once: whoever waits for it then has it while the caller still counts and records. And
what a client sends in two pieces, one right after the other, is both there before the loop has come round.
"""

from __future__ import annotations

import asyncio
import os


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """Of a transport whose bytes go out as they are (not through TLS); -1 where there is none."""
    found = transport.get_extra_info("socket")
    if found is None or transport.get_extra_info("sslcontext") is not None:
        return -1
    return int(found.fileno())


def write_at_once(transport: asyncio.WriteTransport, descriptor: int, data: bytes) -> None:
    """``transport.write(data)``, without waiting for the end of the turn if nothing written before still waits. What
    the socket does not take, its errors too, are left to the transport."""
    if descriptor >= 0 and not transport.is_closing() and not transport.get_write_buffer_size():
        try:
            written = os.write(descriptor, data)
        except OSError:
            written = 0
        if written == len(data):
            return
        transport.write(memoryview(data)[written:])
    else:
        transport.write(data)


def read_at_once(descriptor: int, most: int) -> bytes:
    """What is there already of ``most`` bytes that are still to come; an end and errors are left to the transport."""
    if descriptor < 0:
        return b""
    try:
        return os.read(descriptor, most)
    except OSError:
        return b""
