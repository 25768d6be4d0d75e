"""The client of model servers, against toy servers on Unix sockets that behave oddly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from cloche.engines.hosting.answer import Answer
from cloche.engines.hosting.connection import Full, Pool, TimedOut, Unanswered, Unreachable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return head + await reader.readexactly(int(line[15:]))
    return head


def ask(pool: Pool, body: bytes = b"x", timeout: float = 5.0) -> asyncio.Future[Answer]:
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def done(answer: Answer | None, error: Exception | None) -> None:
        if error is not None:
            future.set_exception(error)
        else:
            assert answer is not None
            future.set_result(answer)

    pool.send((b"POST /invocations HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body), body), timeout, done)
    return future


class Toy:
    """A server at ``path``; counts its connections."""

    def __init__(self, path: Path, serve: Serve) -> None:
        self.path, self.serve, self.connections = path, serve, 0

    async def __aenter__(self) -> Toy:
        self.server = await asyncio.start_unix_server(self.connected, self.path)
        return self

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def __aexit__(self, *_: object) -> None:
        self.server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        request = await read_request(reader)
        body = request.partition(b"\r\n\r\n")[2]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def answering(*pieces: bytes, pause: float = 0.0) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return serve


def run(path: Path, serve: Serve, scenario: Callable[[Toy, Pool], Awaitable[None]], connections: int = 4) -> None:
    async def main() -> None:
        async with Toy(path, serve) as toy:
            pool = Pool(str(path), asyncio.get_running_loop(), connections)
            await asyncio.wait_for(scenario(toy, pool), 20)
            assert pool.outstanding == 0
            pool.close()

    asyncio.run(main())


def test_one_connection_serves_many_requests(tmp_path: Path) -> None:
    async def scenario(toy: Toy, pool: Pool) -> None:
        for number in range(20):
            answer = await ask(pool, b"%d" % number)
            assert answer.body == b"%d" % number
        assert toy.connections == 1

    run(tmp_path / "s", echo, scenario)


def test_many_requests_share_few_connections_and_keep_their_answers(tmp_path: Path) -> None:
    async def scenario(toy: Toy, pool: Pool) -> None:
        answers = await asyncio.gather(*[ask(pool, b"%d" % number) for number in range(200)])
        assert [answer.body for answer in answers] == [b"%d" % number for number in range(200)]
        assert toy.connections <= 4

    run(tmp_path / "s", echo, scenario)


def test_an_answer_in_pieces(tmp_path: Path) -> None:
    async def scenario(toy: Toy, pool: Pool) -> None:
        assert (await ask(pool)).body == b"ok"

    run(tmp_path / "s", answering(OK[:9], OK[9:30], OK[30:], pause=0.01), scenario)


def test_after_a_close_the_next_request_gets_a_new_connection(tmp_path: Path) -> None:
    async def scenario(toy: Toy, pool: Pool) -> None:
        for _ in range(3):
            assert (await ask(pool)).body == b"ok"
            await asyncio.sleep(0.02)
        assert toy.connections == 3

    run(tmp_path / "s", answering(OK), scenario)


def test_nobody_listening_is_unreachable(tmp_path: Path) -> None:
    async def main() -> None:
        pool = Pool(str(tmp_path / "none"), asyncio.get_running_loop())
        with pytest.raises(Unreachable):
            await ask(pool)
        assert pool.outstanding == 0

    asyncio.run(main())


@pytest.mark.parametrize("said", [b"", OK[:20], OK[:-1], b"nonsense\r\n\r\n", OK + b"more"])
def test_a_broken_answer_is_told_and_not_asked_for_again(tmp_path: Path, said: bytes) -> None:
    async def scenario(toy: Toy, pool: Pool) -> None:
        with pytest.raises(Unanswered):
            await ask(pool)
        assert toy.connections == 1

    run(tmp_path / "s", answering(said), scenario)


def test_silence_times_out(tmp_path: Path) -> None:
    async def scenario(toy: Toy, pool: Pool) -> None:
        with pytest.raises(TimedOut):
            await ask(pool, timeout=0.1)

    run(tmp_path / "s", answering(b"", pause=5), scenario)


def test_an_answer_that_comes_too_late_is_nobody_elses(tmp_path: Path) -> None:
    """A slow model answers the request that was given up; the next request must not get that answer."""

    async def slow_then_quick(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            body = (await read_request(reader)).partition(b"\r\n\r\n")[2]
            await asyncio.sleep(1.0 if body == b"slow" else 0.0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def scenario(toy: Toy, pool: Pool) -> None:
        with pytest.raises(TimedOut):
            await ask(pool, b"slow", timeout=0.1)
        for number in range(20):
            assert (await ask(pool, b"%d" % number)).body == b"%d" % number
            await asyncio.sleep(0.05)

    run(tmp_path / "s", slow_then_quick, scenario, connections=1)


def test_requests_that_wait_for_a_connection_time_out_too(tmp_path: Path) -> None:
    async def scenario(toy: Toy, pool: Pool) -> None:
        results = await asyncio.gather(*[ask(pool, timeout=0.1) for _ in range(3)], return_exceptions=True)
        assert [type(result) for result in results] == [TimedOut] * 3

    run(tmp_path / "s", answering(b"", pause=5), scenario, connections=1)


def test_bytes_nobody_asked_for_end_the_connection(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(OK)
        await asyncio.sleep(0.02)
        writer.write(OK)
        await reader.read()

    async def scenario(toy: Toy, pool: Pool) -> None:
        assert (await ask(pool)).body == b"ok"
        await asyncio.sleep(0.1)
        assert (await ask(pool)).body == b"ok"
        assert toy.connections == 2

    run(tmp_path / "s", serve, scenario)


def test_the_line_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloche.engines.hosting.connection.WAITING_MAX", 2)

    async def scenario(toy: Toy, pool: Pool) -> None:
        waiting = [ask(pool, timeout=0.2) for _ in range(3)]
        with pytest.raises(Full):
            await waiting[2]
        await asyncio.gather(*waiting[:2], return_exceptions=True)

    run(tmp_path / "s", answering(b"", pause=5), scenario, connections=1)


def test_a_large_body_goes_both_ways(tmp_path: Path) -> None:
    async def scenario(toy: Toy, pool: Pool) -> None:
        body = bytes(range(256)) * 20_000
        assert (await ask(pool, body)).body == body

    run(tmp_path / "s", echo, scenario)


# -- a server that dies: what it has not read whole may be asked of another ---------------------------------------


ENDS = pytest.mark.parametrize(
    ("size", "read", "told"),
    [
        (10, 0, Unreachable),
        (10, 50, Unreachable),
        (10, None, Unanswered),
        (6_000_000, 0, Unreachable),
        (6_000_000, 100_000, Unreachable),
        (6_000_000, None, Unreachable),
    ],
    ids=["nothing", "a part", "all", "nothing of much", "a part of much", "all that was sent of much"],
)
"""A body's size, how much of the request the server reads before it ends (``None``: all that has been sent), and what
is told of it then."""
LOOPS = pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


class Dying:
    """A server that takes one connection, reads ``read`` of it, and ends."""

    def __init__(self, path: Path, read: int | None) -> None:
        self._left = 10_000_000 if read is None else read
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    async def end(self) -> None:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._listener, asked.set)
        await asked.wait()
        loop.remove_reader(self._listener)
        connection, _ = self._listener.accept()
        with connection, self._listener:
            await asyncio.sleep(0.05)  # the client's loop, which is this one, sends what the socket takes
            connection.setblocking(False)
            while self._left:
                try:
                    self._left -= len(connection.recv(min(self._left, 65_536)))
                except BlockingIOError:
                    return


@LOOPS
@ENDS
def test_what_a_dying_server_has_not_read_whole_may_be_asked_of_another(
    tmp_path: Path,
    factory: Callable[[], asyncio.AbstractEventLoop],
    size: int,
    read: int | None,
    told: type[Exception],
) -> None:
    async def scenario() -> None:
        server, pool = Dying(tmp_path / "s", read), Pool(str(tmp_path / "s"), asyncio.get_running_loop())
        answer = ask(pool, b"x" * size)
        await server.end()
        with pytest.raises(told):
            await answer
        assert pool.outstanding == 0

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(scenario(), 20))
