"""uvicorn's protocol with our bounds, in this process: limits that would take too long against a real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from cloche.server import crowd, http_protocol
from cloche.server.crowd import Crowd
from cloche.server.http_protocol import HttpProtocol

Talk = Callable[[bytes], Awaitable[bytes]]
seen: list[dict[str, Any]] = []


async def application(scope: Any, receive: Any, send: Any) -> None:
    seen.append(scope)
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def served(most: int = 100) -> AsyncIterator[int]:
    config = uvicorn.Config(application, http=HttpProtocol, ws="none", lifespan="off", port=0, log_config=None)
    config.crowd = Crowd(most)  # type: ignore[attr-defined]
    server = _Quiet(config)
    task = asyncio.create_task(server.serve())
    watching = asyncio.create_task(crowd.watch(server.server_state.connections))
    while not server.started:
        await asyncio.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    watching.cancel()
    await task


def ask(*pieces: bytes, then: float = 0.0) -> bytes:
    """All that comes back for these bytes until the server closes the connection."""

    async def talk() -> bytes:
        async with served() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(then)
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            return answer

    seen.clear()
    return asyncio.run(talk())


CLOSE = b"Host: h\r\nConnection: close\r\n\r\n"


def test_the_target_as_it_came() -> None:
    assert b" 200 " in ask(b"GET //a%2Fb/../c?x=%26&y HTTP/1.1\r\n" + CLOSE)
    assert (seen[0]["raw_path"], seen[0]["query_string"]) == (b"//a%2Fb/../c", b"x=%26&y")


@pytest.mark.parametrize(
    ("target", "path"),
    [(b"http://sts.amazonaws.com/a?b", b"/a"), (b"HTTP://h", b"/"), (b"https://h?q", b"")],
)
def test_a_proxys_absolute_target(target: bytes, path: bytes) -> None:
    ask(b"GET " + target + b" HTTP/1.1\r\n" + CLOSE)
    assert seen[0]["raw_path"] == path


def test_pieces_of_any_size() -> None:
    raw = b"PUT /k HTTP/1.1\r\nContent-Length: 5\r\n" + CLOSE + b"hello"
    assert ask(*[raw[n : n + 1] for n in range(len(raw))]).endswith(b"\r\n\r\nhello")


def test_heads_have_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS_MAX", 0.05)
    assert ask(b"GET / HTTP/1.1\r\nHost: h\r\n").startswith(b"HTTP/1.1 408 ")
    assert ask(b"").startswith(b"HTTP/1.1 408 ")
    assert ask(b"CON").startswith(b"HTTP/1.1 408 ")
    assert not seen


def test_bodies_that_come_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS_MAX", 0.05)
    answer = ask(b"PUT /k HTTP/1.1\r\nContent-Length: 2\r\n" + CLOSE, b"a", b"b", then=0.1)
    assert answer.endswith(b"\r\n\r\nab")


def test_too_many_and_too_large_headers() -> None:
    many = b"".join(b"X-%d: a\r\n" % n for n in range(300))
    assert ask(b"GET / HTTP/1.1\r\n" + many + CLOSE).startswith(b"HTTP/1.1 431 ")
    assert ask(b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n" + CLOSE).startswith(b"HTTP/1.1 431 ")
    assert not seen


def test_trailers_of_a_chunked_body_are_no_headers() -> None:
    raw = b"PUT /k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"2\r\nhi\r\n0\r\nX-Late: 1\r\n\r\n"
    assert b"hi" in ask(raw)
    assert b"x-late" not in [name for name, _ in seen[0]["headers"]]
