"""One request to the other server and its answer back, over a connection of its own.

Bodies pass in both directions as they come, unread. Headers pass as they are but for ``host``, which must name the
server that is spoken to, and for those that concern one connection only (RFC 9110, 7.6.1). Redirects are answers like
any other: they are passed on, not followed, so that nothing goes to a server that the user did not name.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import h11

from cloche.aws.http import HttpRequest, HttpResponse
from cloche.foundation.errors import Invalid
from cloche.foundation.limits import HEADER_BYTES_MAX, KIB

CONNECT_SECONDS_MAX: Final = 10
SILENCE_SECONDS_MAX: Final = 900
"""Without a byte: as long as the longest synchronous calls of AWS take (Lambda: 15 minutes)."""
_PIECE_BYTES: Final = 64 * KIB
_OF_ONE_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "upgrade", "expect", "proxy-authorization"}
)
_OF_ONE_ANSWER: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer"})
VIA: Final = "1.1 cloche"


class Unreachable(Exception):
    """The other server did not answer; the text says why."""


class Broke(Exception):
    """It stopped in the middle of its answer."""


class Upstream:
    """``url`` is http or https, with a host, without a query; raises ``Invalid`` for anything else."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _not_a_url(url) from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise _not_a_url(url)
        if parts.username or parts.password:
            raise Invalid("--fallback takes no user name or password in its URL", field="fallback")
        self.host = parts.hostname
        self.port = port or (443 if parts.scheme == "https" else 80)
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.authority = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None

    def path(self, request: HttpRequest) -> str:
        return self._prefix + request.path

    async def send(self, request: HttpRequest, body: bytes | AsyncIterator[bytes]) -> HttpResponse:
        """Its answer, whose body is still arriving. Raises ``Unreachable``."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self._tls)
        except (OSError, TimeoutError) as error:
            raise Unreachable(str(error) or "it did not answer in time") from None
        passage = _Passage(reader, writer)
        try:
            await passage.give(request, self.path(request), self.authority, body)
            return await passage.take(request.method)
        except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
            passage.close()
            raise Unreachable(str(error) or "it did not answer in time") from None
        except BaseException:
            passage.close()
            raise


class _Passage:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEADER_BYTES_MAX)

    async def give(self, request: HttpRequest, path: str, authority: str, body: bytes | AsyncIterator[bytes]) -> None:
        headers = [("host", authority)]
        headers += [(n, v) for n, v in request.headers if n not in _OF_ONE_CONNECTION and n not in ("host", "via")]
        headers += [("via", VIA), ("connection", "close")]
        target = path + (f"?{request.query}" if request.query else "")
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._write(h11.Request(method=request.method.encode(), target=target.encode("latin-1"), headers=encoded))
        if isinstance(body, bytes):
            if body:
                self._write(h11.Data(data=body))
        else:
            async for piece in body:
                self._write(h11.Data(data=piece))
                await self._writer.drain()
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    def _write(self, event: h11.Event) -> None:
        data = self._state.send(event)
        if data:
            self._writer.write(data)

    async def take(self, method: str) -> HttpResponse:
        event = await self._next()
        while isinstance(event, h11.InformationalResponse):
            event = await self._next()
        if not isinstance(event, h11.Response):
            raise h11.RemoteProtocolError("it closed the connection without an answer")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
        headers = [(name, value) for name, value in headers if name not in _OF_ONE_ANSWER]
        if method == "HEAD" or event.status_code in (204, 304):
            self.close()
            return HttpResponse(event.status_code, headers, b"")
        return HttpResponse(event.status_code, headers, self._rest())

    async def _rest(self) -> AsyncIterator[bytes]:
        try:
            while not isinstance(event := await self._next(), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.ConnectionClosed):
                    return
        except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
            raise Broke(f"the fallback stopped in the middle of an answer: {error}") from None
        finally:
            self.close()

    async def _next(self) -> h11.Event:
        while True:
            event = self._state.next_event()
            if event is h11.NEED_DATA:
                async with asyncio.timeout(SILENCE_SECONDS_MAX):
                    data = await self._reader.read(_PIECE_BYTES)
                self._state.receive_data(data)
                continue
            assert not isinstance(event, type)
            return event

    def close(self) -> None:
        self._writer.close()


def _not_a_url(url: str) -> Invalid:
    return Invalid(f"--fallback takes a URL such as http://127.0.0.1:5000, not {url}", field="fallback")
