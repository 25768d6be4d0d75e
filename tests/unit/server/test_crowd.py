"""Who gives way when there are too many connections, and what is ended because its client stands still."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from cloche.server import crowd, http_protocol
from cloche.server.authority import Authority
from cloche.server.crowd import Crowd
from cloche.server.http_protocol import HttpProtocol

REQUEST = b"POST /%s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"


@dataclass(eq=False)
class Guest:
    settled: bool = True
    ended: bool = False

    def give_way(self) -> bool:
        self.ended = self.settled
        return self.ended


def entered(crowd: Crowd, everybody: set[Any], guest: Guest) -> Guest:
    everybody.add(guest)
    crowd.enter(guest, everybody)
    return guest


def test_who_waits_longest_gives_way() -> None:
    crowd, everybody = Crowd(3), set[Any]()
    first, second, third = (entered(crowd, everybody, Guest()) for _ in range(3))
    crowd.busy(first)
    crowd.busy(second)
    crowd.waits(second)
    newcomer = entered(crowd, everybody, Guest())
    assert [guest.ended for guest in (first, second, third, newcomer)] == [False, False, True, False]
    another = entered(crowd, everybody, Guest())
    assert second.ended
    assert everybody == {first, newcomer, another}


def test_requests_in_flight_and_unread_answers_stay() -> None:
    crowd, everybody = Crowd(2), set[Any]()
    unread = entered(crowd, everybody, Guest(settled=False))
    asking = entered(crowd, everybody, Guest())
    crowd.busy(asking)
    newcomer = entered(crowd, everybody, Guest())
    assert everybody == {unread, asking, newcomer}, "it is the newcomer's turn to be refused"
    after = entered(crowd, everybody, Guest())
    assert everybody == {unread, asking, after}, "who was refused gives way to the next"
    assert newcomer.ended


# With the real protocol


class Slow:
    """An application that answers ``/now`` at once, ``/much`` with more than fits on the way, others when let."""

    def __init__(self) -> None:
        self.arrived = asyncio.Semaphore(0)
        self.let = asyncio.Event()
        self.left: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.append(path)
                return
            if not message.get("more_body"):
                break
        self.arrived.release()
        if path != "/now":
            await self.let.wait()
        body = b"x" * (64 << 20 if path == "/much" else 2)
        head = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


@dataclass(eq=False)
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def status(self) -> int:
        """The next answer's status; 0 where the connection ended instead."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return 0
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
        await self.reader.readexactly(length)
        return int(head.split(b" ", 2)[1])


