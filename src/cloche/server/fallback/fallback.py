"""Which requests are passed on, and what is remembered of them."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from cloche.aws.errors import AwsError
from cloche.aws.http import HttpRequest, HttpResponse
from cloche.aws.routing import services_named, signed_service
from cloche.aws.signing.scope import Malformed
from cloche.aws.signing.sigv4 import UNSIGNED
from cloche.foundation.errors import Invalid
from cloche.foundation.limits import MIB
from cloche.foundation.settings import Settings
from cloche.server.dispatch import Dispatch
from cloche.server.fallback.forwarding import VIA, Unreachable, Upstream
from cloche.server.fallback.resigning import Keys, signed_anew

log = logging.getLogger(__name__)
BODY_BYTES_MAX: Final = 72 * MIB
"""Of a body whose hash the signature covers: Lambda takes 50 MB of code, base64 makes 67 of them."""
_SERVICE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}").fullmatch
_ACTION: Final = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]{1,128})").search


@dataclass(frozen=True, slots=True)
class Beyond:
    """A request that is to be passed on: what it asks, as far as it can be told."""

    service: str
    operation: str


class Fallback:
    """``requests`` counts those that were passed on, since the start."""

    def __init__(self, upstream: Upstream, dispatch: Dispatch, keys: Keys | None) -> None:
        self.upstream = upstream
        self.requests = 0
        self._dispatch = dispatch
        self._keys = keys

    def takes(self, request: HttpRequest) -> Beyond | None:
        """``None`` for a request that Cloche answers or refuses itself: where any of the services that it may be
        for is offered, or where nothing tells its service (that is S3, which needs no such thing)."""
        names = services_named(request) or (signed_service(request),)
        if not all(_SERVICE(name) for name in names) or any(self._dispatch.has(name) for name in names):
            return None
        return Beyond(names[0], request.headers.get("x-amz-target").rpartition(".")[2])

    def is_signed(self, request: HttpRequest) -> bool:
        """By Signature Version 4, in a header or in the query. A request that is not is passed on as it came."""
        return "authorization" in request.headers or "X-Amz-Signature=" in request.query

    def streams(self, request: HttpRequest) -> bool:
        """May its body be passed on before it is known to be the one that was signed?"""
        return self._keys is None and (
            not self.is_signed(request) or request.headers.get("x-amz-content-sha256") == UNSIGNED
        )

    async def forward(
        self, request: HttpRequest, body: bytes | AsyncIterator[bytes], beyond: Beyond, request_id: str
    ) -> HttpResponse:
        """The other server's answer. Raises ``AwsError`` (502) where it cannot be had."""
        upstream = self.upstream
        if any(VIA in value for value in request.headers.all("via")):
            raise AwsError(
                "BadGateway",
                f"Cloche does not speak {beyond.service}, and its fallback {upstream.url} sent the request back.",
                502,
            )
        self.requests += 1
        if self._keys is not None and "authorization" in request.headers:
            try:
                request = signed_anew(request, upstream.path(request), upstream.authority, self._keys)
            except Malformed as error:
                raise AwsError("IncompleteSignature", f"The request cannot be signed anew: {error}", 400) from None
        try:
            response = await upstream.send(request, body)
        except Unreachable as error:
            log.warning("request %s %s not passed on to %s: %s", request_id, _words(beyond), upstream.url, error)
            raise AwsError(
                "BadGateway",
                f"Cloche does not speak {beyond.service} and passes it on to the fallback {upstream.url}, which "
                f"cannot be reached: {error}",
                502,
            ) from None
        log.info("request %s %s passed on to %s: %d", request_id, _words(beyond), upstream.url, response.status)
        return response


def action_of(body: bytes) -> str:
    """The operation that a form names; empty for none."""
    found = _ACTION(body[:65_536])
    return found[1].decode() if found else ""


def _words(beyond: Beyond) -> str:
    return f"{beyond.service} {beyond.operation or '(operation unknown)'}"


def prepare(settings: Settings, dispatch: Dispatch) -> Fallback | None:
    """``None`` where there is none. Raises ``Invalid`` for a URL or keys that cannot be used."""
    if not settings.fallback:
        return None
    upstream = Upstream(settings.fallback)
    here = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    if upstream.port == settings.port and upstream.host in (here, "localhost", "127.0.0.1", "::1"):
        raise Invalid("--fallback is this Cloche itself; name another server", field="fallback")
    return Fallback(upstream, dispatch, Keys.of() if settings.fallback_keys == "env" else None)
