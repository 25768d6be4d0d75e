"""The short way of a plain request: the chain's stages in the chain's order, without its machinery.

A model that predicts one row answers in a tenth of a millisecond, a description that is remembered in less; a task,
an event and ASGI's messages would take longer than that. So a request that is plain (a POST, signed in its header, a
short body of known length) is handled in the protocol's callbacks. Anything else, and everything that would have to
be refused for its form, goes the ordinary way; refusals after that are worded by the chain.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.routing import route
from cloche.foundation.bus import RequestServed
from cloche.foundation.ids import request_id as new_request_id
from cloche.server.app import Chain, Exchange

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol

BODY_BYTES_MAX: Final = 64 * 1024
"""uvicorn stops reading beyond this until somebody takes the body; longer ones go the ordinary way."""
_UNUSUAL: Final = frozenset(("transfer-encoding", "expect", "upgrade", "content-encoding", "origin", "sec-fetch-site"))


def is_plain(headers: Headers) -> bool:
    """Signed in the header, a short body of known length, nothing that asks for more than an answer."""
    if headers.repeats or not headers.names().isdisjoint(_UNUSUAL):
        return False
    if not is_short(headers.get("content-length")):
        return False
    return headers.get("authorization").startswith("AWS4-HMAC-SHA256 ")


def is_short(length: str) -> bool:
    """Is that the length of a body that is taken here?"""
    return length.isascii() and length.isdigit() and len(length) < 6 and int(length) <= BODY_BYTES_MAX


def headers_of(lines: list[tuple[bytes, bytes]]) -> Headers:
    """Header lines as they came, names in lower case."""
    return Headers.received([(str(name, "latin-1"), str(value, "latin-1")) for name, value in lines])


class _Answered:
    """The ``message_event`` of a request that has its answer: nothing is to begin any more."""

    __slots__ = ()

    def set(self) -> None:
        pass


_ANSWERED: Final = _Answered()


class _Opening:
    """How answers begin: the status, and the headers that all have for a second or so."""

    def __init__(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._made: dict[int, bytes] = {}

    def of(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """``headers`` is another list when they have changed."""
        if headers is not self._headers:
            self._headers, self._made = headers, {}
        made = self._made.get(status)
        if made is None:
            lines = [b"%b: %b\r\n" % header for header in headers]
            made = self._made[status] = b"".join((STATUS_LINE[status], *lines))
        return made


_OPENING: Final = _Opening()


class QuickCycle:
    """One request and its answer, in the place of uvicorn's own cycle (whose attributes it has).

    uvicorn sets ``message_event`` when some of the body came, when all of it came, and when the client has gone;
    that is this object itself, and ``set`` begins the work when all is there. Once the answer is written the circle
    is opened: an object that refers to itself is freed by the collector alone, and a thousand of them at once make a
    pause that the requests of that moment wait for.
    """

    __slots__ = (
        "_begun",
        "_method",
        "_path",
        "_protocol",
        "_query",
        "_started",
        "body",
        "chain",
        "disconnected",
        "exchange",
        "headers",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
    )

    def __init__(
        self, chain: Chain, protocol: HttpProtocol, path: str, headers: Headers, method: str = "POST", query: str = ""
    ) -> None:
        self.chain = chain
        self.exchange = Exchange("")
        self.headers = headers
        self.body = b""
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.keep_alive = True
        self.message_event: QuickCycle | _Answered = self
        self._protocol = protocol
        self._path = path
        self._method = method
        self._query = query
        self._started = perf_counter()
        self._begun = False

    def begin(self, request: HttpRequest) -> None:
        """Answer the request, now or later, by ``write``. What it raises is refused as the chain would."""
        raise AssertionError("a kind of cycle says how it begins")

    def set(self) -> None:
        if self.more_body or self._begun or self.disconnected:
            return
        self._begun = True
        exchange = self.exchange
        exchange.request_id = new_request_id()
        request = exchange.request = HttpRequest(self._method, self._path, self._query, self.headers, bytes(self.body))
        try:
            self.chain.guard.check(request)
            exchange.admitted = True
            self.begin(request)
        except Exception as error:
            self.refuse(error)

    def refuse(self, error: Exception) -> None:
        exchange = self.exchange
        assert exchange.request is not None
        if exchange.admitted and exchange.target is None:
            exchange.target = route(exchange.request)
        response = self.chain.refusal(exchange, error)
        assert isinstance(response.body, bytes)
        self.send(response.status, block_of(response.headers), response.body)

    def write(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.send(status, b"".join([b"%b: %b\r\n" % header for header in headers]), body)

    def send(self, status: int, block: bytes, body: bytes, *, tells_length: bool = False) -> None:
        """``block`` holds the header lines; ``tells_length`` says that the body's length is among them."""
        protocol: Any = self._protocol
        self.response_complete = True
        self.message_event = _ANSWERED
        if not self.disconnected and not protocol.transport.is_closing():
            pieces = [_OPENING.of(status, protocol.server_state.default_headers), block]
            if not tells_length:
                pieces.append(b"content-length: %d\r\n" % len(body))
            if not self.keep_alive:
                pieces.append(b"connection: close\r\n")
            pieces.append(b"\r\n")
            if self._method != "HEAD":
                pieces.append(body)
            protocol.write_at_once(b"".join(pieces))
            if not self.keep_alive:
                protocol.transport.close()
            protocol.on_response_complete()
        self._record(status)

    def _record(self, status: int) -> None:
        exchange, chain = self.exchange, self.chain
        target, caller = exchange.target, exchange.caller
        service, operation = self.names() if target is None else (target.service_name, target.operation.name)
        chain.bus.tell(
            RequestServed(
                chain.clock.time(),
                exchange.request_id,
                service,
                operation,
                caller.arn if caller is not None else "",
                status,
                exchange.code,
                perf_counter() - self._started,
            )
        )

    def names(self) -> tuple[str, str]:
        """Service and operation, where the request was never routed."""
        return "", ""


def block_of(headers: list[tuple[str, str]]) -> bytes:
    """Header lines as they are sent."""
    return "".join([f"{name.lower()}: {value}\r\n" for name, value in headers]).encode("latin-1")
