"""The short way of a plain ``InvokeEndpoint``: the chain's stages in the chain's order, without its machinery.

A model that predicts one row answers in a tenth of a millisecond; a task, an event, ASGI messages and a walk over
shapes would take longer than that. So a request that is plain (a POST to ``/endpoints/NAME/invocations`` signed for
SageMaker, a short body of known length, no unusual member) is handled in the protocol's callbacks: guard, signature,
authorization, then straight to the model server, whose answer is written as it comes. Anything else, and everything
that would have to be refused for its form, goes the ordinary way; refusals after that are worded by the chain.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.routing import route
from cloche.aws.signing.refusals import Family, family_of
from cloche.engines.hosting import Answer, Outcome, request_bytes
from cloche.foundation.bus import RequestServed
from cloche.foundation.ids import request_id as new_request_id
from cloche.server.app import Chain, Exchange
from cloche.services.sagemaker_runtime.outcomes import refusal

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol

SERVICE: Final = "sagemaker-runtime"
OPERATION: Final = "InvokeEndpoint"
BODY_BYTES_MAX: Final = 64 * 1024
"""uvicorn stops reading beyond this until somebody takes the body; longer ones go the ordinary way."""
HEADER_CHARACTERS_MAX: Final = 1024
"""Of ContentType, Accept and CustomAttributes in the model."""

_PATH: Final = re.compile(rb"/endpoints/([a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62})/invocations")
_VARIANT: Final = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")
_FORWARDED: Final = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes")
_ATTRIBUTES: Final = b"x-amzn-sagemaker-custom-attributes"
_TARGET_VARIANT: Final = "x-amzn-sagemaker-target-variant"
_PLAIN: Final = frozenset({*_FORWARDED, _TARGET_VARIANT})
_UNUSUAL: Final = ("transfer-encoding", "expect", "upgrade", "x-amz-target", "content-encoding")


class QuickInvoke:
    """Made once beside the chain, whose parts it uses."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.family: Family | None = None

    def takes(self, protocol: HttpProtocol, target: bytes) -> QuickCycle | None:
        """The cycle that will answer the POST whose headers are complete, or ``None``: the ordinary way."""
        match = _PATH.fullmatch(target)
        if match is None or len(match[1]) > 63 or self.chain.dispatch.ready(SERVICE) is None:
            return None
        headers = Headers.received([(str(name, "latin-1"), str(value, "latin-1")) for name, value in protocol.headers])
        if headers.repeats or not _is_plain(headers):
            return None
        return QuickCycle(self, protocol, str(target, "latin-1"), str(match[1], "latin-1"), headers)


def _is_plain(headers: Headers) -> bool:
    length = headers.get("content-length")
    if not (length.isascii() and length.isdigit() and len(length) < 6 and int(length) <= BODY_BYTES_MAX):
        return False
    authorization = headers.get("authorization")
    if not authorization.startswith("AWS4-HMAC-SHA256 ") or "/sagemaker/aws4_request" not in authorization:
        return False
    for name, value in headers.items:
        if name in _UNUSUAL:
            return False
        if name in _PLAIN:
            if not value or len(value) > HEADER_CHARACTERS_MAX or not value.isascii():
                return False
        elif name.startswith("x-amzn-sagemaker-"):
            return False
    variant = headers.get(_TARGET_VARIANT)
    return not variant or (len(variant) <= 63 and _VARIANT.fullmatch(variant) is not None)


