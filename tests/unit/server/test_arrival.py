"""A body keeps its order and its bytes however it comes in, and its end is told once."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloche.server.arrival import HELD_BYTES_MAX, Cycle, Pieces

SIZES = st.lists(st.one_of(st.integers(0, 40), st.sampled_from([16_383, 16_384, 65_536, 300_000])), max_size=20)


@given(SIZES)
def test_pieces_are_taken_as_they_came(sizes: list[int]) -> None:
    pieces, whole = Pieces(), b""
    for number, size in enumerate(sizes):
        piece = bytes([number]) * size
        pieces += piece
        whole += piece
    assert len(pieces) == len(whole)
    found = []
    while pieces:
        found.append(pieces.take())
    assert b"".join(found) == whole
    assert pieces.take() == b""


def test_many_small_pieces_are_few_large_ones() -> None:
    pieces = Pieces()
    for _ in range(200_000):
        pieces += b"x"
    count = 0
    while pieces:
        assert len(pieces.take()) >= 3_392
        count += 1
    assert count == 4


class Flow:
    paused = False
    write_paused = False

    def resume_reading(self) -> None:
        self.paused = False


def cycle(flow: Flow) -> Any:
    return Cycle(
        scope={"method": "PUT"},
        transport=SimpleNamespace(is_closing=lambda: False, write=lambda data: None),
        flow=flow,
        logger=logging.getLogger(),
        access_logger=logging.getLogger(),
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=True,
        on_response=lambda: None,
    )


def test_messages_of_a_body_and_the_clients_leaving() -> None:
    async def told() -> None:
        flow = Flow()
        made = cycle(flow)
        first = asyncio.ensure_future(made.receive())
        await asyncio.sleep(0)
        made.body += b"a" * 20_000
        made.message_event.set()
        assert (await first) == {"type": "http.request", "body": b"a" * 20_000, "more_body": True}
        made.body += b"b" * 20_000
        made.body += b"c" * (HELD_BYTES_MAX + 1)
        made.more_body = False
        flow.paused = True
        made.message_event.set()
        assert (await made.receive())["body"] == b"b" * 20_000
        assert flow.paused, "there is still more than enough"
        last = await made.receive()
        assert (len(last["body"]), last["more_body"]) == (HELD_BYTES_MAX + 1, False)
        assert not flow.paused
        leaving = asyncio.ensure_future(made.receive())
        await asyncio.sleep(0.01)
        assert not leaving.done(), "the end is told once"
        made.disconnected = True
        made.message_event.set()
        assert (await leaving)["type"] == "http.disconnect"

    asyncio.run(told())


def test_an_empty_body_ends_at_once() -> None:
    async def told() -> None:
        made = cycle(Flow())
        made.more_body = False
        made.message_event.set()
        assert await made.receive() == {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(told())


def test_an_answers_head_is_sent_with_its_body() -> None:
    """In one write, so that no kill comes between; one whose end nobody knows yet begins at once."""

    async def written(*messages: dict[str, Any]) -> list[bytes]:
        made, out = cycle(Flow()), list[bytes]()
        made.transport = SimpleNamespace(is_closing=lambda: False, write=out.append)
        for message in messages:
            await made.send(message)
        return out

    def start(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
        return {"type": "http.response.start", "status": 200, "headers": list(headers)}

    def body(data: bytes, *, more: bool) -> dict[str, Any]:
        return {"type": "http.response.body", "body": data, "more_body": more}

    length = (b"content-length", b"4")
    whole = asyncio.run(written(start(length), body(b"ab", more=True), body(b"cd", more=False)))
    assert whole == [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab", b"cd"]
    stream = asyncio.run(written(start(), body(b"ab", more=True)))
    assert len(stream) == 2 and stream[0].endswith(b"\r\n\r\n")
