"""CONNECT, on the same port as everything else.

Some clients ask ``https://sts.<region>.amazonaws.com`` whatever the endpoint variables say. With ``HTTPS_PROXY``
set to Cloche they first send ``CONNECT host:443``. For one of AWS's hosts the connection is then answered here: TLS
with a certificate of Cloche's own authority, and inside it the same protocol and the same chain as on the plain
port. For every other host bytes are passed to and fro unopened.

Whoever reaches this port may tunnel through it: another reason why it is on loopback unless told otherwise.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import urllib.request
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from cloche.foundation.limits import HEADER_SECONDS_MAX, KIB
from cloche.server.guard import is_aws_host

log = logging.getLogger(__name__)
_HEAD_BYTES_MAX: Final = 16 * KIB
_CONNECT_SECONDS_MAX: Final = 20
_OK: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Connect(asyncio.Protocol):
    """A connection that began with CONNECT: reads its head, then becomes an answer or a tunnel."""

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], loop: Any) -> None:
        self._config, self._state, self._app_state, self._loop = config, server_state, app_state, loop
        self._head = b""
        self._taken = False
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._timer = self._loop.call_later(HEADER_SECONDS_MAX, self.shutdown)
        self._state.connections.add(self)
        self._config.crowd.enter(self, self._state.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._state.connections.discard(self)
        self._config.crowd.busy(self)
        if self._task is not None and not self._taken:
            self._task.cancel()

    def shutdown(self) -> None:
        """The server stops (or the client was too slow)."""
        self._transport.close()

    def give_way(self) -> bool:
        """See ``crowd``."""
        self._timer.cancel()
        self._transport.abort()
        return True

    def data_received(self, data: bytes) -> None:
        if self._task is not None:
            return  # paused reading; nothing should come before the answer
        self._head += data
        head, found, rest = self._head.partition(b"\r\n\r\n")
        if len(head) > _HEAD_BYTES_MAX:
            self._refuse(431, "too large")
        elif found:
            self._timer.cancel()
            self._config.crowd.busy(self)
            self._transport.pause_reading()
            self._task = self._loop.create_task(self._answer(head, rest))

    async def _answer(self, head: bytes, rest: bytes) -> None:
        target = _target(head.partition(b"\r\n")[0])
        if target is None:
            self._refuse(400, "CONNECT needs host:port")
            return
        host, port = target
        try:
            if is_aws_host(host) and port == 443:
                await self._answer_as(host, rest)
            else:
                await self._tunnel(host, port, head, rest)
        except (OSError, TimeoutError) as error:
            log.info("no tunnel to %s:%s: %s", host, port, error)
            self._refuse(502, f"{host}:{port} cannot be reached")

    async def _answer_as(self, host: str, rest: bytes) -> None:
        authority = self._config.authority
        context = await self._loop.run_in_executor(None, authority.context, host)
        if rest:  # a client speaks only after the 200
            self._refuse(400, "data before the tunnel stands")
            return
        protocol = self._config.http_protocol_class(
            config=self._config, server_state=self._state, app_state=self._app_state, _loop=self._loop
        )
        self._transport.write(_OK)
        try:
            secured = await self._loop.start_tls(
                self._transport, protocol, context, server_side=True, ssl_handshake_timeout=HEADER_SECONDS_MAX
            )
        except (OSError, EOFError) as error:
            log.info("TLS as %s failed: %s (does the client trust Cloche's certificates?)", host, error)
            self._transport.close()
            return
        self._taken = True
        self._state.connections.discard(self)
        protocol.begin_secured(secured)

    async def _tunnel(self, host: str, port: int, head: bytes, rest: bytes) -> None:
        beyond = upstream(host, self._transport.get_extra_info("sockname")[:2])
        near, far = Relay(self._state, self._transport), Relay(self._state)
        near.other, far.other = far, near
        async with asyncio.timeout(_CONNECT_SECONDS_MAX):
            await self._loop.create_connection(lambda: far, *((beyond.host, beyond.port) if beyond else (host, port)))
        self._taken = True
        self._state.connections.discard(self)
        near.connection_made(self._transport)
        self._transport.set_protocol(near)
        if beyond is None:
            self._transport.write(_OK)
        else:  # it answers the client's CONNECT in our stead
            rest = beyond.request(head) + rest
        if rest:
            far.transport.write(rest)
        self._transport.resume_reading()

    def _refuse(self, status: int, text: str) -> None:
        if self._transport.is_closing():
            return
        body = f"Cloche: {text}\n".encode()
        self._transport.write(
            b"HTTP/1.1 %d Refused\r\ncontent-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            % (status, len(body))
            + body
        )
        self._transport.close()


class Relay(asyncio.Protocol):
    """One end of a tunnel: what comes here goes out at ``other``; slow readers slow their writers."""

    other: Relay

    def __init__(self, server_state: Any, transport: Any = None) -> None:
        self._state, self.transport = server_state, transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._state.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        if self.other.transport.can_write_eof():
            self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self.other.transport.close()

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.transport.is_closing():
            self.other.transport.resume_reading()

    def shutdown(self) -> None:
        self.transport.close()


@dataclass(frozen=True, slots=True)
class Upstream:
    """The proxy that this machine itself must use to reach the world (``HTTPS_PROXY`` where Cloche was started)."""

    host: str
    port: int
    authorization: bytes

    def request(self, head: bytes) -> bytes:
        """The client's CONNECT, as this proxy is to read it."""
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"proxy-authorization:")]
        return b"\r\n".join([*lines, *([self.authorization] if self.authorization else [])]) + b"\r\n\r\n"


def upstream(host: str, here: tuple[str, int]) -> Upstream | None:
    """The proxy on the way to ``host``, if there is one. Cloche is none: started again in a shell that an earlier
    ``cloche env`` led to it, it would ask itself without end, until no connection is left."""
    address = urllib.request.getproxies().get("https", "")
    if not address or urllib.request.proxy_bypass(host):
        return None
    parts = _parts(address)
    if not parts.hostname or _place(address) in (_place(os.environ.get("AWS_ENDPOINT_URL", "")), here):
        return None
    authorization = b""
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = b"Proxy-Authorization: Basic " + base64.b64encode(secret.encode())
    return Upstream(parts.hostname, parts.port or 80, authorization)


def _parts(address: str) -> SplitResult:
    return urlsplit(address if "://" in address else f"http://{address}")


def _place(address: str) -> tuple[str, int]:
    parts = _parts(address)
    return (parts.hostname or "").replace("localhost", "127.0.0.1"), parts.port or 80


def _target(line: bytes) -> tuple[str, int] | None:
    """``CONNECT host:port HTTP/1.1``"""
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        return None
    host, _, port = parts[1].rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        return None
    if any(character <= " " or character > "~" for character in host) or len(host) > 253:
        return None
    return host, int(port)
