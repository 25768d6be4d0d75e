"""Files go from the disk to a connection whole and in order, whoever reads them, however slowly, and leave nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import uvloop

from cloche.server import crowd, http_protocol, straight
from cloche.server.crowd import Crowd
from cloche.server.http_protocol import HttpProtocol
from cloche.server.sending import ZERO_COPY

CONTENT = b"".join(number.to_bytes(4, "big") for number in range(1 << 21))  # 8 MiB, no two places alike
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


class Files:
    """An application that answers everything with the file, from byte 3 on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert ZERO_COPY in scope["extensions"]
        count = self.path.stat().st_size - 3
        head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % count)]}
        with self.path.open("rb") as file:
            await send(head)
            await send({"type": ZERO_COPY, "file": file, "offset": 3, "count": count})


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def serving(path: Path) -> AsyncIterator[Callable[[], socket.socket]]:
    config = uvicorn.Config(Files(path), http=HttpProtocol, ws="none", lifespan="off", port=0, log_config=None)
    config.crowd = Crowd(10)  # type: ignore[attr-defined]
    server = _Quiet(config)
    task = asyncio.create_task(server.serve())
    watching = asyncio.create_task(crowd.watch(server.server_state.connections))
    while not server.started:
        await asyncio.sleep(0.005)
    sockets: list[socket.socket] = []

    def connect() -> socket.socket:
        sockets.append(socket.create_connection(server.servers[0].sockets[0].getsockname()))
        sockets[-1].settimeout(20)
        return sockets[-1]

    try:
        yield connect
    finally:
        for each in sockets:
            each.close()
        watching.cancel()
        server.should_exit = True
        await task


def run(loop: Callable[[], asyncio.AbstractEventLoop], what: Any) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(what)


def read(connection: socket.socket, pauses: int = 0) -> bytes:
    """The body of the next answer, or as much as comes of it. ``pauses`` at as many places until all is there."""
    data = b""
    while b"\r\n\r\n" not in data and (piece := connection.recv(4096)):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length, found = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]), bytearray(body)
    with contextlib.suppress(ConnectionError):
        while len(found) < length and (piece := connection.recv(min(1 << 20, length - len(found)))):
            if pauses and len(found) * pauses // length != (len(found) + len(piece)) * pauses // length:
                asyncio.run(asyncio.sleep(0.05))
            found += piece
    return bytes(found)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    return path


@LOOPS
def test_a_file_arrives_whole_again_and_again(loop: Any, file: Path) -> None:
    async def go() -> None:
        async with serving(file) as connect:
            connection = connect()
            for _ in range(3):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                assert await asyncio.to_thread(read, connection) == CONTENT[3:]
            for _ in range(2):  # pipelined: the second waits for the first
                connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await asyncio.to_thread(read, connection) == CONTENT[3:]
            assert await asyncio.to_thread(read, connection) == CONTENT[3:]

    run(loop, go())


@LOOPS
def test_slow_clients_hold_no_thread(loop: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than threads; a quick one is served beside them, and each gets its bytes."""
    monkeypatch.setattr(straight, "threads", straight.cache(lambda: straight.ThreadPoolExecutor(2)))

    async def go() -> None:
        async with serving(file) as connect:
            slow = [connect() for _ in range(6)]
            for each in slow:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
                each.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await asyncio.sleep(0.1)
            quick = connect()
            quick.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await asyncio.to_thread(read, quick) == CONTENT[3:]
            found = await asyncio.gather(*[asyncio.to_thread(read, each, 5) for each in slow])
            assert all(each == CONTENT[3:] for each in found)

    run(loop, go())


@LOOPS
def test_a_client_that_leaves_leaves_nothing(loop: Any, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        async with serving(file) as connect:
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(5):
                leaving = connect()
                leaving.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                assert await asyncio.to_thread(leaving.recv, 100)
                leaving.close()
            async with asyncio.timeout(10):
                while len(os.listdir("/proc/self/fd")) > before:
                    await asyncio.sleep(0.01)

    run(loop, go())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@LOOPS
def test_who_does_not_read_is_cut_off(loop: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALLED_SECONDS_MAX", 0.2)
    monkeypatch.setattr(crowd, "_SWEEP_SECONDS", 0.05)

    async def go() -> None:
        async with serving(file) as connect:
            idle = connect()
            idle.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await asyncio.sleep(0.6)
            assert len(await asyncio.to_thread(read, idle)) < len(CONTENT) - 3

    run(loop, go())


def test_a_file_system_without_pages_to_give(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> int:
        raise OSError(errno.EINVAL, "no sendfile here")

    monkeypatch.setattr(os, "sendfile", refuse)

    async def go() -> None:
        async with serving(file) as connect:
            connection = connect()
            connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await asyncio.to_thread(read, connection) == CONTENT[3:]

    run(asyncio.new_event_loop, go())


def test_a_file_that_is_too_short_ends_the_connection(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        async with serving(file) as connect:
            connection = connect()
            with file.open("r+b") as shortened:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                await asyncio.to_thread(connection.recv, 100)
                shortened.truncate(5000)
            found = await asyncio.to_thread(read_all, connection)
            assert len(found) < len(CONTENT) - 3

    run(asyncio.new_event_loop, go())
    assert any("Exception in ASGI application" in record.message for record in caplog.records)


def read_all(connection: socket.socket) -> bytes:
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 20):
            found += piece
    return bytes(found)
