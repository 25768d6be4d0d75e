"""How bytes of a connection become requests: uvicorn's protocol with bounds, and a door for CONNECT.

Added to uvicorn's: a limit on header bytes and count while they arrive, a time limit until they are complete, the
request target split as it came (clients sign the encoded path; ``//`` at its start is a key, not a host), and a
connection that opens with CONNECT is handed to ``proxy``, one that opens with a TLS handshake to ``tls``. The
``crowd`` decides who gives way when there are too many connections; it is told when a request is in flight.
"""

from __future__ import annotations

import asyncio
import re
from time import monotonic
from typing import Any, Final
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from cloche.foundation.at_once import descriptor_of, read_at_once, write_at_once
from cloche.foundation.limits import HEADER_BYTES_MAX, HEADER_COUNT_MAX, HEADER_SECONDS_MAX, STALLED_SECONDS_MAX
from cloche.server.arrival import HELD_BYTES_MAX, Cycle
from cloche.server.crowd import Crowd
from cloche.server.quick.cycle import is_short
from cloche.server.quick.heads import KnownHead
from cloche.server.sending import ZERO_COPY

_ABSOLUTE: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE).match
_CONNECT: Final = b"CONNECT "
_OF_PLAIN: Final[dict[str, Any]] = {ZERO_COPY: {}}
_HANDSHAKE: Final = 0x16
"""The first byte of a TLS connection (RFC 8446, 5.1); no method begins with it."""


class CallerLeft(Exception):
    """The header section was refused; the answer has been sent."""