class QuickCycle:
    """One request and its answer, in the place of uvicorn's own cycle (whose attributes it has).

    uvicorn sets ``message_event`` when some of the body came, when all of it came, and when the client has gone;
    that is this object itself, and ``set`` begins the work when all is there.
    """

    __slots__ = (
        "_begun",
        "_exchange",
        "_name",
        "_path",
        "_protocol",
        "_quick",
        "_region",
        "_started",
        "body",
        "disconnected",
        "headers",
        "keep_alive",
        "message_event",
        "more_body",
        "response_complete",
    )

    def __init__(self, quick: QuickInvoke, protocol: HttpProtocol, path: str, name: str, headers: Headers) -> None:
        self._quick = quick
        self._protocol = protocol
        self._path = path
        self._name = name
        self._region = ""
        self._started = perf_counter()
        self._begun = False
        self._exchange: Exchange | None = None
        self.headers = headers
        self.body = b""
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.keep_alive = True
        self.message_event = self

    def set(self) -> None:
        if self.more_body or self._begun or self.disconnected:
            return
        self._begun = True
        try:
            self._begin()
        except Exception as error:
            self._refuse(error)

    def _begin(self) -> None:
        chain = self._quick.chain
        exchange = self._exchange = Exchange(new_request_id())
        request = exchange.request = HttpRequest("POST", self._path, "", self.headers, self.body)
        chain.guard.check(request)
        exchange.admitted = True
        family = self._quick.family
        if family is None:
            target = route(request)
            family = self._quick.family = family_of(target.service_name, target.protocol)
        try:
            verified = chain.verifier.verify(request, family, chain.clock.time())
            caller = exchange.caller = verified.caller
            self._region = verified.region or chain.settings.region
            context = chain.context(exchange.request_id, caller, self._region, request)
            offered = chain.dispatch.ready(SERVICE)
            assert offered is not None
            chain.authorize(context, SERVICE, offered.operation(OPERATION), {"EndpointName": self._name})
        except Exception:
            exchange.target = route(request)
            raise
        get = self.headers.get
        forwarded = [(name.encode(), get(name).encode("latin-1")) for name in _FORWARDED if get(name)]
        key = (caller.account, self._region, self._name)
        data = request_bytes(forwarded, self.body)
        chain.parts.hosting.invoker.send(key, get(_TARGET_VARIANT), data, self._answered)

    def _answered(self, variant: str, outcome: Outcome) -> None:
        """The model server has answered, or will not."""
        exchange = self._exchange
        assert exchange is not None
        if type(outcome) is not Answer or not 200 <= outcome.status < 300:
            account = exchange.caller.account if exchange.caller is not None else ""
            self._refuse(refusal(outcome, variant, name=self._name, account=account, region=self._region))
            return
        headers = [
            (b"x-amzn-requestid", exchange.request_id.encode()),
            (b"content-type", outcome.header(b"content-type") or b"application/octet-stream"),
            (b"x-amzn-invoked-production-variant", variant.encode()),
        ]
        attributes = outcome.header(_ATTRIBUTES)
        if attributes:
            headers.append((_ATTRIBUTES, attributes))
        self._write(200, headers, outcome.body)

    def _refuse(self, error: Exception) -> None:
        exchange = self._exchange
        assert exchange is not None and exchange.request is not None
        if exchange.admitted and exchange.target is None:
            exchange.target = route(exchange.request)
        response = self._quick.chain.refusal(exchange, error)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        assert isinstance(response.body, bytes)
        self._write(response.status, headers, response.body)

    def _write(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        protocol: Any = self._protocol
        self.response_complete = True
        if not self.disconnected and not protocol.transport.is_closing():
            pieces = [STATUS_LINE[status]]
            for name, value in protocol.server_state.default_headers:
                pieces += (name, b": ", value, b"\r\n")
            for name, value in headers:
                pieces += (name, b": ", value, b"\r\n")
            if not self.keep_alive:
                pieces.append(b"connection: close\r\n")
            pieces += (b"content-length: %d\r\n\r\n" % len(body), body)
            protocol.transport.write(b"".join(pieces))
            if not self.keep_alive:
                protocol.transport.close()
            protocol.on_response_complete()
        self._record(status)

    def _record(self, status: int) -> None:
        exchange, chain = self._exchange, self._quick.chain
        assert exchange is not None
        caller = exchange.caller.arn if exchange.caller is not None else ""
        seconds = perf_counter() - self._started
        chain.bus.tell(
            RequestServed(
                chain.clock.time(), exchange.request_id, SERVICE, OPERATION, caller, status, exchange.code, seconds
            )
        )
