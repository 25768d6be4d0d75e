"""The selector under asyncio's own loop: what is served where the loop waits, and what the loop is left."""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
from collections.abc import Iterator

import pytest

from cloche_jobs.serving.prompt import PromptSelector

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        yield one, other


def test_what_was_served_is_not_told(pair: Pair) -> None:
    one, other = pair
    selector = PromptSelector()
    selector.register(one, selectors.EVENT_READ, "loop's")
    heard: list[bytes] = []

    def serve() -> bool:
        heard.append(os.read(one.fileno(), 100))
        return heard[-1] != b"for the loop"

    selector.prompt(one.fileno(), serve)
    other.sendall(b"at once")
    assert selector.select(0) == []
    other.sendall(b"for the loop")
    assert [(key.data, events) for key, events in selector.select()] == [("loop's", selectors.EVENT_READ)]
    assert heard == [b"at once", b"for the loop"]
    selector.unregister(one)
    selector.register(one, selectors.EVENT_READ, "again")
    other.sendall(b"nobody is prompt any more")
    assert [key.data for key, _ in selector.select()] == ["again"]
    assert len(heard) == 2
    selector.close()


def test_files_that_were_closed_first_can_be_left_out(pair: Pair) -> None:
    one, _ = pair
    selector = PromptSelector()
    selector.register(one, selectors.EVENT_READ)
    with pytest.raises(KeyError):
        selector.register(one.fileno(), selectors.EVENT_READ)
    one.close()
    selector.unregister(one)
    assert not selector.get_map()
    selector.close()


class Served(asyncio.Protocol):
    def __init__(self, selector: PromptSelector) -> None:
        self.selector = selector
        self.by_loop: list[bytes] = []
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.descriptor = transport.get_extra_info("socket").fileno()
        self.selector.prompt(self.descriptor, self.serve)

    def serve(self) -> bool:
        data = os.read(self.descriptor, 100)
        if not data:
            return False
        self.transport.write(data.upper())
        return True

    def data_received(self, data: bytes) -> None:
        self.by_loop.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True


def test_what_is_registered_is_found_by_its_file_and_by_its_descriptor(pair: Pair) -> None:
    """asyncio asks so before it registers, changes or removes anything (from Python 3.13 on)."""
    selector = PromptSelector()
    ours, theirs = pair
    key = selector.register(ours, selectors.EVENT_READ)
    known = selector.get_map()
    assert known.get(ours) == known.get(ours.fileno()) == selector.get_key(ours) == key
    assert known.get(theirs) is None
    assert list(known) == [ours.fileno()]
    selector.close()


def test_the_loop_goes_on_beside_connections_that_are_served_promptly(pair: Pair) -> None:
    """Timers, threads and ends are the loop's as ever."""
    one, other = pair
    selector = PromptSelector()

    def asked() -> list[bytes]:
        answers = []
        for number in range(20):
            other.sendall(b"row %d" % number)
            answers.append(other.recv(100))
        return answers

    async def main() -> Served:
        loop = asyncio.get_running_loop()
        _, served = await loop.connect_accepted_socket(lambda: Served(selector), one)
        assert await asyncio.to_thread(asked) == [b"ROW %d" % number for number in range(20)]
        await asyncio.sleep(0.01)
        assert (await asyncio.to_thread(asked))[0] == b"ROW 0"
        other.close()
        while not served.ended:
            await asyncio.sleep(0.001)
        return served

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert runner.run(main()).by_loop == []