class HttpProtocol(HttpToolsProtocol):
    """One connection. What is not uvicorn's own on the config is set there by ``server/run.py``."""

    _crowd: Crowd
    _stands = False
    """``connection_made`` has been called."""
    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _in_headers = False
    _heard_at = 0.0
    _unsent = 0
    _unsent_at = 0.0
    known: KnownHead | None = None
    """What the last request's head was like: one that is like it needs no parser (``quick/heads``)."""
    piece: bytes = b""
    """While it is parsed: what came, if a message begins with it."""
    _descriptor = -1
    _owed = 0
    """Bytes of a body whose head was not parsed."""
    _between = True
    """The parser waits for a message to begin."""
    _first: bytes | None = b""
    """What came so far while it may still turn out to be a CONNECT; ``None`` once it is not."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._descriptor = descriptor_of(transport)
        self._stands = True
        self._await_headers()
        self._crowd = self.config.crowd  # type: ignore[attr-defined]
        self._crowd.enter(self, self.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._stands:
            self._crowd.busy(self)
        if not self._stands:  # TLS failed before it stood
            return
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard_at = monotonic()
        if self._owed:
            self._take(data)
            return
        known = self.known
        if known is not None and self._between and self.cycle.response_complete and self._begin_known(known, data):
            return
        if self._first is not None:
            data = self._first + data
            if not self._stands:  # the first bytes of a TLS stream, come before ``connection_made``
                self._first = data
                return
            if _CONNECT.startswith(data[: len(_CONNECT)]):
                if len(data) < len(_CONNECT):
                    self._first = data
                    return
                self._hand_over(data)
                return
            if data[0] == _HANDSHAKE and getattr(self.config, "tls", None) is not None:
                self._secure(data)
                return
            self._first = None
        if self._in_headers or self._timer is not None:
            self._header_bytes += len(data)
            # Bodies that come in the same piece are counted too, so the bound here is generous; the exact one
            # is kept in on_header.
            if self._header_bytes > HEADER_BYTES_MAX * 8:
                self._refuse(431, "The request's headers are too large.")
                return
        self.piece = data if self._between else b""
        try:
            super().data_received(data)
        except CallerLeft:
            return
        finally:
            self.piece = b""
        if self._in_headers and self._timer is None:  # most requests come in one piece and need no timer
            self._await_headers()

    # -- heads that are known ------------------------------------------------------------------------------

    def _begin_known(self, known: KnownHead, data: bytes) -> bool:
        """Whether a request has begun whose head is ``known``. More than one request in ``data`` is the parser's."""
        sight = known.find(data)
        if sight is None or len(self.connections) > self._crowd.most:
            return False
        end = sight.end
        length = sight.values.get("content-length", "")
        missing = int(length) - (len(data) - end) if is_short(length) else -1
        if missing < 0:
            return False
        self._crowd.busy(self)
        cycle: Any = known.make(self, sight, None)
        self.cycle = cycle
        cycle.body = data[end:]
        if missing and (more := read_at_once(self._descriptor, missing)):  # boto3 sends a body apart from its head
            cycle.body += more
            missing -= len(more)
        if missing:
            self._owed = missing
        else:
            cycle.more_body = False
            cycle.set()
        return True

    def _take(self, data: bytes) -> None:
        """Some of the body of a request whose head was known, or the rest, and what follows it."""
        rest = data[self._owed :]
        if rest:
            data = data[: self._owed]
        self._owed -= len(data)
        cycle: Any = self.cycle
        cycle.body += data
        if not self._owed:
            cycle.more_body = False
            cycle.message_event.set()
        if rest:
            self.data_received(rest)

    def _hand_over(self, data: bytes) -> None:
        self._stop_timer()
        from cloche.server.proxy import Connect

        self._leave()
        handler = Connect(self.config, self.server_state, self.app_state, self.loop)
        self.transport.set_protocol(handler)
        handler.connection_made(self.transport)
        handler.data_received(data)

    def _secure(self, data: bytes) -> None:
        self._stop_timer()
        from cloche.server.tls import Securing

        def inside() -> HttpProtocol:
            return HttpProtocol(
                config=self.config, server_state=self.server_state, app_state=self.app_state, _loop=self.loop
            )

        self._leave()
        Securing(self.config, self.server_state, inside, self.loop).begin(self.transport, data)

    def _leave(self) -> None:
        self.connections.discard(self)
        self._crowd.busy(self)

    def give_way(self) -> bool:
        """See ``crowd``."""
        if self.transport.get_write_buffer_size():
            return False
        self._stop_timer()
        self._unset_keepalive_if_required()
        self.transport.abort()
        return True

    def begin_secured(self, transport: asyncio.Transport) -> None:
        """``connection_made`` for a stream inside TLS: neither CONNECT nor TLS in it."""
        early, self._first = self._first, None
        self.connection_made(transport)
        if early:
            self.data_received(early)

    # -- header section ------------------------------------------------------------------------------------

    def _await_headers(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(HEADER_SECONDS_MAX, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(408, "The request's headers did not arrive in time.")

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._in_headers = True
        self._between = False
        self._header_bytes = 0

    def on_message_complete(self) -> None:
        self._between = True
        super().on_message_complete()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_headers:  # trailers of a chunked body: nothing in AWS's protocols uses them
            return
        headers = self.headers
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > HEADER_BYTES_MAX or len(headers) >= HEADER_COUNT_MAX:
            self._refuse(431, "The request's headers are too many or too large.")
            raise CallerLeft
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._stop_timer()
        self._crowd.busy(self)
        http_version = self.parser.get_http_version()
        target = self.url
        if target[:1] != b"/" and (absolute := _ABSOLUTE(target)):
            target = target[absolute.end() :] or b"/"
        if http_version == "1.1" and self._is_quick(target):
            return
        raw_path, _, query = target.partition(b"?")
        path = raw_path.decode("latin-1")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": http_version,
            "method": self.parser.get_method().decode("ascii"),
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "extensions": _OF_PLAIN if self._descriptor >= 0 else {},
        }
        self.scope = scope  # type: ignore[assignment]
        self._begin(http_version)

    def _is_quick(self, target: bytes) -> bool:
        """Whether ``server/quick`` answers this request, in the place of the ASGI application."""
        quick = getattr(self.config, "quick", None)
        if quick is None or not self.parser.should_keep_alive():
            return False
        if len(self.connections) > self._crowd.most:
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        cycle = quick.takes(self, self.parser.get_method(), target)
        if cycle is None:
            return False
        self.cycle = cycle
        return True

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HELD_BYTES_MAX:
            self.flow.pause_reading()
        cycle.message_event.set()

    def _begin(self, http_version: str) -> None:
        app: Any = self.app
        if len(self.connections) > self._crowd.most:  # each of them has a request in flight
            app = service_unavailable
        previous = self.cycle
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=http_version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))

    def write_at_once(self, answer: bytes) -> None:
        """Send a whole answer."""
        write_at_once(self.transport, self._descriptor, answer)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._crowd.waits(self)
        self._heard_at = monotonic()
        if self.timeout_keep_alive_task is None:
            self._keep_alive(self.timeout_keep_alive)

    def _keep_alive(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def end_if_stalled(self, now: float) -> None:
        """See ``crowd``. What the server itself is slow with is not held against the client."""
        cycle: Any = self.cycle
        unsent = self.transport.get_write_buffer_size() + getattr(cycle, "unsent", 0)
        if unsent != self._unsent or not unsent:
            self._unsent, self._unsent_at = unsent, now
        elif now - self._unsent_at > STALLED_SECONDS_MAX:
            self.transport.abort()
            return
        if cycle is None or cycle.response_complete or not cycle.more_body:
            return
        if self.flow.read_paused or getattr(cycle, "waiting_for_100_continue", False):
            self._heard_at = now
        if now - self._heard_at <= STALLED_SECONDS_MAX:
            return
        if getattr(cycle, "response_started", False):
            self.transport.abort()
        else:
            self._refuse(408, "The request's body did not arrive in time.")

    def timeout_keep_alive_handler(self) -> None:
        """Nothing is asked any more, or something was meanwhile: one timer lies under many requests. A client that has
        not even read its last answer by now never will: nothing is flushed to it."""
        self.timeout_keep_alive_task = None
        cycle: Any = self.cycle
        if self.transport.is_closing() or not cycle.response_complete:
            return
        left = self._heard_at + self.timeout_keep_alive - monotonic()
        if left > 0:
            self._keep_alive(left)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _refuse(self, status: int, text: str) -> None:
        self._stop_timer()
        if self.transport.is_closing():
            return
        body = text.encode()
        head = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)
