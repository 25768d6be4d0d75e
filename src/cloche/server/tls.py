"""HTTPS on the port that plain HTTP has too, for clients that insist on it (``cloche up --tls``).

A TLS connection begins with a handshake record, whose first byte (22) begins no HTTP request; so one port answers
both, and jobs, CONNECT and the console go on as they are. Without a certificate of the user's, Cloche's own
authority makes one on the spot for this machine's names. ``*.localhost`` in it is not enough: OpenSSL takes no
wildcard with a single label behind it, so a name that a client asks for (SNI) gets a certificate of its own.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloche.foundation.errors import Invalid
from cloche.foundation.limits import HEADER_SECONDS_MAX
from cloche.foundation.settings import Settings
from cloche.server.authority import Authority, server_context
from cloche.server.guard import is_aws_host

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tls:
    """What answers TLS, and the host that a client is best given in its URL."""

    context: ssl.SSLContext
    host: str
    names: frozenset[str]
    """Names of a certificate of the user's, which are this server's own then. ``*.example.test`` among them."""


def prepare(settings: Settings, authority: Authority) -> Tls | None:
    """``None`` where TLS is not asked for. Raises ``Invalid`` for a certificate or key that cannot be used."""
    if settings.tls_certificate is None:
        return _made(settings, authority) if settings.tls else None
    if settings.tls_key is None:
        raise Invalid("--tls-cert needs --tls-key, the private key of that certificate", field="tls_key")
    return _given(settings, settings.tls_certificate, settings.tls_key)


def _made(settings: Settings, authority: Authority) -> Tls:
    authority.ensure()
    own = {"localhost", socket.gethostname().lower(), _reached(settings.host)}
    names = [*sorted(own), "*.localhost", "*.s3.localhost", "127.0.0.1", "::1"]
    context = authority.context_for(tuple(dict.fromkeys(names)))

    def choose(connection: ssl.SSLObject, asked: str | None, _context: ssl.SSLContext) -> None:
        name = (asked or "").lower()
        if name.endswith(".localhost") or is_aws_host(name):
            connection.context = authority.context(name)

    context.sni_callback = choose
    return Tls(context, _reached(settings.host), frozenset())


def _given(settings: Settings, certificate: Path, key: Path) -> Tls:
    context = server_context()
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
        names = _names_in(certificate.read_bytes())
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        problem = f"--tls-cert {certificate} and --tls-key {key} cannot be used: {said}"
        raise Invalid(problem, field="tls_cert") from None
    reached = _reached(settings.host)
    plain = [name for name in names if not name.startswith("*")]
    host = next((name for name in (reached, "localhost") if name in plain), plain[0] if plain else reached)
    foreign = (name for name in names if not (name.endswith(".localhost") or is_aws_host(name)))
    return Tls(context, host, frozenset(foreign))


def _no_password() -> str:
    raise ValueError("the key is encrypted; give one that is not")


def _names_in(pem: bytes) -> list[str]:
    """DNS names and addresses that the certificate is for, in its order."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(pem)
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    dns = [name.lower() for name in alternatives.get_values_for_type(x509.DNSName)]
    return [*dns, *map(str, alternatives.get_values_for_type(x509.IPAddress))]


def _reached(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host.lower()  # noqa: S104 - where it listens, as clients see it


class Securing(asyncio.Protocol):
    """A connection that began with a handshake: TLS is put around it, and in it goes on what goes on in plain."""

    def __init__(self, config: Any, server_state: Any, make: Callable[[], HttpProtocol], loop: Any) -> None:
        self._config, self._state, self._make, self._loop = config, server_state, make, loop
        self._task: asyncio.Task[None] | None = None

    def begin(self, transport: Any, first: bytes) -> None:
        """``first`` has been read already; nothing more is until TLS has taken it."""
        self._transport = transport
        self._state.connections.add(self)
        self._config.crowd.enter(self, self._state.connections)
        transport.pause_reading()
        transport.set_protocol(self)
        self._task = self._loop.create_task(self._secure(first))

    async def _secure(self, first: bytes) -> None:
        protocol = self._make()
        starting = self._loop.create_task(
            self._loop.start_tls(
                self._transport,
                protocol,
                self._config.tls.context,
                server_side=True,
                ssl_handshake_timeout=HEADER_SECONDS_MAX,
            )
        )
        await asyncio.sleep(0)  # start_tls has put its own protocol in place, whose start is the loop's next call
        self._loop.call_soon(_feed, self._transport.get_protocol(), first)
        try:
            secured = await starting
        except (OSError, EOFError) as error:
            log.info("TLS failed: %s (does the client trust Cloche's certificates? see `cloche env`)", error)
            self._transport.close()
            return
        finally:
            self._leave()
        if secured is None or secured.is_closing():
            return
        protocol.begin_secured(secured)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        if self._task is not None:
            self._task.cancel()

    def _leave(self) -> None:
        self._state.connections.discard(self)
        self._config.crowd.busy(self)

    def shutdown(self) -> None:
        """The server stops."""
        self._transport.close()

    def give_way(self) -> bool:
        """See ``crowd``: a handshake that dribbles in."""
        self._transport.abort()
        return True


def _feed(protocol: Any, data: bytes) -> None:
    """Give what was read before to a protocol that takes its bytes through a buffer."""
    while data:
        buffer = protocol.get_buffer(len(data))
        count = min(len(buffer), len(data))
        buffer[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]
