"""Streams of model servers that behave oddly: what comes is passed on, what is wrong is said, nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from test_hosting_connection import ENDS, LOOPS, Dying, Toy, answering, read_request

from cloche.engines.hosting.choosing import NothingServes, SessionUnknown
from cloche.engines.hosting.connection import TimedOut, Unanswered, Unreachable
from cloche.engines.hosting.invocation import Invoker, Outcome
from cloche.engines.hosting.router import ANY, Route, Router, Target, Variant, Wanted
from cloche.engines.hosting.streaming import AnswerStream, stream
from cloche.engines.hosting.traffic import Traffic

HEARD = (b"x", "1", ("", "", ""))
KEY = ("123456789012", "us-east-1", "e")
REQUEST = (b"POST /invocations HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n"


class Way:
    """An endpoint of one variant, its instances at ``paths``."""

    def __init__(self, *paths: Path, seconds: float = 5.0, recovery: float = 0.2) -> None:
        self.targets = [Target(str(number), str(path)) for number, path in enumerate(paths)]
        self.traffic = Traffic()
        router = Router()
        router.put(KEY, Route([Variant("v", 1.0, self.targets, self.traffic)]))
        self.invoker = Invoker(router, lambda key, instance: None, stream_seconds=seconds, recovery_seconds=recovery)

    async def ask(self, wanted: Wanted = ANY, data: tuple[bytes, ...] = REQUEST) -> AnswerStream | Outcome:
        return (await stream(self.invoker, KEY, wanted, data, lambda: HEARD))[1]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


@pytest.mark.parametrize(
    "pieces",
    [
        (CHUNKED, b"2\r\nab\r\n", b"1;x=y\r\nc\r\n", b"0\r\n\r\n"),
        (CHUNKED, b"3\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na", b"bc"),
        (b"HTTP/1.1 200 OK\r\n\r\na", b"bc"),
    ],
)
def test_bodies_of_every_form(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    async def story() -> None:
        async with Toy(tmp_path / "s", answering(*pieces, pause=0.01)):
            way = Way(tmp_path / "s")
            answer = await way.ask()
            assert isinstance(answer, AnswerStream)
            assert way.targets[0].outstanding == 1
            assert await answer.whole() == b"abc"
            assert way.targets[0].outstanding == 0
            counts = way.traffic.take()
            assert (counts.invocations, counts.model_errors, len(counts.model_latencies)) == (1, 0, 1)

    run(story())


@pytest.mark.parametrize(
    "pieces",
    [
        (CHUNKED, b"5\r\nab"),
        (CHUNKED, b"2\r\nabc\r\n"),
        (CHUNKED, b"x\r\n"),
        (CHUNKED, b"-1\r\n"),
        (CHUNKED, b"2\r\nab\r\n" + b"1" * 70_000),
        (CHUNKED, b"2\r\nab\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",),
    ],
)
def test_bodies_that_are_wrong_or_cut_off(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    async def story() -> None:
        async with Toy(tmp_path / "s", answering(*pieces)):
            way = Way(tmp_path / "s")
            answer = await way.ask()
            assert isinstance(answer, AnswerStream)
            with pytest.raises(Unanswered, match=r"^(the connection was closed before the answer|a chunk)"):
                await answer.whole()
            assert way.targets[0].outstanding == 0
            counts = way.traffic.take()
            assert (counts.invocations, counts.model_errors, counts.errors_5xx) == (1, 1, 1)

    run(story())


@pytest.mark.parametrize(
    "pieces",
    [
        (b"nonsense\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",),
        (b"HTTP/1.1 20",),
    ],
)
def test_heads_that_are_wrong(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    async def story() -> None:
        async with Toy(tmp_path / "s", answering(*pieces)):
            way = Way(tmp_path / "s")
            outcome = await way.ask()
            assert isinstance(outcome, Unanswered)
            assert str(outcome).startswith(("the ", "what came does not begin like"))
            assert "expected bytes" not in str(outcome)
            assert "Separator" not in str(outcome)
            assert way.targets[0].outstanding == 0

    run(story())


@pytest.mark.parametrize("pieces", [(), (CHUNKED,), (CHUNKED, b"2\r\nab\r\n")])
def test_one_that_stops_is_ended_when_its_time_is_over(tmp_path: Path, pieces: tuple[bytes, ...]) -> None:
    async def story() -> None:
        left = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            for piece in pieces:
                writer.write(piece)
            await reader.read()
            left.set()

        async with Toy(tmp_path / "s", serve):
            way = Way(tmp_path / "s", seconds=0.3)
            answer = await way.ask()
            if pieces:
                assert isinstance(answer, AnswerStream)
                with pytest.raises(TimedOut):
                    await answer.whole()
            else:
                assert isinstance(answer, TimedOut)
            await left.wait()  # the model server is told

    run(story())


def test_a_slow_reader_does_not_lose_what_came_before_the_time_was_over(tmp_path: Path) -> None:
    async def story() -> None:
        async with Toy(tmp_path / "s", answering(CHUNKED + b"2\r\nab\r\n", pause=3.0)):
            answer = await Way(tmp_path / "s", seconds=0.3).ask()
            assert isinstance(answer, AnswerStream)
            came = []
            with pytest.raises(TimedOut):
                async for piece in answer.pieces():
                    came.append(piece)
                    await asyncio.sleep(0.5)
            assert came == [b"ab"]

    run(story())


def test_another_instance_is_asked_where_one_does_not_listen(tmp_path: Path) -> None:
    async def story() -> None:
        async with Toy(tmp_path / "s", answering(CHUNKED, b"0\r\n\r\n")):
            way = Way(tmp_path / "gone", tmp_path / "s")
            for _ in range(4):
                answer = await way.ask()
                assert isinstance(answer, AnswerStream)
                answer.close()
        assert isinstance(await Way(tmp_path / "gone").ask(), NothingServes)

    run(story())


def test_an_instance_that_is_wanted_is_the_one_that_is_asked(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Toy(tmp_path / "0", answering(CHUNKED, b"0\r\n\r\n")) as first,
            Toy(tmp_path / "1", answering(CHUNKED, b"0\r\n\r\n")) as second,
        ):
            way = Way(tmp_path / "0", tmp_path / "1")
            for _ in range(4):
                answer = await way.ask(Wanted(instance="1"))
                assert isinstance(answer, AnswerStream)
                answer.close()
            assert (first.connections, second.connections) == (0, 4)
            assert isinstance(await way.ask(Wanted(instance="2")), SessionUnknown)
            assert isinstance(await way.ask(Wanted("w", "1")), SessionUnknown)

    run(story())


@LOOPS
@ENDS
def test_what_a_dying_server_has_not_read_whole_is_looked_for_elsewhere(
    tmp_path: Path,
    factory: Callable[[], asyncio.AbstractEventLoop],
    size: int,
    read: int | None,
    told: type[Exception],
) -> None:
    async def scenario() -> None:
        server, way = Dying(tmp_path / "s", read), Way(tmp_path / "s")
        head = b"POST /invocations HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size
        answer = asyncio.ensure_future(way.ask(data=(head, b"x" * size)))
        await server.end()
        assert isinstance(await answer, NothingServes if told is Unreachable else told), "there is no other"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(scenario(), 20))
