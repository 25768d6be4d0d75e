"""The short way's request object: what is left of it when the answer is out."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

from cloche.aws.http import Headers, HttpRequest
from cloche.server.quick.cycle import QuickCycle


class Echo(QuickCycle):
    __slots__ = ()

    def begin(self, request: HttpRequest) -> None:
        self.write(200, [(b"content-type", b"text/plain")], request.body)


class Protocol:
    """What a cycle sees of uvicorn's protocol."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.transport = SimpleNamespace(write=self.sent.append, is_closing=lambda: False, close=lambda: None)
        self.server_state = SimpleNamespace(default_headers=[(b"date", b"today")])
        self.answered = 0
        self.write_at_once = self.sent.append

    def on_response_complete(self) -> None:
        self.answered += 1


def asked(protocol: Protocol) -> Echo:
    chain: Any = SimpleNamespace(
        guard=SimpleNamespace(check=lambda request: None),
        bus=SimpleNamespace(tell=lambda event: None),
        clock=SimpleNamespace(time=lambda: 0.0),
    )
    stub: Any = protocol
    cycle = Echo(chain, stub, "/", Headers.received([("host", "localhost")]))
    cycle.body += b"hello"
    cycle.more_body = False
    cycle.message_event.set()
    return cycle


def test_a_request_is_answered_once_whatever_comes_after() -> None:
    protocol = Protocol()
    cycle = asked(protocol)
    cycle.message_event.set()  # as uvicorn does when the client goes
    assert protocol.answered == 1
    assert protocol.sent == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
    ]


def test_an_answered_request_leaves_nothing_to_the_collector() -> None:
    """Garbage that only the collector can free would pause every few thousand requests for milliseconds."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            asked(Protocol())
        assert gc.collect() < 100, "each request left a cycle behind"
    finally:
        gc.enable()
