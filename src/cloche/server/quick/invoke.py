"""The short way of a plain ``InvokeEndpoint``: signature, authorization, then straight to the model server, whose
answer is written as it comes. A member that is unusual, or breaks a constraint, sends a request the ordinary way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cloche.aws.http import Headers, HttpRequest
from cloche.aws.routing import route
from cloche.aws.signing.refusals import Family, family_of
from cloche.engines.hosting import ANY, COMPONENT, Answer, Heard, Outcome, Wanted, request_bytes
from cloche.server.app import Chain
from cloche.server.quick.cycle import QuickCycle
from cloche.services.sagemaker_runtime.outcomes import refusal

if TYPE_CHECKING:
    from cloche.server.http_protocol import HttpProtocol

SERVICE: Final = "sagemaker-runtime"
OPERATION: Final = "InvokeEndpoint"
HEADER_CHARACTERS_MAX: Final = 1024
"""Of ContentType, Accept and CustomAttributes in the model."""

_PATH: Final = re.compile(rb"/endpoints/([a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62})/invocations")
_VARIANT: Final = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")
_ID: Final = re.compile(r"[!-~][ -~]{0,63}")
_FORWARDED: Final = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes")
_ATTRIBUTES: Final = b"x-amzn-sagemaker-custom-attributes"
_TARGET_VARIANT: Final = "x-amzn-sagemaker-target-variant"
_INFERENCE_ID: Final = "x-amzn-sagemaker-inference-id"
_COMPONENT: Final = "x-amzn-sagemaker-inference-component"
_COMPONENT_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_PLAIN: Final = frozenset({*_FORWARDED, _TARGET_VARIANT, _INFERENCE_ID, _COMPONENT})


class QuickInvoke:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.family: Family | None = None

    def takes(self, protocol: HttpProtocol, target: bytes, headers: Headers) -> QuickCycle | None:
        match = _PATH.fullmatch(target)
        if match is None or len(match[1]) > 63 or self.chain.dispatch.ready(SERVICE) is None:
            return None
        if not _has_plain_members(headers):
            return None
        return InvokeCycle(self, protocol, str(target, "latin-1"), str(match[1], "latin-1"), headers)


def _has_plain_members(headers: Headers) -> bool:
    if "/sagemaker/aws4_request" not in headers.get("authorization") or "x-amz-target" in headers:
        return False
    for name, value in headers.items:
        if name in _PLAIN:
            if not value or len(value) > HEADER_CHARACTERS_MAX or not value.isascii():
                return False
        elif name.startswith("x-amzn-sagemaker-"):
            return False
    variant, inference = headers.get(_TARGET_VARIANT), headers.get(_INFERENCE_ID)
    if inference and _ID.fullmatch(inference) is None:
        return False
    if component := headers.get(_COMPONENT):
        return not variant and _COMPONENT_NAME.fullmatch(component) is not None
    return not variant or (len(variant) <= 63 and _VARIANT.fullmatch(variant) is not None)


class InvokeCycle(QuickCycle):
    __slots__ = ("_asked", "_name", "_quick", "_region")

    def __init__(self, quick: QuickInvoke, protocol: HttpProtocol, path: str, name: str, headers: Headers) -> None:
        super().__init__(quick.chain, protocol, path, headers)
        self._quick = quick
        self._name = name
        self._asked = name
        """The endpoint, or the component on it."""
        self._region = ""

    def names(self) -> tuple[str, str]:
        return SERVICE, OPERATION

    def begin(self, request: HttpRequest) -> None:
        chain, exchange = self.chain, self.exchange
        family = self._quick.family
        if family is None:
            target = route(request)
            family = self._quick.family = family_of(target.service_name, target.protocol)
        verified = chain.verifier.verify(request, family, chain.clock.real())
        caller = exchange.caller = verified.caller
        self._region = verified.region or chain.settings.region
        context = chain.context(exchange.request_id, caller, self._region, request)
        offered = chain.dispatch.ready(SERVICE)
        assert offered is not None
        chain.authorize(context, SERVICE, offered.operation(OPERATION), {"EndpointName": self._name})
        get = self.headers.get
        forwarded = [(name.encode(), get(name).encode("latin-1")) for name in _FORWARDED if get(name)]
        if component := get(_COMPONENT):
            self._asked = self._name + COMPONENT + component
        key = (caller.account, self._region, self._asked)
        data = request_bytes(forwarded, request.body)
        variant = get(_TARGET_VARIANT)
        wanted = Wanted(variant) if variant else ANY
        chain.parts.hosting.invoker.send(key, wanted, data, self._answered, self._heard)

    def _heard(self) -> Heard:
        request, get = self.exchange.request, self.headers.get
        assert request is not None
        return Heard(
            request.body, get("content-type"), self.exchange.request_id, get(_INFERENCE_ID), get(_FORWARDED[2])
        )

    def _answered(self, variant: str, outcome: Outcome) -> None:
        """The model server has answered, or will not."""
        exchange = self.exchange
        if type(outcome) is not Answer or not 200 <= outcome.status < 300:
            account = exchange.caller.account if exchange.caller is not None else ""
            self.refuse(refusal(outcome, variant, name=self._asked, account=account, region=self._region))
            return
        headers = [
            (b"x-amzn-requestid", exchange.request_id.encode()),
            (b"content-type", outcome.header(b"content-type") or b"application/octet-stream"),
            (b"x-amzn-invoked-production-variant", variant.encode()),
        ]
        attributes = outcome.header(_ATTRIBUTES)
        if attributes:
            headers.append((_ATTRIBUTES, attributes))
        self.write(200, headers, outcome.body)