class _Quiet(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def serving(
    application: Slow, most: int, authority: Authority | None = None
) -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    config = uvicorn.Config(application, http=HttpProtocol, ws="none", lifespan="off", port=0, log_config=None)
    config.crowd = Crowd(most)  # type: ignore[attr-defined]
    if authority is not None:
        config.tls = SimpleNamespace(context=authority.context("localhost"))  # type: ignore[attr-defined]
    server = _Quiet(config)
    task = asyncio.create_task(server.serve())
    watching = asyncio.create_task(crowd.watch(server.server_state.connections))
    while not server.started:
        await asyncio.sleep(0.005)
    clients: list[Client] = []

    async def connect(first: bytes = b"", **options: Any) -> Client:
        port = server.servers[0].sockets[0].getsockname()[1]
        client = Client(*await asyncio.open_connection("127.0.0.1", port, **options))
        client.writer.write(first)
        clients.append(client)
        return client

    try:
        yield connect
    finally:
        for client in clients:
            client.writer.transport.abort()
        application.let.set()
        watching.cancel()
        server.should_exit = True
        await task


async def wait_until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not what():
            await asyncio.sleep(0.01)


def test_a_crowd_of_idle_and_dribbling_connections_keeps_nobody_out() -> None:
    async def run() -> None:
        slow = Slow()
        async with serving(slow, most=20) as connect:
            asking = [await connect(REQUEST % b"later") for _ in range(5)]
            for _ in asking:
                await slow.arrived.acquire()
            kept = await connect(REQUEST % b"now")
            assert await kept.status() == 200
            crowd = [await connect(b"" if number % 2 else b"GET / HTTP/1.1\r\nX: ") for number in range(100)]
            assert await kept.status() == 0, "idle since before all of them"
            newcomer = await connect(REQUEST % b"now")
            assert await newcomer.status() == 200
            still = [client for client in crowd if not client.reader.at_eof()]
            assert 0 < len(still) <= 14
            assert set(still) <= set(crowd[-20:]), "the longest waiting went first"
            slow.let.set()
            assert [await client.status() for client in asking] == [200] * 5

    asyncio.run(run())


def test_handshakes_and_tunnels_that_dribble_in_are_of_the_crowd_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.ensure()
    trusting = ssl.create_default_context(cafile=str(authority.bundle))

    async def run() -> None:
        slow = Slow()
        async with serving(slow, most=6, authority=authority) as connect:
            secured = {"ssl": trusting, "server_hostname": "localhost"}
            asking = await connect(REQUEST % b"later", **secured)
            await slow.arrived.acquire()
            kept = await connect(REQUEST % b"now", **secured)
            assert await kept.status() == 200
            crowd = [await connect(b"\x16\x03\x01" if number % 2 else b"CONNECT a:1 H") for number in range(30)]
            assert await kept.status() == 0
            assert await (await connect(REQUEST % b"now", **secured)).status() == 200
            await wait_until(lambda: sum(not client.reader.at_eof() for client in crowd) <= 4)
            slow.let.set()
            assert await asking.status() == 200

    asyncio.run(run())


def test_only_requests_in_flight_turn_a_newcomer_away() -> None:
    async def run() -> None:
        slow = Slow()
        async with serving(slow, most=3) as connect:
            asking = [await connect(REQUEST % b"later") for _ in range(3)]
            for _ in asking:
                await slow.arrived.acquire()
            assert await (await connect(REQUEST % b"now")).status() == 503
            slow.let.set()
            assert [await client.status() for client in asking] == [200] * 3
            assert await (await connect(REQUEST % b"now")).status() == 200

    asyncio.run(run())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALLED_SECONDS_MAX", 0.2)
    monkeypatch.setattr(crowd, "_SWEEP_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_body_that_stops_coming() -> None:
    async def run() -> None:
        slow = Slow()
        async with serving(slow, most=10) as connect:
            promised = b"PUT /body HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc"
            assert await (await connect(promised)).status() == 408
            await wait_until(lambda: slow.left == ["/body"])
            waiting = await connect(REQUEST % b"later")
            await slow.arrived.acquire()
            await asyncio.sleep(0.5)
            slow.let.set()
            assert await waiting.status() == 200, "it was the server that took its time"

    asyncio.run(run())


@pytest.mark.usefixtures("impatient")
def test_an_answer_that_nobody_reads() -> None:
    async def run() -> None:
        slow = Slow()
        slow.let.set()
        async with serving(slow, most=10) as connect:
            client = await connect(REQUEST % b"much", limit=1024)
            await slow.arrived.acquire()
            await asyncio.sleep(0.5)
            received = 0
            with contextlib.suppress(ConnectionError):
                while piece := await asyncio.wait_for(client.reader.read(1 << 20), 10):
                    received += len(piece)
            assert received < 64 << 20, "it was not kept for a client that does not come for it"

    asyncio.run(run())


@pytest.mark.usefixtures("impatient")
def test_slow_readers_and_senders_that_go_on_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALLED_SECONDS_MAX", 0.5)

    async def run() -> None:
        slow = Slow()
        slow.let.set()
        async with serving(slow, most=10) as connect:
            sender = await connect(b"PUT /body HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n")
            for _ in range(8):
                await asyncio.sleep(0.1)
                sender.writer.write(b"a")
            assert await sender.status() == 200
            reader = await connect(REQUEST % b"much", limit=1 << 20)
            received = 0
            while received < 64 << 20:
                piece = await asyncio.wait_for(reader.reader.read(1 << 20), 10)
                assert piece, "ended though it was read"
                received += len(piece)
                if received >> 23 != (received - len(piece)) >> 23:
                    await asyncio.sleep(0.1)

    asyncio.run(run())
